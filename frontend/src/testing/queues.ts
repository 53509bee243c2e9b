/** Queues to test with: say only what matters. */
import type { Queue } from '../api/types';

export function queue(name: string, changes: Partial<Queue> = {}): Queue {
  return {
    name,
    weight: 1,
    paused: false,
    concurrency: null,
    rate: null,
    backlog_limit: null,
    queued: 0,
    retrying: 0,
    scheduled: 0,
    running: 0,
    workers: 1,
    ...changes,
  };
}
