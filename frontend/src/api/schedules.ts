/** Schedules: reading, making, changing and deleting them. */
import { infiniteQueryOptions, queryOptions, type QueryClient } from '@tanstack/react-query';
import { client, unwrap } from './client';
import { problemOf } from './problem';
import type { Job, NewSchedule, Schedule, ScheduleChange } from './types';

const LISTS = ['schedules', 'list'] as const;
/** A due time passes without an event that would tell. */
const AGAIN_MS = 10_000;

export const schedulesQuery = infiniteQueryOptions({
  queryKey: LISTS,
  queryFn: async ({ pageParam, signal }) => {
    const query = pageParam === null ? {} : { cursor: pageParam };
    return unwrap(await client.GET('/api/v1/schedules', { params: { query }, signal }));
  },
  initialPageParam: null as string | null,
  getNextPageParam: (page) => page.next_cursor ?? null,
  refetchInterval: AGAIN_MS,
});

function scheduleKey(id: string) {
  return ['schedules', 'one', id] as const;
}

export function scheduleQuery(id: string) {
  return queryOptions({
    queryKey: scheduleKey(id),
    queryFn: async ({ signal }) =>
      unwrap(await client.GET('/api/v1/schedules/{id}', { params: { path: { id } }, signal })),
    refetchInterval: AGAIN_MS,
  });
}

/** What a cron text means; an error says what is wrong with it. */
export function previewQuery(cron: string, timeZone: string) {
  return queryOptions({
    queryKey: ['schedules', 'preview', cron, timeZone],
    queryFn: async ({ signal }) =>
      unwrap(
        await client.GET('/api/v1/schedules/preview', {
          params: { query: { cron, ...(timeZone === '' ? {} : { time_zone: timeZone }) } },
          signal,
        }),
      ),
    enabled: cron.trim() !== '',
    retry: false,
  });
}

export async function createSchedule(schedule: NewSchedule): Promise<Schedule> {
  return unwrap(await client.POST('/api/v1/schedules', { body: schedule }));
}

export async function changeSchedule(id: string, change: ScheduleChange): Promise<Schedule> {
  return unwrap(await client.PATCH('/api/v1/schedules/{id}', { params: { path: { id } }, body: change }));
}

export async function setSchedulePaused(id: string, paused: boolean): Promise<Schedule> {
  const params = { path: { id } };
  return unwrap(
    paused
      ? await client.POST('/api/v1/schedules/{id}/pause', { params })
      : await client.POST('/api/v1/schedules/{id}/resume', { params }),
  );
}

export async function runSchedule(id: string): Promise<Job> {
  return unwrap(await client.POST('/api/v1/schedules/{id}/run', { params: { path: { id } } }));
}

/** One that is gone already is as good as deleted. */
export async function deleteSchedule(id: string): Promise<void> {
  const { response, error } = await client.DELETE('/api/v1/schedules/{id}', { params: { path: { id } } });
  if (!response.ok && response.status !== 404) throw problemOf(response.status, error);
}

/** What a change answered is shown at once; the list is read again, because names order it. */
export async function putSchedule(queryClient: QueryClient, schedule: Schedule): Promise<void> {
  await queryClient.cancelQueries({ queryKey: scheduleKey(schedule.id) });
  queryClient.setQueryData(scheduleKey(schedule.id), schedule);
  await queryClient.invalidateQueries({ queryKey: LISTS });
}

export async function dropSchedule(queryClient: QueryClient, id: string): Promise<void> {
  queryClient.removeQueries({ queryKey: scheduleKey(id) });
  await queryClient.invalidateQueries({ queryKey: LISTS });
}
