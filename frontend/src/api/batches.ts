/** Batches: a list of them, one of them, calling one off. */
import { infiniteQueryOptions, queryOptions, type QueryClient } from '@tanstack/react-query';
import { client, unwrap } from './client';
import type { Batch, BatchCounts } from './types';

/** How often one that goes on is read again: its jobs' events do not say which batch they are of. */
const AGAIN_MS = 1000;

export const batchesQuery = infiniteQueryOptions({
  queryKey: ['batches', 'list'],
  queryFn: async ({ pageParam, signal }) => {
    const query = pageParam === null ? {} : { cursor: pageParam };
    return unwrap(await client.GET('/api/v1/batches', { params: { query }, signal }));
  },
  initialPageParam: null as string | null,
  getNextPageParam: (page) => page.next_cursor ?? null,
  refetchInterval: 2 * AGAIN_MS,
});

export function batchQuery(id: string) {
  return queryOptions({
    queryKey: ['batches', 'one', id],
    queryFn: async ({ signal }) => unwrap(await client.GET('/api/v1/batches/{id}', { params: { path: { id } }, signal })),
    refetchInterval: ({ state: { data } }) => (data?.finished_at == null ? AGAIN_MS : false),
  });
}

export async function cancelBatch(id: string): Promise<Batch> {
  return unwrap(await client.POST('/api/v1/batches/{id}/cancel', { params: { path: { id } } }));
}

export async function putBatch(queryClient: QueryClient, batch: Batch): Promise<void> {
  const { queryKey } = batchQuery(batch.id);
  await queryClient.cancelQueries({ queryKey });
  queryClient.setQueryData(queryKey, batch);
}

export function unfinishedOf(counts: BatchCounts): number {
  return counts.scheduled + counts.queued + counts.running + counts.retrying;
}
