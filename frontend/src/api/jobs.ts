/** Jobs: one, lists of them, and asking for a new one. */
import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query';
import { reachedAt } from './base-path';
import { apiFetch, apiUrl, client, unwrap } from './client';
import type { JobFilter } from './patch';
import { patchDetail } from './patch-detail';
import { patchLog } from './patch-log';
import { problemOf, unreachable } from './problem';
import type { Job, JobDetail, JobPage, NewJob } from './types';

export const JOB_LISTS = ['jobs', 'list'] as const;

const PAGE_SIZE = 50;

export function jobListQuery(filter: JobFilter) {
  return infiniteQueryOptions({
    queryKey: [...JOB_LISTS, filter],
    queryFn: async ({ pageParam, signal }) => {
      const query = {
        limit: PAGE_SIZE,
        ...parametersOf(filter),
        ...(pageParam === null ? {} : { cursor: pageParam }),
      };
      return patchLog.page(unwrap(await client.GET('/api/v1/jobs', { params: { query }, signal })));
    },
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor ?? null,
  });
}

/** A search says everything: what it says must not be said a second time. */
function parametersOf({ q, state, function: name, queue, schedule, batch }: JobFilter) {
  if (q !== undefined) return { q };
  return {
    ...(queue === undefined ? {} : { queue }),
    ...(state === undefined ? {} : { state }),
    ...(name === undefined ? {} : { function: name }),
    ...(schedule === undefined ? {} : { schedule }),
    ...(batch === undefined ? {} : { batch }),
  };
}

export function allJobs(data: { readonly pages: readonly JobPage[] }): Job[] {
  return data.pages.flatMap((page) => page.jobs);
}

export const JOBS_SHOWN = ['jobs', 'one'] as const;

export function jobKey(id: string) {
  return [...JOBS_SHOWN, id] as const;
}

const QUEUED_AGAIN_MS = 5000;

export function jobQuery(id: string) {
  return queryOptions({
    queryKey: jobKey(id),
    queryFn: async ({ signal }) => {
      const job = await fetchJob(id, signal);
      const patch = patchLog.of(id);
      return patch === null ? job : patchDetail(job, patch);
    },
    // No event tells that those ahead of it have gone.
    refetchInterval: ({ state }) => (state.data?.state === 'queued' ? QUEUED_AGAIN_MS : false),
  });
}

export async function fetchJob(id: string, signal?: AbortSignal): Promise<JobDetail> {
  return unwrap(
    await client.GET('/api/v1/jobs/{id}', { params: { path: { id } }, ...(signal === undefined ? {} : { signal }) }),
  );
}

export interface Call {
  readonly function: string;
  readonly input: unknown;
  /** How to run it, beside the input. */
  readonly options?: Partial<NewJob>;
  /** Makes sending twice harmless. */
  readonly idempotencyKey: string;
}

export interface Called {
  readonly job: Job;
  /** No job was made: it is an earlier one that has the unique key. */
  readonly replayed: boolean;
}

export async function callFunction(call: Call): Promise<Called> {
  const answer = await client.POST('/api/v1/functions/{name}/jobs', {
    params: { path: { name: call.function }, header: { 'Idempotency-Key': call.idempotencyKey } },
    body: { ...call.options, input: call.input },
  });
  return { job: unwrap(answer), replayed: answer.response.headers.get('Idempotent-Replayed') === 'true' };
}

/** The job as it is then, without its attempts: cancelled, or still running while its worker stops it. */
export async function cancelJob(id: string): Promise<Job> {
  return patchLog.job(unwrap(await client.POST('/api/v1/jobs/{id}/cancel', { params: { path: { id } } })));
}

/** Runs a job that has ended again, under its id. */
export async function retryJob(id: string): Promise<Job> {
  return unwrap(await client.POST('/api/v1/jobs/{id}/retry', { params: { path: { id } } }));
}

/** Lets a job that waits for its time, or for its next attempt, wait no longer. */
export async function runJobNow(id: string): Promise<Job> {
  return unwrap(await client.POST('/api/v1/jobs/{id}/run-now', { params: { path: { id } } }));
}

/** Another input for a job that waits. */
export async function editJob(id: string, input: unknown): Promise<Job> {
  return unwrap(await client.PATCH('/api/v1/jobs/{id}', { params: { path: { id } }, body: { input } }));
}

/** One that is gone already is as good as deleted. */
export async function deleteJob(id: string): Promise<void> {
  const { response, error } = await client.DELETE('/api/v1/jobs/{id}', { params: { path: { id } } });
  if (!response.ok && response.status !== 404) throw problemOf(response.status, error);
}

/** Not `crypto.randomUUID`: that is missing on plain HTTP. */
export function newIdempotencyKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

export function downloadUrl(id: string): string {
  return reachedAt(`/api/v1/jobs/${id}/result?download=1`);
}

/** Each attempt that completes has an output of its own. */
export function outputQuery({ id, attempt }: Pick<Job, 'id' | 'attempt'>) {
  return queryOptions({
    queryKey: ['output', id, attempt],
    queryFn: () => fetchOutputText(id),
    staleTime: Infinity,
  });
}

/** The whole output as text: a string bare, everything else as JSON. */
export async function fetchOutputText(id: string): Promise<string> {
  let response: Response;
  try {
    response = await apiFetch(
      new Request(apiUrl(`/api/v1/jobs/${id}/result`), { headers: { accept: 'text/plain' } }),
    );
  } catch {
    throw unreachable();
  }
  if (response.ok) return response.text();
  const body: unknown = await response.json().catch(() => null);
  throw problemOf(response.status, body);
}
