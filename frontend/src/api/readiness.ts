/** What will cost jobs one day, though everything works today: the process tells it beside its readiness. */
import { queryOptions } from '@tanstack/react-query';
import { apiFetch, apiUrl } from './client';
import type { Readiness } from './types';

const EVERY_MINUTE = 60_000;

export const warningsQuery = queryOptions({
  queryKey: ['warnings'],
  queryFn: async ({ signal }) => {
    // By its address below /api: that is what a proxy passes on. It answers 503 with the same body when a part is away.
    const response = await apiFetch(new Request(apiUrl('/api/readyz'), { signal }));
    const { warnings } = (await response.json()) as Partial<Readiness>;
    return warnings ?? [];
  },
  refetchInterval: EVERY_MINUTE,
  retry: false,
});
