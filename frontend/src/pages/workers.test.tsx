import { screen, within } from '@testing-library/react';
import { expect, test } from 'vitest';
import { id, job, problem } from '../testing/jobs';
import { open } from '../testing/render';
import { api, server } from '../testing/server';
import { startSpiral } from '../testing/spiral';
import { worker } from '../testing/workers';

test('each worker with what it takes and does; one that is lost says so', async () => {
  const spiral = startSpiral();
  spiral.workers = [worker('worker-a', { held: 1, cpu_percent: 140 }), worker('worker-b', { alive: false, cpu_percent: null })];
  spiral.jobs = [job(1200, { state: 'running' })];
  const asked: URLSearchParams[] = [];
  server.use(
    api.get('/api/v1/jobs', ({ request, response }) => {
      asked.push(new URL(request.url).searchParams);
      return response(200).json({ jobs: spiral.jobs, next_cursor: null });
    }),
  );
  open('/workers');
  expect(await screen.findByText('The processes that run jobs: 1 alive, 1 lost.')).toBeVisible();
  const first = within(screen.getByRole('listitem', { name: 'Worker worker-a' }));
  expect(first.getByText('140 % of a core')).toBeVisible();
  expect(first.getByText('20 MiB')).toBeVisible();
  expect(first.getByText('1, and runs 10 at a time')).toBeVisible();
  expect(await first.findByRole('link', { name: 'fibonacci(index: 1200)' })).toHaveAttribute('href', `/jobs/${id(1200)}`);
  expect(asked[0]?.get('worker')).toBe('worker-a');
  const second = within(screen.getByRole('listitem', { name: 'Worker worker-b' }));
  expect(second.getByText('Lost')).toBeVisible();
  expect(second.getByText('Not reported')).toBeVisible();
  expect(screen.queryByRole('alert')).toBeNull();
});

test('more than is named is a link away', async () => {
  const spiral = startSpiral();
  spiral.workers = [worker('worker-c', { held: 9 })];
  open('/workers');
  const link = await screen.findByRole('link', { name: 'View all jobs' });
  const search = new URL(link.getAttribute('href') ?? '', 'http://spiral').searchParams;
  expect(search.get('q')).toBe('state:running worker:worker-c');
});

test('all lost is a warning', async () => {
  const spiral = startSpiral();
  spiral.workers = [worker('worker-d', { alive: false })];
  open('/workers');
  expect(await screen.findByRole('alert')).toHaveTextContent('No worker is alive');
});

test('none at all says how to start one', async () => {
  startSpiral();
  open('/workers');
  expect(await screen.findByText('docker compose up -d worker')).toBeVisible();
});

test('an error is shown', async () => {
  startSpiral();
  server.use(api.get('/api/v1/workers', ({ response }) => response(503).json(problem(503, { detail: 'Away.' }))));
  open('/workers');
  expect(await screen.findByRole('alert')).toHaveTextContent('Away.');
});
