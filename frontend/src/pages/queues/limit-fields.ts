/** The limits of a queue as fields of a form. */
import { BARE_FIELD, type Field } from '../input-form/fields';

const MOST = 1_000_000;

export const LIMIT_FIELDS: readonly Field[] = [
  {
    ...BARE_FIELD,
    name: 'concurrency',
    kind: 'integer',
    description: 'Jobs that may run at the same time.',
    minimum: 1,
    maximum: MOST,
  },
  {
    ...BARE_FIELD,
    name: 'jobs',
    kind: 'integer',
    description: 'Rate: jobs that may start in each period.',
    minimum: 1,
    maximum: MOST,
  },
  {
    ...BARE_FIELD,
    name: 'period_seconds',
    kind: 'number',
    description: 'Rate: the period.',
    minimum: 0.001,
    maximum: 86_400,
  },
  {
    ...BARE_FIELD,
    name: 'burst',
    kind: 'integer',
    description: 'Rate: burst, the jobs that may start at once after an idle time. Empty: the same as jobs.',
    minimum: 1,
    maximum: MOST,
  },
  {
    ...BARE_FIELD,
    name: 'backlog_limit',
    kind: 'integer',
    description: 'Maximum waiting jobs; further calls are refused.',
    minimum: 1,
    maximum: 1_000_000_000,
  },
];
