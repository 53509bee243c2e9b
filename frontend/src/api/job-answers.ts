/** Brings what the API answered to an action on one job into everything that shows the job, ahead of the stream. */
import type { QueryClient } from '@tanstack/react-query';
import { applyPatches } from './apply';
import { JOB_LISTS, jobKey } from './jobs';
import { isFinal, type JobPages } from './patch';
import type { Job, JobDetail, JobPatch } from './types';

/** `before`: the job as it was when somebody acted. A stream that was quicker than the answer knows better. */
export function putJob(queryClient: QueryClient, before: Job, now: Job): void {
  const shown = queryClient.getQueryData<JobDetail>(jobKey(before.id));
  if (shown !== undefined && (shown.state !== before.state || shown.attempt !== before.attempt)) return;
  const patch: JobPatch = {
    id: now.id,
    queue: now.queue,
    state: now.state,
    at: new Date().toISOString(),
    input: now.input,
    function: now.function,
    attempt: now.attempt,
    max_attempts: now.max_attempts,
    run_at: now.run_at ?? null,
    ...(now.finished_at == null ? {} : { finished_at: now.finished_at }),
    ...(isFinal(before.state) && !isFinal(now.state) ? { run_again: true } : {}),
  };
  applyPatches(queryClient, [patch]);
}

/** Takes jobs that are gone out of every list. */
export function dropJobs(queryClient: QueryClient, ids: ReadonlySet<string>): void {
  for (const id of ids) queryClient.removeQueries({ queryKey: jobKey(id), type: 'inactive' });
  queryClient.setQueriesData<JobPages>({ queryKey: JOB_LISTS }, (list) =>
    list === undefined
      ? undefined
      : { ...list, pages: list.pages.map((page) => ({ ...page, jobs: page.jobs.filter(({ id }) => !ids.has(id)) })) },
  );
}
