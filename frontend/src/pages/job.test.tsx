import { screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { HttpResponse } from 'msw';
import { expect, test } from 'vitest';
import { AT, completed, detail, id, job, patch, problem } from '../testing/jobs';
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
  await userEvent.setup().click(await screen.findByRole('button', { name: 'Cancel job' }));
  expect(await screen.findByText('cancelled')).toBeVisible();
  expect(screen.queryByRole('button', { name: /cancel/i })).toBeNull();
});

test('a job that could not be cancelled says why, and can be tried again', async () => {
  const spiral = startSpiral();
  spiral.jobs = [job(11, { state: 'running' })];
  server.use(
    api.post('/api/v1/jobs/{id}/cancel', ({ response }) =>
      response(503).json(problem(503, { detail: 'The queue cannot be reached at the moment.' })),
    ),
  );
  open(`/jobs/${id(11)}`);
  await userEvent.setup().click(await screen.findByRole('button', { name: 'Cancel job' }));
  expect(await screen.findByRole('alert')).toHaveTextContent('The queue cannot be reached at the moment.');
  expect(screen.getByRole('button', { name: 'Cancel job' })).toBeVisible();
});

test('each tag leads to the jobs that have it', async () => {
  const spiral = startSpiral();
  spiral.jobs = [completed(1, '1'), detail(3, { tags: ['customer:17', 'nightly'] })];
  open(`/jobs/${id(3)}`);
  expect(await screen.findByRole('link', { name: 'customer:17' })).toHaveAttribute('href', '/jobs?q=tag%3Acustomer%3A17');
  expect(screen.getByRole('link', { name: 'nightly' })).toBeVisible();
});

test('a job that has ended cannot be cancelled', async () => {
  const spiral = startSpiral();
  spiral.jobs = [completed(1, '1')];
  open(`/jobs/${id(1)}`);
  expect(await screen.findByText('completed')).toBeVisible();
  expect(screen.queryByRole('button', { name: /cancel/i })).toBeNull();
});

test('attempts are told with their worker and error, and the next one comes live', async () => {
  const spiral = startSpiral();
  const error = { kind: 'timeout', message: 'took longer than 60 s' };
  spiral.jobs = [
    detail(2, {
      state: 'retrying',
      attempt: 1,
      attempts: [{ number: 1, worker: 'w1', started_at: AT, finished_at: '2026-01-02T03:04:07.500Z', error, outcome: 'failed' }],
    }),
  ];
  open(`/jobs/${id(2)}`);
  const table = within(await screen.findByRole('table', { name: /^Attempts/u }));
  const [, first] = table.getAllByRole('row');
  expect(first).toHaveTextContent('2.50 sw1timeout: took longer than 60 s');
  const timeline = within(screen.getByRole('region', { name: 'Timeline' }));
  expect(timeline.getByText('Waiting for the next attempt')).toBeVisible();

  await screen.findByText('Live');
  spiral.send(patch(2, { attempt: 2, worker: 'w2', started_at: '2026-01-02T03:04:09.500Z' }));
  expect(await timeline.findByText('Running on w2')).toBeVisible();
  expect(timeline.getByText('Waited for the next attempt').parentElement).toHaveTextContent('2.00 s');
  expect(table.getAllByRole('row')).toHaveLength(3);
});

test('of very many attempts only the first and the last show until all are asked for', async () => {
  const spiral = startSpiral();
  const error = { kind: 'error', message: 'broken' };
  const attempts = Array.from({ length: 20 }, (_, place) => ({
    number: place + 1,
    worker: 'w1',
    started_at: AT,
    finished_at: AT,
    error,
    outcome: 'failed' as const,
  }));
  spiral.jobs = [detail(8, { state: 'retrying', attempt: 20, attempts })];
  open(`/jobs/${id(8)}`);
  const timeline = within(await screen.findByRole('region', { name: 'Timeline' }));
  expect(timeline.getByText('Attempt 2')).toBeVisible();
  expect(timeline.getByText('Attempt 20')).toBeVisible();
  expect(timeline.queryByText('Attempt 10')).toBeNull();
  const shown = timeline.getAllByText(/^Attempt \d+$/u).length;
  await userEvent.setup().click(timeline.getByRole('button', { name: `Show ${20 - shown} more steps` }));
  expect(timeline.getAllByText(/^Attempt \d+$/u)).toHaveLength(20);
});

