/** Overviews and numbers over time to test with: say only what matters. */
import type { Overview, QueueOverview, StatPoint, Stats } from '../api/types';
import { AT } from './jobs';

export const NO_JOBS = { scheduled: 0, queued: 0, running: 0, retrying: 0, completed: 0, dead: 0, cancelled: 0 };

export function overview(changes: Partial<Overview> = {}): Overview {
  return { at: AT, counts: NO_JOBS, queues: [], workers: 1, troubles: [], ...changes };
}

export function queueOverview(name: string, changes: Partial<QueueOverview> = {}): QueueOverview {
  return { name, paused: false, counts: NO_JOBS, workers: 1, ended_per_minute: 0, oldest_waiting: null, ...changes };
}

export function point(changes: Partial<StatPoint> = {}): StatPoint {
  return { at: AT, enqueued: 0, completed: 0, failed: 0, dead: 0, wait: null, run: null, ...changes };
}

/** The first point is also the total: enough for one. */
export function stats(points: StatPoint[]): Stats {
  return { from: AT, to: AT, step_seconds: 60, total: points[0] ?? point(), points };
}
