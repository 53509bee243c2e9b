/** Reads the data of a `job` event. */
import { parseAnswer } from '../exact-json';
import type { JobPatch, JobState } from './types';

const STATES: ReadonlySet<unknown> = new Set<JobState>([
  'scheduled',
  'queued',
  'running',
  'retrying',
  'completed',
  'dead',
  'cancelled',
]);

/** The patch, or null when it is none: the stream must survive a server that is newer than the page. */
export function parseJobPatch(text: string): JobPatch | null {
  let data: unknown;
  try {
    data = parseAnswer(text);
  } catch {
    return null;
  }
  if (typeof data !== 'object' || data === null) return null;
  const { id, state } = data as { id?: unknown; state?: unknown };
  return typeof id === 'string' && STATES.has(state) ? (data as JobPatch) : null;
}
