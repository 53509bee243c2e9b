/** The audit log: what operators have changed. */
import { infiniteQueryOptions } from '@tanstack/react-query';
import { client, unwrap } from './client';
import type { AuditOutcome } from './types';

export interface AuditFilter {
  readonly action?: string;
  readonly outcome?: AuditOutcome;
  readonly subject?: string;
  readonly address?: string;
}

const PAGE_SIZE = 100;

export function auditQuery(filter: AuditFilter) {
  return infiniteQueryOptions({
    queryKey: ['audit', filter],
    queryFn: async ({ pageParam, signal }) => {
      const query = { ...filter, limit: PAGE_SIZE, ...(pageParam === null ? {} : { cursor: pageParam }) };
      return unwrap(await client.GET('/api/v1/audit', { params: { query }, signal }));
    },
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor ?? null,
    // Nothing tells of new entries.
    staleTime: 0,
  });
}
