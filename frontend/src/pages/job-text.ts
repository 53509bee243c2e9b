/** A job's input and output as text. */
import { shortenMiddle } from '../components/shorten';
import type { Job } from '../api/types';
import { ExactNumber, stringifyExact } from '../exact-json';

export function jsonText(value: unknown): string {
  return value === undefined ? '' : stringifyExact(value);
}

/** A job as one writes a call: `fibonacci(index: 90)`. */
export function callText(job: Pick<Job, 'function' | 'input'>): string {
  const input: unknown = job.input;
  if (typeof input !== 'object' || input === null || Array.isArray(input) || input instanceof ExactNumber) {
    return `${job.function}(${shortenMiddle(jsonText(input), 24).text})`;
  }
  const fields = Object.entries(input).map(([name, value]) => `${name}: ${shortenMiddle(jsonText(value), 16).text}`);
  return `${job.function}(${shortenMiddle(fields.join(', '), 40).text})`;
}

/** The output, or its preview when it is too large to be sent along; null while there is none. */
export function outputText(job: Pick<Job, 'state' | 'output' | 'output_preview'>): string | null {
  if (job.state !== 'completed') return null;
  const output: unknown = job.output;
  if (typeof output === 'string') return output;
  return job.output_preview ?? jsonText(output);
}
