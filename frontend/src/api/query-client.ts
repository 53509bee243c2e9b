/** The one QueryClient: the only place where server state lives. */
import { QueryClient } from '@tanstack/react-query';
import { asApiError } from './problem';

export function createQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        // The stream keeps what is cached up to date; reconnecting reads it again.
        staleTime: 60_000,
        refetchOnWindowFocus: false,
        // "Offline" says nothing about a Spiral on this machine.
        networkMode: 'always',
        retry: (failures, error) => failures < 2 && asApiError(error).temporary,
        retryDelay: (failures) => Math.min(1000 * 2 ** failures, 8000),
      },
      mutations: { networkMode: 'always' },
    },
  });
}
