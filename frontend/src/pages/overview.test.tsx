import { screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { expect, test } from 'vitest';
import { AT, id, problem } from '../testing/jobs';
import { NO_JOBS, overview, point, queueOverview, stats } from '../testing/overview';
import { open } from '../testing/render';
import { api, server } from '../testing/server';
import { startSpiral } from '../testing/spiral';

test('it says what is wrong, how many jobs there are and who waits', async () => {
  startSpiral();
  server.use(
    api.get('/api/v1/overview', ({ response }) =>
      response(200).json(
        overview({
          counts: { ...NO_JOBS, queued: 1204, dead: 12 },
          workers: null,
          troubles: [{ kind: 'queue_paused', queue: 'mail', message: 'Queue mail is paused, and 1,204 jobs wait in it.' }],
          queues: [queueOverview('mail', { paused: true, oldest_waiting: { id: id(7), function: 'echo', since: AT } })],
        }),
      ),
    ),
    api.get('/api/v1/stats', ({ response }) => response(200).json(stats([point({ enqueued: 5, completed: 3, failed: 2, dead: 1 })]))),
  );
  open('/overview');
  const wrong = within(await screen.findByRole('region', { name: 'Problems' }));
  expect(wrong.getByText(/Queue mail is paused/u)).toBeVisible();
  const counts = within(screen.getByRole('list', { name: 'Jobs by state' }));
  expect(counts.getByRole('link', { name: /dead.*12/u })).toHaveAttribute('href', '/jobs?q=state%3Adead');
  expect(counts.getByText('Unknown')).toBeVisible();
  expect(screen.getByRole('row', { name: /mail \(paused\)/u })).toBeVisible();
  expect(screen.getByRole('link', { name: /echo, since/u })).toHaveAttribute('href', `/jobs/${id(7)}`);
  expect(await screen.findByText('2 attempts failed, 1 jobs failed for good.')).toBeVisible();
  await userEvent.setup().click(screen.getByText('Show as a table'));
  const table = within(screen.getByRole('region', { name: 'Numbers over time' }));
  expect(table.getAllByRole('row')).toHaveLength(2);
});

test('the range is in the address, and asks for as much', async () => {
  startSpiral();
  const hours: number[] = [];
  server.use(
    api.get('/api/v1/stats', ({ request, response }) => {
      const from = new URL(request.url).searchParams.get('from') ?? '';
      hours.push(Math.round((Date.now() - Date.parse(from)) / 3_600_000));
      return response(200).json(stats([point()]));
    }),
  );
  const { router } = open('/overview?range=1d');
  expect(await screen.findByText('No problems.')).toBeVisible();
  await waitFor(() => {
    expect(hours).toEqual([24]);
  });
  await userEvent.setup().click(screen.getByRole('link', { name: 'Week' }));
  await waitFor(() => {
    expect(hours).toEqual([24, 168]);
  });
  expect(router.state.location.search).toEqual({ range: '7d' });
  expect(screen.getByRole('link', { name: 'Week' })).toHaveAttribute('aria-current', 'page');
});

test('an overview that cannot be read says so', async () => {
  startSpiral();
  server.use(
    api.get('/api/v1/overview', ({ response }) => response(503).json(problem(503, { detail: 'The database cannot be reached.' }))),
  );
  open('/overview');
  expect(await screen.findByText(/The database cannot be reached/u)).toBeVisible();
});
