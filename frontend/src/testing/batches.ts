/** Batches to test with: say only what matters. */
import type { Batch, BatchCounts } from '../api/types';
import { AT, id } from './jobs';

const NONE: BatchCounts = { scheduled: 0, queued: 0, running: 0, retrying: 0, completed: 0, dead: 0, cancelled: 0 };

export function batch(number: number, counts: Partial<BatchCounts>, changes: Partial<Batch> = {}): Batch {
  const all = { ...NONE, ...counts };
  return {
    id: id(number),
    total: Object.values(all).reduce((sum, count) => sum + count, 0),
    duplicates: 0,
    counts: all,
    created_at: AT,
    finished_at: null,
    on_finish: null,
    ...changes,
  };
}
