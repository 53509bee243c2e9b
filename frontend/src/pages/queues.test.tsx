import { screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { expect, test } from 'vitest';
import { problem } from '../testing/jobs';
import { queue } from '../testing/queues';
import { open } from '../testing/render';
import { api, server } from '../testing/server';
import { startSpiral } from '../testing/spiral';

test('a paused queue says what waits, and is resumed', async () => {
  const spiral = startSpiral();
  spiral.queues = [queue('default'), queue('mail', { paused: true, queued: 1204 })];
  server.use(
    api.post('/api/v1/queues/{name}/resume', ({ params, response }) => {
      spiral.queues = spiral.queues.map((each) => (each.name === params.name ? { ...each, paused: false } : each));
      return response(200).json(queue(params.name, { queued: 1204 }));
    }),
  );
  open('/queues');
  const card = within(await screen.findByRole('listitem', { name: 'Queue mail' }));
  expect(card.getByText('Paused, and 1,204 jobs wait. Resume it to let them run.')).toBeVisible();
  const user = userEvent.setup();
  await user.click(card.getByRole('button', { name: 'Resume the queue mail' }));
  expect(await card.findByRole('button', { name: 'Pause the queue mail' })).toBeVisible();
  expect(card.getByText('Active')).toBeVisible();
});

test('a queue that could not be paused says why', async () => {
  startSpiral();
  server.use(
    api.post('/api/v1/queues/{name}/pause', ({ response }) =>
      response(503).json(problem(503, { detail: 'The queue cannot be reached at the moment.' })),
    ),
  );
  open('/queues');
  await userEvent.setup().click(await screen.findByRole('button', { name: 'Pause the queue default' }));
  expect(await screen.findByRole('alert')).toHaveTextContent('It was not paused: The queue cannot be reached');
});

test('limits are set and taken away', async () => {
  const spiral = startSpiral();
  spiral.queues = [queue('mail', { concurrency: 4 })];
  const bodies: unknown[] = [];
  server.use(
    api.patch('/api/v1/queues/{name}', async ({ request, response }) => {
      bodies.push(await request.json());
      return response(200).json(queue('mail', { rate: { jobs: 10, period_seconds: 60, burst: 10 } }));
    }),
  );
  open('/queues');
  const user = userEvent.setup();
  await user.click(await screen.findByRole('button', { name: 'Change the limits of the queue mail' }));
  await user.clear(screen.getByLabelText('concurrency'));
  await user.type(screen.getByLabelText('backlog_limit'), '500');
  await user.type(screen.getByLabelText('jobs'), '10{Enter}');
  expect(screen.getByLabelText('period_seconds')).toHaveAccessibleDescription(
    expect.stringContaining('Required for a rate.'),
  );
  await waitFor(() => {
    expect(screen.getByLabelText('period_seconds')).toHaveFocus();
  });
  expect(bodies).toEqual([]);
  await user.type(screen.getByLabelText('period_seconds'), '60{Enter}');
  await waitFor(() => {
    expect(screen.queryByLabelText('concurrency')).toBeNull();
  });
  expect(bodies).toEqual([{ concurrency: null, backlog_limit: 500, rate: { jobs: 10, period_seconds: 60 } }]);
  expect(screen.getByText(/At most 10 jobs in a minute/u)).toBeVisible();
});

test('queues that cannot be read say so', async () => {
  startSpiral();
  server.use(api.get('/api/v1/queues', ({ response }) => response(503).json(problem(503, { detail: 'Away.' }))));
  open('/queues');
  expect(await screen.findByRole('alert')).toHaveTextContent('Away.');
});
