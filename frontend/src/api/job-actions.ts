/** Actions on all jobs that a search finds: counting them first, beginning, following, stopping. They run on the server. */
import { queryOptions, type QueryClient } from '@tanstack/react-query';
import { client, unwrap } from './client';
import { unreachable } from './problem';
import type { BulkAction, JobAction, JobCount } from './types';

/** How often one that is under way is read again. */
const AGAIN_MS = 700;
/** How soon one is seen that somebody else has begun. */
const LOOK_MS = 10_000;

export const jobActionsQuery = queryOptions({
  queryKey: ['job-actions'],
  queryFn: async ({ signal }) =>
    unwrap(await client.GET('/api/v1/jobs/actions', { params: { query: { limit: 20 } }, signal })).actions,
  refetchInterval: ({ state: { data } }) => (data?.some(({ state }) => state === 'running') === true ? AGAIN_MS : LOOK_MS),
  staleTime: 0,
});

export function jobCountQuery(action: BulkAction, filter: string) {
  return queryOptions({
    queryKey: ['job-count', action, filter],
    queryFn: async ({ signal }): Promise<JobCount> => {
      const body = { action, filter, dry_run: true };
      const answer = unwrap(await client.POST('/api/v1/jobs/actions', { body, signal }));
      if (!('exact' in answer)) throw unreachable();
      return answer;
    },
    // What is confirmed is counted anew each time.
    staleTime: 0,
    gcTime: 0,
  });
}

/** To all jobs of a search, or to those that somebody has picked. */
export async function beginJobAction(
  action: BulkAction,
  jobs: { readonly filter: string } | { readonly ids: string[] },
): Promise<JobAction> {
  // Who confirms an action on an empty search has read how many jobs it is about.
  const all = 'filter' in jobs && jobs.filter.trim() === '' ? { all: true } : {};
  const answer = unwrap(await client.POST('/api/v1/jobs/actions', { body: { action, ...jobs, ...all } }));
  if (!('id' in answer)) throw unreachable();
  return answer;
}

export async function stopJobAction(id: string): Promise<JobAction> {
  return unwrap(await client.DELETE('/api/v1/jobs/actions/{id}', { params: { path: { id } } }));
}

/** What was answered takes its place among the others at once. */
export async function putJobAction(queryClient: QueryClient, action: JobAction): Promise<void> {
  const { queryKey } = jobActionsQuery;
  // An answer that is on its way is from before the change.
  await queryClient.cancelQueries({ queryKey });
  queryClient.setQueryData(queryKey, (actions) => [action, ...(actions ?? []).filter(({ id }) => id !== action.id)]);
}
