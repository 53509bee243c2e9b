/** What jobs are marked with, to complete a search. */
import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { client, unwrap } from './client';

/** The tags that begin with this. */
export function tagsQuery(prefix: string) {
  return queryOptions({
    queryKey: ['tags', prefix],
    queryFn: async ({ signal }) =>
      unwrap(await client.GET('/api/v1/tags', { params: { query: prefix === '' ? {} : { prefix } }, signal })).tags,
    staleTime: 10_000,
    // What fitted so far is shown until the answer is there.
    placeholderData: keepPreviousData,
    // A help that does not come is not missed.
    retry: false,
  });
}
