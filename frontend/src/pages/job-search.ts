/**
 * The search of the jobs page. All of it stands in one text, which is the address's only parameter: the box shows it, and
 * the tabs and lists change a term of it. So what they say cannot contradict what is typed.
 */
import type { SearchSchemaInput } from '@tanstack/react-router';
import type { JobFilter } from '../api/patch';
import type { JobState } from '../api/types';

export const JOB_STATES: readonly JobState[] = [
  'scheduled',
  'queued',
  'running',
  'retrying',
  'completed',
  'dead',
  'cancelled',
];

export interface JobSearch {
  readonly q?: string;
}

/** The terms that have a control or a link of their own; in the order in which they are written. */
const NAMES = ['state', 'function', 'queue', 'schedule', 'batch'] as const;
type Name = (typeof NAMES)[number];

const ID = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/u;
/** Whether a value is one that the API takes; whatever else is typed is sent as it is, and the API says what is wrong. */
const IS_GOOD: Readonly<Record<Name, (value: string) => boolean>> = {
  state: (value) => JOB_STATES.some((state) => state === value),
  function: (value) => value !== '' && !value.includes('\0'),
  queue: (value) => /^[a-z0-9-]{1,64}$/u.test(value),
  schedule: (value) => ID.test(value),
  batch: (value) => ID.test(value),
};

/** What the address carries. Older links may name terms by themselves (`?state=dead`): they become part of the text. */
export function parseJobSearch(search: JobFilter & SearchSchemaInput): JobSearch {
  return searchFor(search);
}

/** The search for jobs that a filter describes, for links. */
export function searchFor(search: JobFilter): JobSearch {
  // What an address carries may be anything.
  const given: Readonly<Record<string, unknown>> = { ...search };
  let q = textOf(given.q).trim();
  for (const name of [...NAMES].reverse()) {
    const value = textOf(given[name]);
    if (value === '' || (name === 'state' && !IS_GOOD.state(value))) continue;
    // What is in the text counts.
    if (termsOf(q).some((term) => term.name === name)) continue;
    q = withTerm(q, name, value);
  }
  return searchOf(q);
}

/** The address of a text: without a parameter when there is none. */
export function searchOf(q: string): JobSearch {
  return q === '' ? {} : { q };
}

function textOf(value: unknown): string {
  // The router reads `q=90` as a number.
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' ? value : '';
}

interface Term {
  /** null for a word. */
  readonly name: string | null;
  readonly sign: string;
  readonly value: string;
  /** As it is written. */
  readonly text: string;
}

/** The terms of a text, by the grammar of the API. Of a text that it cannot read as well: none of it is lost. */
export function termsOf(q: string): Term[] {
  const found = q.matchAll(/(?:([A-Za-z_][\w.-]*)(>=|<=|>|<|:))?("(?:[^"\\]|\\.)*"?\S*|\S+)/gu);
  return Array.from(found, ([text, name, sign = '', value = '']) => ({
    name: name ?? null,
    sign,
    value: unquoted(value),
    text,
  }));
}

function unquoted(value: string): string {
  const [, inside] = /^"(.*)"$/su.exec(value) ?? [];
  return inside === undefined ? value : inside.replaceAll(/\\(["\\])/gu, '$1');
}

/** The value of the term; null when there is none, or more than one of them. */
export function termOf(q: string, name: Name): string | null {
  const [only, ...more] = termsOf(q).filter((term) => term.name === name);
  return only?.sign === ':' && more.length === 0 ? only.value : null;
}

export function hasTerm(q: string, name: Name): boolean {
  return termsOf(q).some((term) => term.name === name);
}

/** The same text with another value of the term, which takes the place of the one that is there; null takes it out. */
export function withTerm(q: string, name: Name, value: string | null): string {
  const written = value === null || value === '' ? [] : [`${name}:${quoted(value)}`];
  const terms = termsOf(q);
  const place = terms.findIndex((term) => term.name === name);
  if (place < 0) return [...written, q.trim()].filter((text) => text !== '').join(' ');
  return terms
    .flatMap((term, index) => (term.name !== name ? [term.text] : index === place ? written : []))
    .join(' ');
}

/**
 * The filter of the list. Terms that can be told from a job alone are told apart, so that the list follows what happens
 * without being read again; where there are others as well the API gets the whole text.
 */
export function filterOf({ q }: JobSearch): JobFilter {
  if (q === undefined) return {};
  const terms = termsOf(q);
  const known = NAMES.flatMap((name) => {
    const value = termOf(q, name);
    return value !== null && IS_GOOD[name](value) ? [[name, value] as const] : [];
  });
  const filter: JobFilter = Object.fromEntries(known);
  return known.length === terms.length ? filter : { ...filter, q };
}

/** A value as the grammar wants it. */
export function quoted(value: string): string {
  return /[\s"]/u.test(value) ? `"${value.replaceAll(/["\\]/gu, '\\$&')}"` : value;
}
