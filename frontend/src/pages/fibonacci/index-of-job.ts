/** The index that a Fibonacci job was asked for. */
import type { Job } from '../../api/types';

export function indexOfJob(job: Pick<Job, 'input'>): number | null {
  const input: unknown = job.input;
  const index = typeof input === 'object' && input !== null ? (input as { index?: unknown }).index : undefined;
  return typeof index === 'number' ? index : null;
}
