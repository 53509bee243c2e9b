import { screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { expect, test } from 'vitest';
import { completed, id, job, problem } from '../testing/jobs';
import { open } from '../testing/render';
import { api, server } from '../testing/server';
import { startSpiral } from '../testing/spiral';

test('a job that waits can be cancelled', async () => {
  const spiral = startSpiral();
  spiral.jobs = [job(1, { state: 'queued' })];
  server.use(
    api.post('/api/v1/jobs/{id}/cancel', ({ params, response }) => {
      expect(params.id).toBe(id(1));
      return response(200).json(job(1, { state: 'cancelled' }));
    }),
  );
  open(`/jobs/${id(1)}`);
  await userEvent.setup().click(await screen.findByRole('button', { name: 'Cancel this job' }));
  expect(await screen.findByText('cancelled')).toBeVisible();
  expect(screen.queryByRole('button', { name: /cancel/i })).toBeNull();
});

test('a job that could not be cancelled says why, and can be tried again', async () => {
  const spiral = startSpiral();
  spiral.jobs = [job(1, { state: 'running' })];
  server.use(
    api.post('/api/v1/jobs/{id}/cancel', ({ response }) =>
      response(503).json(problem(503, { detail: 'The queue cannot be reached at the moment.' })),
    ),
  );
  open(`/jobs/${id(1)}`);
  await userEvent.setup().click(await screen.findByRole('button', { name: 'Cancel this job' }));
  expect(await screen.findByRole('alert')).toHaveTextContent('The queue cannot be reached at the moment.');
  expect(screen.getByRole('button', { name: 'Cancel this job' })).toBeVisible();
});

test('a job that has ended cannot be cancelled', async () => {
  const spiral = startSpiral();
  spiral.jobs = [completed(1, '1')];
  open(`/jobs/${id(1)}`);
  expect(await screen.findByText('completed')).toBeVisible();
  expect(screen.queryByRole('button', { name: /cancel/i })).toBeNull();
});
