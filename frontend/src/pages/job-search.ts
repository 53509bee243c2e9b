/** What the address of the jobs page may carry: its filters. Anything else in it is ignored. */
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

export function parseJobSearch(search: Record<string, unknown>): JobFilter {
  const state = JOB_STATES.find((known) => known === search.state);
  return {
    ...(state === undefined ? {} : { state }),
    ...text(search, 'q'),
    ...text(search, 'function'),
    ...text(search, 'queue'),
    ...text(search, 'schedule'),
    ...text(search, 'batch'),
  };
}

function text(search: Record<string, unknown>, name: Exclude<keyof JobFilter, 'state'>): Partial<JobFilter> {
  const value = search[name];
  // The router reads `q=90` as a number.
  if (typeof value === 'number') return { [name]: String(value) };
  return typeof value === 'string' && value !== '' ? { [name]: value } : {};
}

/** The same filter as one search, for an action on all jobs that it finds. */
export function searchText({ q, state, function: name, queue, schedule, batch }: JobFilter): string {
  const terms = { state, function: name, queue, schedule, batch };
  const written = Object.entries(terms).flatMap(([key, value]) => (value === undefined ? [] : [`${key}:${quoted(value)}`]));
  return [...(q === undefined ? [] : [q]), ...written].join(' ');
}

/** A value as the grammar wants it. */
export function quoted(value: string): string {
  return /[\s"]/u.test(value) ? `"${value.replaceAll(/["\\]/gu, '\\$&')}"` : value;
}
