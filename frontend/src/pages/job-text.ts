/** A job's input and output as text. */
import type { Job } from '../api/types';

export function jsonText(value: unknown): string {
  return value === undefined ? '' : JSON.stringify(value);
}

/** The output, or its preview when it is too large to be sent along; null while there is none. */
export function outputText(job: Pick<Job, 'state' | 'output' | 'output_preview'>): string | null {
  if (job.state !== 'completed') return null;
  const output: unknown = job.output;
  if (typeof output === 'string') return output;
  return job.output_preview ?? jsonText(output);
}
