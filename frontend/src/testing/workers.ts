/** Workers and failures to test with: say only what matters. */
import type { Failure, Worker } from '../api/types';
import { AT, id } from './jobs';

export function worker(name: string, changes: Partial<Worker> = {}): Worker {
  return {
    name,
    alive: true,
    version: '1.2.3',
    pid: 7,
    started_at: AT,
    heartbeat_at: AT,
    concurrency: 10,
    held: 0,
    queues: ['default'],
    cpu_percent: 3,
    memory_bytes: 20 * 1024 * 1024,
    ...changes,
  };
}

export function failure(fingerprint: string, changes: Partial<Failure> = {}): Failure {
  return {
    fingerprint,
    function: 'http_request',
    queue: 'default',
    kind: 'error',
    message: 'timed out after <number> s',
    jobs: 12,
    retrying: 0,
    first_seen_at: AT,
    last_seen_at: AT,
    example_job_id: id(1),
    ...changes,
  };
}
