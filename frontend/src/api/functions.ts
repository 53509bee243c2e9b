/** The functions that Spiral can run, and what their inputs may be. A deploy brings others while a page is open. */
import { queryOptions } from '@tanstack/react-query';
import { client, unwrap } from './client';

/** Replicas of both builds may answer while a deploy is under way, so reconnecting alone is not enough. */
const AGAIN_MS = 30_000;

export const functionsQuery = queryOptions({
  queryKey: ['functions'],
  queryFn: async ({ signal }) => unwrap(await client.GET('/api/v1/functions', { signal })).functions,
  staleTime: AGAIN_MS,
  refetchInterval: AGAIN_MS,
  refetchOnWindowFocus: true,
});
