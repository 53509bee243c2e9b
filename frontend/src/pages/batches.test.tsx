import { screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { expect, test } from 'vitest';
import type { Batch } from '../api/types';
import { batch } from '../testing/batches';
import { AT, id, problem } from '../testing/jobs';
import { open } from '../testing/render';
import { api, server } from '../testing/server';
import { startSpiral } from '../testing/spiral';

function withBatch(first: Batch) {
  startSpiral();
  const state = { batch: first };
  server.use(
    api.get('/api/v1/batches', ({ response }) => response(200).json({ batches: [state.batch], next_cursor: null })),
    api.get('/api/v1/batches/{id}', ({ params, response }) =>
      params.id === state.batch.id ? response(200).json(state.batch) : response(404).json(problem(404)),
    ),
  );
  return state;
}

test('the list tells how each stands', async () => {
  withBatch(batch(1, { completed: 700, dead: 2, queued: 298 }));
  open('/batches');
  expect(await screen.findByRole('link', { name: '1,000 jobs' })).toHaveAttribute('href', `/batches/${id(1)}`);
  expect(screen.getByRole('progressbar')).toHaveAttribute('aria-valuetext', '702 of 1,000 finished');
  expect(screen.getByText('dead').parentElement).toHaveTextContent('dead2');
});

test('one goes on before the eyes until it has finished', async () => {
  const state = withBatch(batch(2, { completed: 1, running: 1, queued: 8 }));
  open(`/batches/${id(2)}`);
  expect(await screen.findByRole('heading', { name: '1 of 10 finished' })).toBeVisible();
  expect(screen.getByRole('link', { name: '1 running' })).toHaveAttribute('href', `/jobs?q=state%3Arunning+batch%3A${id(2)}`);
  state.batch = batch(2, { completed: 10 }, { finished_at: AT, on_finish: { function: 'report', job_id: id(3) } });
  expect(await screen.findByRole('heading', { name: 'Finished' })).toBeVisible();
  expect(screen.getByRole('link', { name: 'report' })).toHaveAttribute('href', `/jobs/${id(3)}`);
  expect(screen.queryByRole('button', { name: /cancel/iu })).toBeNull();
});

test('it is cancelled after a question that names the count', async () => {
  const state = withBatch(batch(4, { completed: 6, queued: 4 }));
  server.use(
    api.post('/api/v1/batches/{id}/cancel', ({ response }) => {
      state.batch = batch(4, { completed: 6, cancelled: 4 }, { finished_at: AT });
      return response(200).json(state.batch);
    }),
  );
  open(`/batches/${id(4)}`);
  const user = userEvent.setup();
  await user.click(await screen.findByRole('button', { name: 'Cancel batch' }));
  const dialog = within(screen.getByRole('dialog', { name: 'Cancel 4 jobs?' }));
  await user.click(dialog.getByRole('button', { name: 'Cancel batch' }));
  expect(await screen.findByRole('heading', { name: 'Finished' })).toBeVisible();
  expect(screen.getByRole('main')).toHaveFocus();
  expect(screen.getByText('cancelled').parentElement).toHaveTextContent('cancelled4');
});

test('one that does not exist says so', async () => {
  withBatch(batch(5, {}));
  open(`/batches/${id(6)}`);
  expect(await screen.findByText('There is no batch with this id')).toBeVisible();
});
