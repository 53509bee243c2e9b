/** Shows a page as the application would: the real router, providers and live stream, at an address. */
import { createMemoryHistory, RouterProvider } from '@tanstack/react-router';
import { render } from '@testing-library/react';
import { createQueryClient } from '../api/query-client';
import { Providers } from '../providers';
import { createSpiralRouter } from '../router';

/** The name of every page in the router. */
export function routeNames(): string[] {
  return Object.keys(createSpiralRouter().routesById).filter((id) => id !== '__root__');
}

export function open(address: string) {
  const router = createSpiralRouter();
  router.update({ history: createMemoryHistory({ initialEntries: [address] }) });
  const queryClient = createQueryClient();
  queryClient.setDefaultOptions({ queries: { ...queryClient.getDefaultOptions().queries, retry: false } });
  return {
    router,
    queryClient,
    ...render(
      <Providers queryClient={queryClient}>
        <RouterProvider router={router} />
      </Providers>,
    ),
  };
}
