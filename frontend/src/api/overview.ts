/** How everything is, and what happened over time. No event tells it, so a page that shows it asks again and again. */
import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { client, unwrap } from './client';

const AGAIN_MS = 3000;
const STATS_AGAIN_MS = 10_000;

export const overviewQuery = queryOptions({
  queryKey: ['overview'],
  queryFn: async ({ signal }) => unwrap(await client.GET('/api/v1/overview', { signal })),
  refetchInterval: AGAIN_MS,
});

/** The last so many seconds. What was there stays until the new range is: nothing jumps. */
export function statsQuery(seconds: number) {
  return queryOptions({
    queryKey: ['stats', seconds],
    queryFn: async ({ signal }) => {
      const from = new Date(Date.now() - seconds * 1000).toISOString();
      return unwrap(await client.GET('/api/v1/stats', { signal, params: { query: { from } } }));
    },
    refetchInterval: STATS_AGAIN_MS,
    placeholderData: keepPreviousData,
  });
}
