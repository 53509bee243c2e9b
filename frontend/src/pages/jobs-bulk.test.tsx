import { act, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { HttpResponse } from 'msw';
import { expect, test } from 'vitest';
import { jobAction } from '../testing/job-actions';
import { completed, id, job, patch, problem, queuedPatch } from '../testing/jobs';
import { open } from '../testing/render';
import { api, server } from '../testing/server';
import { startSpiral } from '../testing/spiral';

async function boxes() {
  await screen.findByRole('table', { name: 'Jobs, newest first' });
  return screen.getAllByRole<HTMLInputElement>('checkbox', { name: /^Select the job/u });
}

function bar() {
  return within(screen.getByRole('group', { name: 'Selected jobs' }));
}

test('rows are selected one by one, in a range with Shift, and all at once', async () => {
  const spiral = startSpiral();
  spiral.jobs = [5, 4, 3, 2, 1].map((number) => job(1000 + number));
  open('/jobs');
  const user = userEvent.setup();
  const rows = await boxes();
  await user.click(rows[1] as HTMLElement);
  await user.keyboard('{Shift>}');
  await user.click(rows[3] as HTMLElement);
  await user.keyboard('{/Shift}');
  expect((await boxes()).map((box) => box.checked)).toEqual([false, true, true, true, false]);
  expect(bar().getByRole('status')).toHaveTextContent('3 jobs selected');
  const all = screen.getByRole<HTMLInputElement>('checkbox', { name: 'Select the 5 jobs that are loaded' });
  expect(all.indeterminate).toBe(true);
  await user.click(all);
  expect(bar().getByRole('status')).toHaveTextContent('5 jobs selected');
  await user.click(bar().getByRole('button', { name: 'Select none' }));
  expect(screen.queryByRole('group', { name: 'Selected jobs' })).toBeNull();
  expect(screen.getByRole('main')).toHaveFocus();
});

test('x selects the row with the focus, X all from the last one to it', async () => {
  const spiral = startSpiral();
  spiral.jobs = [3, 2, 1].map((number) => job(1010 + number));
  open('/jobs');
  await boxes();
  const user = userEvent.setup();
  await user.keyboard('jxjj{Shift>}X{/Shift}');
  expect((await boxes()).map((box) => box.checked)).toEqual([true, true, true]);
  expect(screen.getByRole('link', { name: '{"index":1011}' })).toHaveFocus();
  await user.keyboard('x');
  expect((await boxes()).map((box) => box.checked)).toEqual([true, true, false]);
});

test('the list stands still while rows are selected, counts what waits, and then has it', async () => {
  const spiral = startSpiral();
  spiral.jobs = [job(1020)];
  open('/jobs');
  const user = userEvent.setup();
  await screen.findByText('Live');
  await user.click((await boxes())[0] as HTMLElement);
  spiral.send(queuedPatch(1021));
  spiral.send(patch(1020, { state: 'completed', output: '1' }));
  expect(await screen.findByText('The list stands still meanwhile: 2 changes wait.')).toBeVisible();
  expect(await boxes()).toHaveLength(1);
  await user.click(bar().getByRole('button', { name: 'Select none' }));
  await waitFor(async () => {
    expect(await boxes()).toHaveLength(2);
  });
});

test('what is selected is done one by one, to those that it can be done to; what failed says why', async () => {
  const spiral = startSpiral();
  spiral.jobs = [completed(1032, '1'), job(1031, { state: 'dead' }), job(1030)];
  const asked: string[] = [];
  server.use(
    api.delete('/api/v1/jobs/{id}', ({ params, response }) => {
      asked.push(params.id);
      return params.id === id(1031)
        ? response(409).json(problem(409, { detail: 'Its batch has not finished.' }))
        : response.untyped(new HttpResponse(null, { status: 204 }));
    }),
  );
  open('/jobs');
  const user = userEvent.setup();
  for (const box of await boxes()) await user.click(box);
  await user.click(bar().getByRole('button', { name: 'Delete 2' }));
  const dialog = within(screen.getByRole('dialog', { name: 'Delete 2 jobs?' }));
  expect(dialog.getByText('1 job of the selected cannot be deleted: they have not ended.')).toBeVisible();
  expect(asked).toEqual([]);
  await user.click(dialog.getByRole('button', { name: 'Delete' }));
  expect(await dialog.findByRole('alert')).toHaveTextContent('1 could not be deleted: Its batch has not finished.');
  expect([...asked].sort()).toEqual([id(1031), id(1032)]);
  expect(screen.getByRole('status', { name: 'Outcome' })).toHaveTextContent('1 job deleted. 1 job could not be.');
  await user.click(dialog.getByRole('button', { name: 'Close' }));
  expect(screen.queryByRole('link', { name: '{"index":1032}' })).toBeNull();
});

test('who leaves the page stops what is done one by one', async () => {
  const spiral = startSpiral();
  spiral.jobs = Array.from({ length: 12 }, (_, index) => job(1000 + index, { state: 'dead' }));
  const asked: string[] = [];
  const answers: (() => void)[] = [];
  server.use(
    api.post('/api/v1/jobs/{id}/retry', async ({ params, response }) => {
      asked.push(params.id);
      await new Promise<void>((answer) => answers.push(answer));
      return response(202).json(job(1000, { id: params.id, state: 'queued' }));
    }),
  );
  const { router } = open('/jobs');
  const user = userEvent.setup();
  await boxes();
  await user.click(screen.getByRole('checkbox', { name: 'Select the 12 jobs that are loaded' }));
  await user.click(bar().getByRole('button', { name: 'Run again 12' }));
  await user.click(within(await screen.findByRole('dialog')).getByRole('button', { name: 'Run again' }));
  await waitFor(() => {
    expect(asked).toHaveLength(4);
  });
  await act(async () => {
    await router.navigate({ to: '/settings' });
  });
  await screen.findByRole('heading', { name: 'Settings' });
  for (const answer of answers) answer();
  // As many as it takes until the next ones would have been asked for.
  await screen.findByText(/4 jobs run again, then stopped/u);
  expect(asked).toHaveLength(4);
});

test('all that match: the count is asked for and named before anything begins', async () => {
  const spiral = startSpiral();
  spiral.jobs = [job(1041, { state: 'dead' }), job(1040, { state: 'dead' })];
  const bodies: unknown[] = [];
  server.use(
    api.post('/api/v1/jobs/actions', async ({ request, response }) => {
      const body = await request.json();
      bodies.push(body);
      if (body.dry_run === true) return response(200).json({ jobs: 5000, exact: true });
      spiral.actions = [jobAction(1)];
      return response(202).json(jobAction(1, { seen: 0, changed: 0 }));
    }),
    api.delete('/api/v1/jobs/actions/{id}', ({ response }) => {
      spiral.actions = [jobAction(1, { state: 'stopped' })];
      return response(200).json(jobAction(1, { state: 'stopped' }));
    }),
  );
  open('/jobs?state=dead&function=fibonacci&q=index%3E3');
  const user = userEvent.setup();
  await boxes();
  await user.click(screen.getByRole('checkbox', { name: 'Select the 2 jobs that are loaded' }));
  await user.click(bar().getByRole('button', { name: 'Select all that match' }));
  await user.click(bar().getByRole('button', { name: 'Run again' }));
  const dialog = within(await screen.findByRole('dialog', { name: 'Run 5,000 jobs again?' }));
  const filter = 'index>3 state:dead function:fibonacci';
  expect(dialog.getByText(filter)).toBeVisible();
  expect(bodies).toEqual([{ action: 'retry', filter, dry_run: true }]);
  await user.click(dialog.getByRole('button', { name: 'Run again' }));
  expect(await screen.findByText(/Running again: 1,500 of 5,000/u)).toBeVisible();
  expect(bodies[1]).toEqual({ action: 'retry', filter });
  expect(screen.getByRole('progressbar', { name: 'Running again: progress' })).toHaveAttribute('aria-valuenow', '30');
  expect(screen.queryByRole('group', { name: 'Selected jobs' })).toBeNull();

  await user.click(screen.getByRole('button', { name: 'Stop running again' }));
  expect(await screen.findByText('Stopped: 1,500 jobs run again until then.')).toBeVisible();
  expect(screen.queryByRole('progressbar')).toBeNull();
  expect(screen.getByRole('main')).toHaveFocus();
});

test('an action that somebody began is there when the page is opened, and its end is told', async () => {
  const spiral = startSpiral();
  spiral.actions = [jobAction(2, { action: 'delete', total_is_exact: false })];
  open('/jobs');
  expect(await screen.findByText(/Deleting: 1,500 of more than 5,000/u)).toBeVisible();
  spiral.actions = [jobAction(2, { action: 'delete', state: 'finished', seen: 6000, changed: 6000 })];
  expect(await screen.findByText('6,000 jobs deleted.')).toBeVisible();
});

test('nothing to do says so, and offers nothing', async () => {
  const spiral = startSpiral();
  spiral.jobs = [job(1050)];
  server.use(api.post('/api/v1/jobs/actions', ({ response }) => response(200).json({ jobs: 0, exact: true })));
  open('/jobs');
  const user = userEvent.setup();
  await boxes();
  await user.click(screen.getByRole('checkbox', { name: 'Select the 1 jobs that are loaded' }));
  await user.click(bar().getByRole('button', { name: 'Select all that match' }));
  await user.click(bar().getByRole('button', { name: 'Delete' }));
  const dialog = within(await screen.findByRole('dialog', { name: 'There is nothing to do' }));
  expect(dialog.getByRole('status')).toHaveTextContent('only those that have ended can be');
  expect(dialog.queryByRole('button', { name: 'Delete' })).toBeNull();
});
