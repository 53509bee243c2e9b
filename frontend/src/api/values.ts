/** The two lists of the Fibonacci demo: indices seen (from SQL) and values calculated (from the Redis hash). */
import { queryOptions } from '@tanstack/react-query';
import { client, unwrap } from './client';

export const indicesQuery = queryOptions({
  queryKey: ['values', 'all'],
  queryFn: async ({ signal }) => unwrap(await client.GET('/api/values/all', { signal })).indices,
});

export const valuesQuery = queryOptions({
  queryKey: ['values', 'current'],
  queryFn: async ({ signal }) => unwrap(await client.GET('/api/values/current', { signal })),
});
