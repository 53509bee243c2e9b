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
    ...text(search, 'function'),
    ...text(search, 'schedule'),
    ...text(search, 'batch'),
  };
}

function text(search: Record<string, unknown>, name: 'function' | 'schedule' | 'batch'): Partial<JobFilter> {
  const value = search[name];
  return typeof value === 'string' && value !== '' ? { [name]: value } : {};
}
