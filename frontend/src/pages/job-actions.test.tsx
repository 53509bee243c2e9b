import { screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { HttpResponse } from 'msw';
import { expect, test } from 'vitest';
import type { JobState } from '../api/types';
import { completed, detail, id, job, patch, problem } from '../testing/jobs';
import { open } from '../testing/render';
import { api, server } from '../testing/server';
import { startSpiral } from '../testing/spiral';

async function actions() {
  return within(await screen.findByRole('group', { name: 'Actions' }));
}

test.each<[JobState, string[]]>([
  ['scheduled', ['Run now', 'Edit input', 'Cancel job']],
  ['retrying', ['Run now', 'Edit input', 'Cancel job']],
  ['queued', ['Edit input', 'Cancel job']],
  ['running', ['Cancel job']],
  ['completed', ['Retry', 'Delete']],
  ['dead', ['Retry', 'Delete']],
  ['cancelled', ['Retry', 'Delete']],
])('a job that is %s offers what can be done to it', async (state, expected) => {
  const spiral = startSpiral();
  spiral.jobs = [detail(900, { state })];
  open(`/jobs/${id(900)}`);
  const names = (await actions()).getAllByRole('button').map((button) => button.textContent);
  expect(names).toEqual(expected);
});

test('a dead job runs again: the page and the outcome say so, and the focus is not lost', async () => {
  const spiral = startSpiral();
  spiral.jobs = [detail(901, { state: 'dead', attempt: 3 })];
  server.use(
    api.post('/api/v1/jobs/{id}/retry', ({ response }) => response(202).json(job(901, { attempt: 3, max_attempts: 6 }))),
  );
  open(`/jobs/${id(901)}`);
  (await actions()).getByRole('button', { name: 'Retry' }).focus();
  await userEvent.setup().keyboard('{Enter}');
  expect(await screen.findByText('queued')).toBeVisible();
  expect(screen.getByRole('status', { name: 'Outcome' })).toHaveTextContent('The job is queued again');
  expect(screen.queryByRole('button', { name: 'Retry' })).toBeNull();
  expect(screen.getByRole('main')).toHaveFocus();
});

test('an answer that comes after the stream has told more changes nothing', async () => {
  const spiral = startSpiral();
  spiral.jobs = [detail(902, { state: 'dead', attempt: 3 })];
  const gate = new AbortController();
  server.use(
    api.post('/api/v1/jobs/{id}/retry', async ({ response }) => {
      await new Promise((resolve) => {
        gate.signal.addEventListener('abort', resolve);
      });
      return response(202).json(job(902, { attempt: 3, max_attempts: 6 }));
    }),
  );
  open(`/jobs/${id(902)}`);
  await screen.findByText('Live');
  await userEvent.setup().click((await actions()).getByRole('button', { name: 'Retry' }));
  spiral.send(patch(902, { state: 'queued', run_again: true }));
  spiral.send(patch(902, { state: 'completed', attempt: 4, output: '1', output_preview: '1' }));
  expect(await screen.findByText('completed')).toBeVisible();
  gate.abort();
  expect(await screen.findByText(/^The job is queued again/u)).toBeVisible();
  expect(screen.getByText('completed')).toBeVisible();
});

test('a job that waits for its time runs now', async () => {
  const spiral = startSpiral();
  spiral.jobs = [detail(903, { state: 'scheduled', run_at: '2099-01-01T00:00:00Z' })];
  server.use(api.post('/api/v1/jobs/{id}/run-now', ({ response }) => response(202).json(job(903))));
  open(`/jobs/${id(903)}`);
  await userEvent.setup().click((await actions()).getByRole('button', { name: 'Run now' }));
  expect(await screen.findByText('queued')).toBeVisible();
});

test('an action that is refused says why', async () => {
  const spiral = startSpiral();
  spiral.jobs = [detail(904, { state: 'dead' })];
  server.use(
    api.post('/api/v1/jobs/{id}/retry', ({ response }) => response(503).json(problem(503, { detail: 'The queue is away.' }))),
  );
  open(`/jobs/${id(904)}`);
  await userEvent.setup().click((await actions()).getByRole('button', { name: 'Retry' }));
  expect(await screen.findByRole('alert')).toHaveTextContent('It was not retried: The queue is away.');
});

test('a job is deleted after a question, and is gone from the table', async () => {
  const spiral = startSpiral();
  spiral.jobs = [completed(906, '1'), completed(905, '1')];
  server.use(
    api.delete('/api/v1/jobs/{id}', ({ params, response }) => {
      spiral.jobs = spiral.jobs.filter((known) => known.id !== params.id);
      return response.untyped(new HttpResponse(null, { status: 204 }));
    }),
  );
  const { router } = open('/jobs');
  const user = userEvent.setup();
  await user.click(await screen.findByRole('link', { name: '{"index":906}' }));
  await user.click((await actions()).getByRole('button', { name: 'Delete' }));
  expect(spiral.jobs).toHaveLength(2);
  const dialog = screen.getByRole('dialog', { name: 'Delete this job?' });
  await user.click(within(dialog).getByRole('button', { name: 'Delete' }));
  await waitFor(() => {
    expect(router.state.location.pathname).toBe('/jobs');
  });
  expect(await screen.findByRole('link', { name: '{"index":905}' })).toBeVisible();
  expect(screen.queryByRole('link', { name: '{"index":906}' })).toBeNull();
  expect(screen.getByRole('status', { name: 'Outcome' })).toHaveTextContent('The job is deleted.');
});

test('the input of a job that waits is edited; what does not fit is told at its field', async () => {
  const spiral = startSpiral();
  spiral.jobs = [detail(907, { state: 'queued' })];
  const sent: unknown[] = [];
  server.use(
    api.patch('/api/v1/jobs/{id}', async ({ request, response }) => {
      const body = await request.json();
      sent.push(body);
      return sent.length === 1
        ? response(422).json(problem(422, { errors: [{ field: '/input/index', message: 'is not to my liking' }] }))
        : response(200).json(job(907, { input: { index: 8 } }));
    }),
  );
  open(`/jobs/${id(907)}`);
  const user = userEvent.setup();
  await user.click((await actions()).getByRole('button', { name: 'Edit input' }));
  const dialog = within(screen.getByRole('dialog', { name: 'Edit input' }));
  const field = await dialog.findByRole('textbox', { name: /^index/u });
  expect(field).toHaveValue('907');
  await user.clear(field);
  await user.type(field, '8');
  await user.click(dialog.getByRole('button', { name: 'Save input' }));
  expect(await dialog.findByText('is not to my liking')).toBeVisible();
  await waitFor(() => {
    expect(field).toHaveFocus();
  });
  await user.click(dialog.getByRole('button', { name: 'Save input' }));
  expect(await screen.findByRole('heading', { name: 'fibonacci(index: 8)' })).toBeVisible();
  expect(screen.queryByRole('dialog')).toBeNull();
  expect(screen.getByRole('button', { name: 'Edit input' })).toHaveFocus();
  expect(sent).toEqual([{ input: { index: 8 } }, { input: { index: 8 } }]);
});
