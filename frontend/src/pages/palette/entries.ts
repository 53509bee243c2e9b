/** What the palette offers for a text, the best first. Pure. */
import type { PAGES } from '../page-list';

export type Does =
  | { readonly kind: 'page'; readonly to: (typeof PAGES)[number]['to'] }
  | { readonly kind: 'job'; readonly id: string }
  | { readonly kind: 'search'; readonly q: string }
  | { readonly kind: 'function'; readonly name: string }
  | { readonly kind: 'queue'; readonly name: string }
  | { readonly kind: 'pause'; readonly name: string; readonly paused: boolean }
  | { readonly kind: 'scheme'; readonly scheme: 'light' | 'dark' | 'auto' }
  | { readonly kind: 'help' };

export interface Entry {
  readonly key: string;
  readonly name: string;
  readonly hint: string;
  readonly does: Does;
}

export interface Offered {
  readonly pages: typeof PAGES;
  readonly functions: readonly string[];
  readonly queues: readonly { readonly name: string; readonly paused: boolean }[];
  /** Who looks may pause and resume. */
  readonly mayChange: boolean;
}

/** The alphabet of ids leaves out what is easily taken for something else. */
const JOB_ID = /^[0-9A-HJKMNP-TV-Z]{26}$/iu;

export function entriesOf(text: string, { pages, functions, queues, mayChange }: Offered): readonly Entry[] {
  const typed = text.trim();
  const all = [
    ...pages.map(({ to, name, letter }): Entry => ({ key: `page-${letter}`, name, hint: `page, g ${letter}`, does: { kind: 'page', to } })),
    ...functions.map((name): Entry => ({ key: `function-${name}`, name: `Call ${name}`, hint: 'function', does: { kind: 'function', name } })),
    ...queues.flatMap(({ name, paused }): Entry[] => [
      { key: `queue-${name}`, name: `Jobs of the queue ${name}`, hint: 'queue', does: { kind: 'queue', name } },
      ...(mayChange
        ? [
            {
              key: `pause-${name}`,
              name: `${paused ? 'Resume' : 'Pause'} the queue ${name}`,
              hint: 'action',
              does: { kind: 'pause', name, paused: !paused } as const,
            },
          ]
        : []),
    ]),
    ...(['light', 'dark', 'auto'] as const).map(
      (scheme): Entry => ({
        key: `scheme-${scheme}`,
        name: `Colours: ${scheme === 'auto' ? 'as the system' : scheme}`,
        hint: 'action',
        does: { kind: 'scheme', scheme },
      }),
    ),
    { key: 'help', name: 'Keyboard', hint: 'help, ?', does: { kind: 'help' } } satisfies Entry,
  ];
  const fitting = all.filter(({ name }) => fits(name, typed)).sort((a, b) => rank(a, typed) - rank(b, typed));
  if (typed === '') return fitting;
  const search: Entry = { key: 'search', name: `Search the jobs for ${typed}`, hint: 'search', does: { kind: 'search', q: typed } };
  if (!JOB_ID.test(typed)) return [...fitting, search];
  const id = typed.toUpperCase();
  return [{ key: 'job', name: `Job ${id}`, hint: 'job', does: { kind: 'job', id } }, ...fitting, search];
}

/** Every word that was typed begins or is within a word of the name. */
function fits(name: string, typed: string): boolean {
  const lower = name.toLowerCase();
  return typed
    .toLowerCase()
    .split(/\s+/u)
    .every((word) => lower.includes(word));
}

/** What begins with the text stands before what has it somewhere. */
function rank({ name }: Entry, typed: string): number {
  return name.toLowerCase().startsWith(typed.toLowerCase()) ? 0 : 1;
}
