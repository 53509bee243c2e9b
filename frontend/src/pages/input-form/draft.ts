/** What somebody has typed into the form of an input, and the input that it is. Pure. */
import { formatNumber } from '../../components/numbers';
import { momentOf, wallTime } from '../../components/wall-time';
import { exactNumber, ExactNumber, parseExact, stringifyExact } from '../../exact-json';
import type { Field } from './fields';
import { stepOf } from './pointers';

export interface Draft {
  /** `json`: the whole input is typed as JSON. */
  readonly mode: 'fields' | 'json';
  /** By field; a field that is missing or empty is left out of the input. */
  readonly texts: Readonly<Record<string, string>>;
  readonly json: string;
}

export type Read =
  | { readonly ok: true; readonly input: unknown }
  /** By JSON Pointer; the empty one is the input as a whole. */
  | { readonly ok: false; readonly errors: Readonly<Record<string, string>> };

export function emptyDraft(fields: readonly Field[] | null): Draft {
  return { mode: fields === null ? 'json' : 'fields', texts: {}, json: fields === null ? 'null' : '{}' };
}

/** A draft that reads as this input. In fields when all of it has a place there. */
export function draftOf(fields: readonly Field[] | null, input: unknown): Draft {
  const json = stringifyExact(input, 2);
  if (fields === null || typeof input !== 'object' || input === null || Array.isArray(input) || input instanceof ExactNumber) {
    return { mode: 'json', texts: {}, json };
  }
  const entries = Object.entries(input) as [string, unknown][];
  const known = new Map(fields.map((field) => [field.name, field]));
  const texts: Record<string, string> = {};
  for (const [name, value] of entries) {
    const field = known.get(name);
    const text = field === undefined ? null : textOf(field, value);
    if (text === null) return { mode: 'json', texts: {}, json };
    texts[name] = text;
  }
  return { mode: 'fields', texts, json };
}

/** How a value stands in its field; null when it has no place there. */
function textOf(field: Field, value: unknown): string | null {
  if (field.kind === 'json') return stringifyExact(value, 2);
  if (field.kind === 'time') return typeof value === 'string' ? wallTime(value) : null;
  if (value instanceof ExactNumber) return isNumeric(field) ? value.text : null;
  const isWhatFieldHolds =
    field.kind === 'flag' ? typeof value === 'boolean' : typeof value === (isNumeric(field) ? 'number' : 'string');
  // An empty text would read as "left out".
  return isWhatFieldHolds && value !== '' ? String(value) : null;
}

function isNumeric({ kind }: Field): boolean {
  return kind === 'integer' || kind === 'number';
}

export function readDraft(fields: readonly Field[] | null, draft: Draft): Read {
  if (fields === null || draft.mode === 'json') {
    const value = parseJson(draft.json);
    return value.ok ? { ok: true, input: value.value } : { ok: false, errors: { '': value.error } };
  }
  return readFields(fields, draft.texts);
}

export function readFields(fields: readonly Field[], texts: Draft['texts']): Read {
  const input: Record<string, unknown> = {};
  const errors: Record<string, string> = {};
  for (const field of fields) {
    const text = texts[field.name] ?? '';
    if (text.trim() === '') {
      if (field.required) errors[`/${stepOf(field.name)}`] = 'Required';
      continue;
    }
    const value = readField(field, text);
    if (value.ok) input[field.name] = value.value;
    else errors[`/${stepOf(field.name)}`] = value.error;
  }
  return Object.keys(errors).length > 0 ? { ok: false, errors } : { ok: true, input };
}

/** The draft in the other mode, with what was typed; itself when that cannot be read. */
export function switchMode(fields: readonly Field[] | null, draft: Draft): Draft {
  const read = readDraft(fields, draft);
  if (draft.mode === 'fields') {
    return { ...draft, mode: 'json', json: read.ok ? stringifyExact(read.input, 2) : partOf(fields, draft) };
  }
  return read.ok ? draftOf(fields, read.input) : draft;
}

/** What can be read of fields of which some are not valid. */
function partOf(fields: readonly Field[] | null, draft: Draft): string {
  const good = (fields ?? []).flatMap((field) => {
    const text = draft.texts[field.name] ?? '';
    const value = text.trim() === '' ? null : readField(field, text);
    return value?.ok === true ? [[field.name, value.value] as const] : [];
  });
  return stringifyExact(Object.fromEntries(good), 2);
}

type Value = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: string };

function wrong(error: string): Value {
  return { ok: false, error };
}

function readField(field: Field, text: string): Value {
  switch (field.kind) {
    case 'text':
      return field.maxLength !== null && text.length > field.maxLength
        ? wrong(`At most ${formatNumber(field.maxLength)} characters.`)
        : { ok: true, value: text };
    case 'choice':
      return { ok: true, value: text };
    case 'words':
      return { ok: true, value: text.trim().split(/\s+/u) };
    case 'flag':
      return { ok: true, value: text === 'true' };
    case 'integer':
    case 'number':
      return readNumber(field, text.trim());
    case 'time': {
      const time = momentOf(text);
      return time === null ? wrong('This must be a date and a time.') : { ok: true, value: time };
    }
    case 'json':
      return parseJson(text);
  }
}

function readNumber({ kind, minimum, maximum }: Field, text: string): Value {
  const typed = text.replaceAll(/(?<=\d),(?=\d{3}\b)/gu, '');
  const size = Number(typed);
  const what = kind === 'integer' ? 'a whole number' : 'a number';
  if (!Number.isFinite(size) || (kind === 'integer' && !Number.isInteger(size))) return wrong(`This must be ${what}.`);
  if (minimum !== null && size < minimum) return wrong(`At least ${formatNumber(minimum)}.`);
  if (maximum !== null && size > maximum) return wrong(`At most ${formatNumber(maximum)}.`);
  // To the last digit; what JSON would write in another way (`+1`, `.5`) is as a browser reads it.
  return { ok: true, value: exactNumber(typed) ?? size };
}

function parseJson(text: string): Value {
  try {
    const value = parseExact(text);
    return { ok: true, value };
  } catch (error) {
    return wrong(`This is not JSON: ${error instanceof Error ? error.message : 'it cannot be read'}.`);
  }
}
