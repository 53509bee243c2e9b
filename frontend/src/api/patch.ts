/** How patches from the event stream change jobs and lists of jobs. Pure: no cache, no network, no clock. */
import type { InfiniteData } from '@tanstack/react-query';
import { reachedAt } from './base-path';
import type { Job, JobPage, JobPatch, JobState } from './types';

/** A list grows live up to here; past it the oldest rows go and the list is read again when there is time. */
export const LIST_LIMIT = 200;

export interface JobFilter {
  /** A search, which only the server understands. It has the terms in it that stand beside it here. */
  readonly q?: string | undefined;
  readonly state?: JobState | undefined;
  readonly function?: string | undefined;
  readonly queue?: string | undefined;
  readonly schedule?: string | undefined;
  readonly batch?: string | undefined;
}

export type JobPages = InfiniteData<JobPage, string | null>;

export function isFinal(state: JobState): boolean {
  return state === 'completed' || state === 'dead' || state === 'cancelled';
}

/** As far as can be said here: a search is none of it. */
export function matches(job: Job, filter: JobFilter): boolean {
  return (
    (filter.state === undefined || job.state === filter.state) &&
    (filter.function === undefined || job.function === filter.function) &&
    (filter.queue === undefined || job.queue === filter.queue) &&
    (filter.schedule === undefined || job.schedule_id === filter.schedule) &&
    (filter.batch === undefined || job.batch_id === filter.batch)
  );
}

/** What a job has not, once it is retried. */
const NOTHING_YET = {
  started_at: null,
  finished_at: null,
  run_at: null,
  progress: null,
  output: null,
  output_size: null,
  output_length: null,
  output_preview: null,
  result_url: null,
} satisfies Partial<Job>;

/** What a patch says about the job itself. */
function changesOf(patch: JobPatch): Partial<Job> {
  const { at: _at, worker: _worker, log_lines: _lines, run_again: again, ...said } = patch;
  const { attempt, max_attempts, priority, function: name, ...changes } = said;
  return {
    ...(again === true ? NOTHING_YET : {}),
    ...changes,
    ...(priority == null ? {} : { priority }),
    ...(attempt == null ? {} : { attempt }),
    ...(max_attempts == null ? {} : { max_attempts }),
    ...(name == null ? {} : { function: name }),
    ...(patch.state === 'completed' ? { result_url: reachedAt(`/api/v1/jobs/${patch.id}/result`) } : {}),
  };
}

/** A job leaves a final state only to be retried; whatever else comes after it is old news. */
export function patchJob(job: Job, patch: JobPatch): Job {
  if (isFinal(job.state) && patch.run_again !== true) return job;
  const next: Job = { ...job, ...changesOf(patch) };
  // An error belongs to the attempt that failed; it is gone when a later one succeeds.
  return next.state === 'completed' ? { ...next, error: null } : next;
}

/** The whole job of a patch that announces one; null when the patch does not carry enough and the job must be read. */
export function jobOf(patch: JobPatch): Job | null {
  if (patch.input === undefined || patch.function == null) return null;
  const empty: Job = {
    id: patch.id,
    function: patch.function,
    queue: patch.queue,
    state: patch.state,
    input: patch.input,
    attempt: 0,
    max_attempts: 0,
    priority: 0,
    fairness_key: null,
    tags: [],
    progress: null,
    run_at: null,
    created_at: patch.at,
    started_at: null,
    finished_at: null,
    error: null,
    output: null,
    output_size: null,
    output_length: null,
    output_preview: null,
    result_url: null,
    schedule_id: null,
  };
  return { ...empty, ...changesOf(patch) };
}

/** Two patches of one job, in the order of the stream, as one. */
export function mergePatches(earlier: JobPatch, later: JobPatch): JobPatch {
  if (later.run_again === true) return later;
  return isFinal(earlier.state) ? earlier : { ...earlier, ...later };
}

export function patchPage(page: JobPage, patches: ReadonlyMap<string, JobPatch>): JobPage {
  const jobs = page.jobs.map((job) => {
    const patch = patches.get(job.id);
    return patch === undefined ? job : patchJob(job, patch);
  });
  return jobs.some((job, row) => job !== page.jobs[row]) ? { ...page, jobs } : page;
}

export interface ListChange {
  readonly pages: JobPages;
  /** Jobs that belong in this list but must be read first. */
  readonly missing: readonly string[];
  /** What belongs in the list is no longer known: rows were dropped, or a job changed that its search may find. */
  readonly cut: boolean;
}

/** Applies patches to one cached list, newest first: changes rows, takes out what no longer fits the filter, puts in what is new. */
export function patchList(pages: JobPages, filter: JobFilter, patches: ReadonlyMap<string, JobPatch>): ListChange {
  const known = new Set(pages.pages.flatMap((page) => page.jobs.map((job) => job.id)));
  const patched = pages.pages.map((page) => {
    const next = patchPage(page, patches);
    return next === page ? page : { ...next, jobs: next.jobs.filter((job) => matches(job, filter)) };
  });

  if (filter.q !== undefined) {
    const changed = patched.some((page, i) => page !== pages.pages[i]);
    return { pages: changed ? { ...pages, pages: patched } : pages, missing: [], cut: patches.size > 0 };
  }

  const oldest = pages.pages.at(-1);
  const oldestId = oldest?.next_cursor ? (oldest.jobs.at(-1)?.id ?? '') : '';
  const fresh: Job[] = [];
  const missing: string[] = [];
  for (const patch of patches.values()) {
    // Ids are ordered by time: a smaller one belongs to a page that is not loaded.
    if (known.has(patch.id) || patch.id < oldestId) continue;
    if (filter.state !== undefined && patch.state !== filter.state) continue;
    // The stream does not say what made a job.
    const job = filter.schedule === undefined && filter.batch === undefined ? jobOf(patch) : null;
    if (job === null) missing.push(patch.id);
    else if (matches(job, filter)) fresh.push(job);
  }

  const changed = fresh.length > 0 || patched.some((page, i) => page !== pages.pages[i]);
  if (!changed) return { pages, missing, cut: false };
  const result = insertJobs({ ...pages, pages: patched }, fresh);
  return { ...trim(result), missing };
}

/** Puts jobs into the first page, newest first; one that is there already is left as it is. */
export function insertJobs(pages: JobPages, jobs: readonly Job[]): JobPages {
  const [first, ...rest] = pages.pages;
  if (first === undefined || jobs.length === 0) return pages;
  const known = new Set(pages.pages.flatMap((page) => page.jobs.map((job) => job.id)));
  const added = jobs.filter((job) => !known.has(job.id));
  if (added.length === 0) return pages;
  const merged = [...added, ...first.jobs].sort((a, b) => (a.id < b.id ? 1 : -1));
  return { ...pages, pages: [{ ...first, jobs: merged }, ...rest] };
}

function trim(pages: JobPages): { pages: JobPages; cut: boolean } {
  const [first] = pages.pages;
  if (first === undefined || first.jobs.length <= LIST_LIMIT) return { pages, cut: false };
  const kept: JobPage = { ...first, jobs: first.jobs.slice(0, LIST_LIMIT) };
  return { pages: { pages: [kept], pageParams: pages.pageParams.slice(0, 1) }, cut: true };
}
