/** Queues: how full they are and what they allow. No event tells a depth, so a page that shows it asks again and again. */
import { queryOptions, type QueryClient } from '@tanstack/react-query';
import { client, unwrap } from './client';
import type { Queue, QueueLimits } from './types';

const AGAIN_MS = 2000;

export const queuesQuery = queryOptions({
  queryKey: ['queues'],
  queryFn: async ({ signal }) => unwrap(await client.GET('/api/v1/queues', { signal })).queues,
});

/** The same, kept fresh while somebody looks. */
export const liveQueuesQuery = queryOptions({ ...queuesQuery, refetchInterval: AGAIN_MS });

export async function setQueuePaused(name: string, paused: boolean): Promise<Queue> {
  const params = { path: { name } };
  return unwrap(
    paused
      ? await client.POST('/api/v1/queues/{name}/pause', { params })
      : await client.POST('/api/v1/queues/{name}/resume', { params }),
  );
}

export async function setQueueLimits(name: string, limits: QueueLimits): Promise<Queue> {
  return unwrap(await client.PATCH('/api/v1/queues/{name}', { params: { path: { name } }, body: limits }));
}

/** What a change answered takes its place among the others at once. */
export async function putQueue(queryClient: QueryClient, queue: Queue): Promise<void> {
  // An answer that is on its way is from before the change.
  await queryClient.cancelQueries({ queryKey: queuesQuery.queryKey });
  queryClient.setQueryData(queuesQuery.queryKey, (queues) =>
    queues?.map((known) => (known.name === queue.name ? queue : known)),
  );
}
