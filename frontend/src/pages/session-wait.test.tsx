import { screen, waitFor } from '@testing-library/react';
import { HttpResponse, http } from 'msw';
import { expect, test } from 'vitest';
import { problem } from '../testing/jobs';
import { open } from '../testing/render';
import { api, server } from '../testing/server';
import { NOBODY } from '../testing/sessions';
import { startSpiral } from '../testing/spiral';

/** The paths that are asked for from now on. */
function asked(): string[] {
  const paths: string[] = [];
  server.events.on('request:start', ({ request }) => paths.push(new URL(request.url).pathname));
  return paths;
}

test.each(['/', '/jobs', '/overview', '/queues', '/functions', '/audit', '/jobs/01JD3Y8M5Q2W7E9R4T6Y1P0A2S'])(
  'nothing but the session is asked for on %s until it is known who looks',
  async (address) => {
    const spiral = startSpiral();
    spiral.session = NOBODY;
    let tell: () => void = () => undefined;
    const told = new Promise<void>((resolve) => {
      tell = resolve;
    });
    server.use(
      api.get('/api/v1/session', async ({ response }) => {
        await told;
        return response(200).json(spiral.session);
      }),
    );
    const paths = asked();
    open(address);
    await screen.findByRole('status', { name: 'Loading the page' });
    await waitFor(() => {
      expect(paths).toEqual(['/api/v1/session']);
    });
    tell();
    // Who may not see it is asked who they are, and what they may not see was never asked for.
    expect(await screen.findByLabelText('Access token')).toBeVisible();
    expect(paths.filter((path) => path !== '/api/v1/session' && path !== '/api/readyz')).toEqual([]);
  },
);

test('while the API is away that is said, and the page comes when it answers', async () => {
  startSpiral();
  let away = true;
  server.use(
    http.get('*/api/v1/session', () => (away ? HttpResponse.json(problem(503, { detail: 'The API is away.' }), { status: 503 }) : undefined)),
  );
  open('/queues');
  expect(await screen.findByRole('alert')).toHaveTextContent('The API is away.');
  away = false;
  screen.getByRole('button', { name: 'Try again' }).click();
  expect(await screen.findByRole('heading', { name: 'Queues' })).toBeVisible();
});
