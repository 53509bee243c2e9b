/** The functions that Spiral can run, and what their inputs may be. */
import { queryOptions } from '@tanstack/react-query';
import { client, unwrap } from './client';

export const functionsQuery = queryOptions({
  queryKey: ['functions'],
  queryFn: async ({ signal }) => unwrap(await client.GET('/api/v1/functions', { signal })).functions,
  staleTime: Infinity,
});
