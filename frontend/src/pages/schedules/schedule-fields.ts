/** The fields of a schedule beside its function and input. */
import type { NewSchedule, Schedule } from '../../api/types';
import { BARE_FIELD, type Field } from '../input-form/fields';

/** What an empty field stands for. */
export const PRESETS = { time_zone: 'UTC', catch_up: 'once', max_attempts: null } as const;

export const NAME_FIELD: Field = {
  ...BARE_FIELD,
  name: 'name',
  kind: 'text',
  description: 'Unique among the schedules.',
  required: true,
  maxLength: 100,
};

export const WHEN_FIELDS: readonly Field[] = [
  {
    ...BARE_FIELD,
    name: 'cron',
    kind: 'text',
    description: 'Minute, hour, day of the month, month, day of the week; or @hourly, @daily, @weekly; or @every 30s.',
    required: true,
    maxLength: 256,
  },
  { ...BARE_FIELD, name: 'time_zone', kind: 'text', description: 'A zone such as Europe/Berlin.', preset: PRESETS.time_zone },
];

export const POLICY_FIELDS: readonly Field[] = [
  {
    ...BARE_FIELD,
    name: 'catch_up',
    kind: 'choice',
    description: 'Runs missed while Spiral was down: skip them, run once, or run each.',
    preset: PRESETS.catch_up,
    choices: ['skip', 'once', 'all'],
  },
  {
    ...BARE_FIELD,
    name: 'max_attempts',
    kind: 'integer',
    description: "Maximum attempts of each job. Empty: the function's default.",
    minimum: 1,
    maximum: 100,
  },
];

export type ScheduleTexts = Readonly<Record<string, string>>;

export function textsOf(schedule: Schedule): ScheduleTexts {
  return {
    name: schedule.name,
    cron: schedule.cron,
    time_zone: schedule.time_zone,
    catch_up: schedule.catch_up,
    max_attempts: schedule.max_attempts == null ? '' : String(schedule.max_attempts),
  };
}

export type ScheduleOptions = Pick<NewSchedule, 'name' | 'cron' | 'time_zone' | 'catch_up' | 'max_attempts'>;
