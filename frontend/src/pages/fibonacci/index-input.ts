/** Checks what somebody typed as an index, before the server does. The limits come from the function's input schema. */
import type { WholeNumberField } from '../../api/input-schema';
import { formatNumber } from '../../components/numbers';

export type IndexInput =
  | { readonly index: number; readonly error: null }
  | { readonly index: null; readonly error: string };

const PLAIN = /^\d+$/;
/** Thousands in groups, as people copy them: 1,000,000 or 1 000 000. */
const GROUPED = /^\d{1,3}(?:([ ,'_\u00a0\u202f])\d{3})(?:\1\d{3})*$/u;

function wrong(error: string): IndexInput {
  return { index: null, error };
}

export function rangeText({ minimum, maximum }: WholeNumberField): string {
  return maximum === null
    ? `A whole number from ${formatNumber(minimum)}`
    : `A whole number from ${formatNumber(minimum)} to ${formatNumber(maximum)}`;
}

export function parseIndex(text: string, limits: WholeNumberField): IndexInput {
  const trimmed = text.trim();
  if (trimmed === '') return wrong('Type an index first, such as 90.');
  if (/^-\s?\d/u.test(trimmed)) return wrong(`${rangeText(limits)}: there is nothing before it.`);
  if (/^\d*[.,]\d+$/u.test(trimmed) && !GROUPED.test(trimmed)) {
    return wrong(`${rangeText(limits)}, without a fraction.`);
  }
  if (!PLAIN.test(trimmed) && !GROUPED.test(trimmed)) return wrong(`That is not a number. ${rangeText(limits)}, please.`);
  const index = Number(trimmed.replaceAll(/\D/gu, ''));
  if (index < limits.minimum) return wrong(`The smallest index is ${formatNumber(limits.minimum)}.`);
  if (limits.maximum !== null && index > limits.maximum) {
    return wrong(`The largest index is ${formatNumber(limits.maximum)}.`);
  }
  if (!Number.isSafeInteger(index)) return wrong('That index is too large.');
  return { index, error: null };
}
