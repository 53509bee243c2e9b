/** Workers: what each says of itself a few times a minute, and what it runs. */
import { queryOptions } from '@tanstack/react-query';
import { client, unwrap } from './client';

const AGAIN_MS = 2000;

export const workersQuery = queryOptions({
  queryKey: ['workers'],
  queryFn: async ({ signal }) => unwrap(await client.GET('/api/v1/workers', { signal })).workers,
  refetchInterval: AGAIN_MS,
});

/** The first few jobs that a worker runs. Short ones are over before anybody hears of them. */
export function jobsOfWorkerQuery(worker: string, limit: number) {
  return queryOptions({
    queryKey: ['workers', worker, limit],
    queryFn: async ({ signal }) => {
      const query = { worker, state: 'running', limit };
      return unwrap(await client.GET('/api/v1/jobs', { params: { query }, signal })).jobs;
    },
    refetchInterval: AGAIN_MS,
  });
}
