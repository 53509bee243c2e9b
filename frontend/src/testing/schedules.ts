/** Schedules to test with: say only what matters. */
import type { Schedule } from '../api/types';
import { AT, id } from './jobs';

export function schedule(number: number, changes: Partial<Schedule> = {}): Schedule {
  return {
    id: id(number),
    name: `schedule ${number}`,
    cron: '0 8 * * *',
    time_zone: 'UTC',
    description: 'Every day at 08:00 UTC',
    function: 'fibonacci',
    input: { index: number },
    max_attempts: null,
    catch_up: 'once',
    paused: false,
    next_at: '2099-01-02T08:00:00.000Z',
    next_times: ['2099-01-02T08:00:00.000Z', '2099-01-03T08:00:00.000Z'],
    last_at: null,
    last_job_id: null,
    error: null,
    notice: null,
    created_at: AT,
    updated_at: AT,
    ...changes,
  };
}
