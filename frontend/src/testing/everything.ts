/** A Spiral with one of everything, so that each page has something that can be done. */
import type { AuditEntry } from '../api/types';
import { batch } from './batches';
import { completed, id, job } from './jobs';
import { schedule } from './schedules';
import { api, server } from './server';
import { startSpiral, type Spiral } from './spiral';
import { failure, worker } from './workers';

/** The ids of the jobs, by what can be done with them. */
export const JOBS = { ended: id(3), waits: id(2), runs: id(1) } as const;
export const BATCH = id(10);
export const SCHEDULE = id(20);

const ENTRY: AuditEntry = {
  id: '01ENTRY1',
  at: '2026-01-02T03:04:05Z',
  role: 'admin',
  address: '192.0.2.7',
  action: 'pause_queue',
  method: 'POST',
  path: '/api/v1/queues/default/pause',
  subject: 'default',
  outcome: 'done',
  status: 200,
  finished_at: '2026-01-02T03:04:05Z',
  detail: null,
  request_id: 'request-1',
};

export function startEverything(): Spiral {
  const spiral = startSpiral();
  spiral.jobs = [completed(3, '2'), job(2, { state: 'scheduled', run_at: '2099-01-01T00:00:00Z' }), job(1, { state: 'running', attempt: 1 })];
  spiral.failures = [failure('00000000000000f1', { jobs: 12, retrying: 5 })];
  spiral.workers = [worker('w-1')];
  const made = batch(10, { running: 1, dead: 1 });
  const due = schedule(20);
  server.use(
    api.get('/api/v1/batches', ({ response }) => response(200).json({ batches: [made], next_cursor: null })),
    api.get('/api/v1/batches/{id}', ({ response }) => response(200).json(made)),
    api.get('/api/v1/schedules', ({ response }) => response(200).json({ schedules: [due], next_cursor: null })),
    api.get('/api/v1/schedules/{id}', ({ response }) => response(200).json(due)),
    api.get('/api/v1/audit', ({ response }) => response(200).json({ entries: [ENTRY] })),
  );
  return spiral;
}