test('progress and log lines come live', async () => {
  const spiral = startSpiral();
  spiral.jobs = [detail(3, { state: 'running', attempt: 1, progress: 0, attempts: [] })];
  spiral.logs = { [id(3)]: [{ attempt: 1, number: 1, at: AT, text: 'begins' }] };
  open(`/jobs/${id(3)}`);
  expect(await screen.findByText('begins')).toBeVisible();
  expect(screen.queryByRole('progressbar')).toBeNull();
  await screen.findByText('Live');
  const log_lines = [{ attempt: 1, number: 2, at: AT, text: 'goes on' }];
  spiral.send(patch(3, { attempt: 1, progress: 0.42, log_lines }));
  expect(await screen.findByText('goes on')).toBeVisible();
  expect(screen.getByRole('progressbar', { name: 'Progress of this job' })).toHaveAttribute('aria-valuenow', '42');
});

test('an output that is an object is shown as one', async () => {
  const spiral = startSpiral();
  spiral.jobs = [completed(4, '', { output: { status: 200 }, output_length: null, output_preview: '{"status":200}' })];
  open(`/jobs/${id(4)}`);
  const output = within(await screen.findByRole('region', { name: 'Output' }));
  expect(output.getByText('status:')).toBeVisible();
  expect(output.getByText('200')).toBeVisible();
});

test('an output that is null is shown, too', async () => {
  const spiral = startSpiral();
  spiral.jobs = [completed(5, '', { output: null, output_size: 4, output_length: null, output_preview: 'null' })];
  open(`/jobs/${id(5)}`);
  expect(within(await screen.findByRole('region', { name: 'Output' })).getByText('null')).toBeVisible();
});

test('a large output is read when it is asked for', async () => {
  const spiral = startSpiral();
  spiral.jobs = [completed(6, '1…9', { output: null, output_size: 5002, output_length: 5000, output_preview: '1…9' })];
  const whole = '1'.repeat(5000);
  server.use(
    api.get('/api/v1/jobs/{id}/result', ({ response }) => response.untyped(HttpResponse.text(whole))),
  );
  open(`/jobs/${id(6)}`);
  expect(await screen.findByText('5,000 characters')).toBeVisible();
  await userEvent.setup().click(screen.getByRole('button', { name: 'Show all' }));
  expect(await screen.findByText(whole)).toBeVisible();
});

test('what made the job is a link away', async () => {
  const spiral = startSpiral();
  spiral.jobs = [detail(7, { schedule_id: id(8), batch_id: id(9) })];
  open(`/jobs/${id(7)}`);
  expect(await screen.findByRole('link', { name: 'a schedule' })).toHaveAttribute('href', `/schedules/${id(8)}`);
  expect(screen.getByRole('link', { name: 'a batch' })).toHaveAttribute('href', `/batches/${id(9)}`);
  expect(screen.getByRole('link', { name: 'Edit and replay' })).toHaveAttribute('href', `/functions/fibonacci?from=${id(7)}`);
});

test('a job that is retried shows the output of its new attempt, not the one before', async () => {
  const spiral = startSpiral();
  const large = (number: number) =>
    completed(21, '', { attempt: number, output: null, output_size: 9000, output_length: 8998, output_preview: `run ${number}…` });
  spiral.jobs = [large(1)];
  let texts = ['the whole first output'];
  server.use(api.get('/api/v1/jobs/{id}/result', ({ response }) => response.untyped(HttpResponse.text(texts[0] ?? ''))));
  open(`/jobs/${id(21)}`);
  const user = userEvent.setup();
  await screen.findByText('Live');
  await user.click(await screen.findByRole('button', { name: 'Show all' }));
  expect(await screen.findByText('the whole first output')).toBeVisible();

  texts = ['the whole second output'];
  spiral.jobs = [large(2)];
  spiral.send(patch(21, { state: 'queued', attempt: 1, max_attempts: 4, run_again: true }));
  expect(await screen.findByText('No output yet')).toBeVisible();
  spiral.send(patch(21, { state: 'running', attempt: 2 }));
  spiral.send(patch(21, { state: 'completed', attempt: 2, output_size: 9000, output_length: 8998, output_preview: 'run 2…' }));
  expect(await screen.findByText(/^run 2…/u)).toBeVisible();
  expect(screen.queryByText('the whole first output')).toBeNull();
  await user.click(screen.getByRole('button', { name: 'Show all' }));
  expect(await screen.findByText('the whole second output')).toBeVisible();
});
