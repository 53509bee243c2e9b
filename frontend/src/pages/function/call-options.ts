/** How a call may be run beside its input, as fields of a form. The server has the last word on their limits. */
import type { FunctionInfo } from '../../api/types';
import { BARE_FIELD, type Field } from '../input-form/fields';

const YEAR_SECONDS = 31_536_000;

export function optionFields(called: FunctionInfo, queues: readonly string[]): readonly Field[] {
  return [
    {
      ...BARE_FIELD,
      name: 'delay_seconds',
      kind: 'integer',
      description: 'Not before this many seconds from now.',
      preset: 0,
      minimum: 0,
      maximum: YEAR_SECONDS,
    },
    { ...BARE_FIELD, name: 'run_at', kind: 'time', description: 'Not before this time, instead of delay_seconds.' },
    {
      ...BARE_FIELD,
      name: 'priority',
      kind: 'integer',
      description: '1 runs first, 9 last.',
      preset: 5,
      minimum: 1,
      maximum: 9,
    },
    {
      ...BARE_FIELD,
      name: 'queue',
      kind: 'choice',
      description: 'The queue to use.',
      preset: called.queue,
      choices: [...new Set([called.queue, ...queues])],
    },
    {
      ...BARE_FIELD,
      name: 'max_attempts',
      kind: 'integer',
      description: 'Maximum attempts, including the first.',
      preset: called.max_attempts,
      minimum: 1,
      maximum: 100,
    },
    {
      ...BARE_FIELD,
      name: 'timeout_seconds',
      kind: 'number',
      description: 'How long one attempt may take.',
      preset: called.timeout_seconds,
      minimum: 0.1,
      maximum: 86_400,
    },
    {
      ...BARE_FIELD,
      name: 'unique_key',
      kind: 'text',
      description: 'While a job of this function holds the key, that job is returned and no new one is created.',
      maxLength: 255,
    },
    {
      ...BARE_FIELD,
      name: 'unique_for_seconds',
      kind: 'integer',
      description: 'How long the job holds its unique_key. Empty: until it finishes.',
      minimum: 1,
      maximum: YEAR_SECONDS,
    },
    {
      ...BARE_FIELD,
      name: 'fairness_key',
      kind: 'text',
      description: 'Keys take turns in the queue; jobs with the same key share one turn.',
      maxLength: 128,
    },
    {
      ...BARE_FIELD,
      name: 'tags',
      kind: 'words',
      description: 'Tags to find the job by, separated by spaces.',
    },
  ];
}
