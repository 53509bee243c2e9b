/** What keeps jobs from their ends, grouped by what the errors have in common. */
import { queryOptions } from '@tanstack/react-query';
import { client, unwrap } from './client';

/** The groups are counted over all jobs that failed: no reason to ask more often. */
const AGAIN_MS = 5000;

export const failuresQuery = queryOptions({
  queryKey: ['failures'],
  queryFn: async ({ signal }) => unwrap(await client.GET('/api/v1/failures', { signal })).failures,
  refetchInterval: AGAIN_MS,
});
