/** Jobs and patches to test with: say only what matters. */
import type { Job, JobDetail, JobPatch, Problem } from '../api/types';

export const AT = '2026-01-02T03:04:05.000Z';

/** Ids that sort like their numbers. */
export function id(number: number): string {
  return `01JD${String(number).padStart(22, '0')}`;
}

export function job(number: number, changes: Partial<Job> = {}): Job {
  return {
    id: id(number),
    function: 'fibonacci',
    queue: 'default',
    state: 'queued',
    input: { index: number },
    attempt: 0,
    max_attempts: 3,
    priority: 5,
    fairness_key: null,
    tags: [],
    progress: null,
    run_at: null,
    created_at: AT,
    started_at: null,
    finished_at: null,
    error: null,
    output: null,
    output_size: null,
    output_length: null,
    output_preview: null,
    result_url: null,
    schedule_id: null,
    ...changes,
  };
}

export function completed(number: number, value: string, changes: Partial<Job> = {}): Job {
  return job(number, {
    state: 'completed',
    attempt: 1,
    started_at: AT,
    finished_at: '2026-01-02T03:04:05.042Z',
    output: value,
    output_size: value.length + 2,
    output_length: value.length,
    output_preview: value,
    result_url: `/api/v1/jobs/${id(number)}/result`,
    ...changes,
  });
}

export function detail(number: number, changes: Partial<JobDetail> = {}): JobDetail {
  return { ...job(number), attempts: [], history: [], waiting: null, ...changes };
}

export function patch(number: number, changes: Partial<JobPatch> = {}): JobPatch {
  return { id: id(number), queue: 'default', state: 'running', at: AT, ...changes };
}

export function queuedPatch(number: number, changes: Partial<JobPatch> = {}): JobPatch {
  return patch(number, {
    state: 'queued',
    function: 'fibonacci',
    input: { index: number },
    attempt: 0,
    max_attempts: 3,
    priority: 5,
    ...changes,
  });
}

export function problem(status: number, changes: Partial<Problem> = {}): Problem {
  return {
    type: 'urn:problem-type:spiral:test',
    title: 'Something is wrong',
    status,
    detail: 'Something is wrong.',
    instance: '/api',
    code: 'test',
    request_id: '01REQUEST',
    errors: [],
    ...changes,
  };
}
