/** Which build answers. */
import { queryOptions } from '@tanstack/react-query';
import { apiUrl, apiFetch } from './client';
import type { Health } from './types';

export const healthQuery = queryOptions({
  queryKey: ['health'],
  queryFn: async ({ signal }) => {
    // By its address below /api: that is what a proxy passes on.
    const response = await apiFetch(new Request(apiUrl('/api/healthz'), { signal }));
    return (await response.json()) as Health;
  },
  retry: false,
});
