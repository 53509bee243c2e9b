/** Actions on many jobs to test with: say only what matters. */
import type { JobAction } from '../api/types';
import { AT, id } from './jobs';

export function jobAction(number: number, changes: Partial<JobAction> = {}): JobAction {
  return {
    id: id(number),
    action: 'retry',
    filter: 'state:dead',
    state: 'running',
    total: 5000,
    total_is_exact: true,
    seen: 1500,
    changed: 1500,
    created_at: AT,
    finished_at: null,
    ...changes,
  };
}
