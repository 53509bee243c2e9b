import { screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
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
  const all = screen.getByRole<HTMLInputElement>('checkbox', { name: 'Select all that are loaded: 5 jobs' });
  expect(all.indeterminate).toBe(true);
  await user.click(all);
  expect(bar().getByRole('status')).toHaveTextContent('5 jobs selected');
  await user.click(bar().getByRole('button', { name: 'Clear selection' }));
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
  expect(await screen.findByText('List paused: 2 changes.')).toBeVisible();
  expect(await boxes()).toHaveLength(1);
  await user.click(bar().getByRole('button', { name: 'Clear selection' }));
  await waitFor(async () => {
    expect(await boxes()).toHaveLength(2);
  });
});

test('a list that is being read again when a row is selected does not move, and is read when none is', async () => {
  const spiral = startSpiral();
  spiral.jobs = [job(1025)];
  open('/jobs');
  const user = userEvent.setup();
  await screen.findByText('Live');
  await boxes();
  let answer: () => void = () => undefined;
  const asked = new Promise<void>((resolve) => {
    server.use(
      api.get('/api/v1/jobs', async ({ response }) => {
        resolve();
        await new Promise<void>((go) => {
          answer = go;
        });
        return response(200).json({ jobs: spiral.jobs, next_cursor: null });
      }),
    );
  });
  spiral.jobs = [job(1026), job(1025)];
  spiral.refresh();
  await asked;
  await user.click((await boxes())[0] as HTMLElement);
  answer();
  // Something that comes after the answer.
  spiral.send(queuedPatch(1027));
  expect(await screen.findByText('List paused: 1 change.')).toBeVisible();
  expect(await boxes()).toHaveLength(1);
  spiral.jobs = [job(1027), job(1026), job(1025)];
  const before = answer;
  await user.click(bar().getByRole('button', { name: 'Clear selection' }));
  await waitFor(() => {
    expect(answer).not.toBe(before);
  });
  answer();
  await waitFor(async () => {
    expect(await boxes()).toHaveLength(3);
  });
});

test('what is selected is begun as one action, for those that it can be done to; its end is told', async () => {
  const spiral = startSpiral();
  spiral.jobs = [completed(1032, '1'), job(1031, { state: 'dead' }), job(1030)];
  const bodies: unknown[] = [];
  const filter = `id:${id(1031)},${id(1032)} state:completed,dead,cancelled`;
  const begun = { action: 'delete', filter, total: 2, seen: 0, changed: 0 } as const;
  server.use(
    api.post('/api/v1/jobs/actions', async ({ request, response }) => {
      bodies.push(await request.json());
      spiral.actions = [jobAction(1, begun)];
      return response(202).json(jobAction(1, begun));
    }),
  );
  open('/jobs');
  const user = userEvent.setup();
  for (const box of await boxes()) await user.click(box);
  await user.click(bar().getByRole('button', { name: 'Delete 2' }));
  const dialog = within(screen.getByRole('dialog', { name: 'Delete 2 jobs?' }));
  expect(dialog.getByText('1 job of the selection cannot be deleted: they have not finished.')).toBeVisible();
  expect(bodies).toEqual([]);
  await user.click(dialog.getByRole('button', { name: 'Delete' }));
  const actions = within(await screen.findByRole('list', { name: 'Running bulk actions' }));
  expect(actions.getByText('Deleting: 0 of 2')).toBeVisible();
  expect(actions.getByText('selected jobs')).toBeVisible();
  expect(bodies).toEqual([{ action: 'delete', ids: [id(1032), id(1031)] }]);
  expect(screen.queryByRole('group', { name: 'Selected jobs' })).toBeNull();
  spiral.actions = [jobAction(1, { ...begun, state: 'finished', seen: 2, changed: 1 })];
  expect(await screen.findByText('1 job deleted. 1 job could not be.')).toBeVisible();
});

test('what did not begin says why, and can be tried again', async () => {
  const spiral = startSpiral();
  spiral.jobs = [job(1031, { state: 'dead' })];
  server.use(
    api.post('/api/v1/jobs/actions', ({ response }) =>
      response(409).json(problem(409, { detail: 'Ten actions are under way.' })),
    ),
  );
  open('/jobs');
  const user = userEvent.setup();
  for (const box of await boxes()) await user.click(box);
  await user.click(bar().getByRole('button', { name: 'Retry 1' }));
  const dialog = within(screen.getByRole('dialog', { name: 'Retry 1 job?' }));
  await user.click(dialog.getByRole('button', { name: 'Retry' }));
  expect(await dialog.findByRole('alert')).toHaveTextContent('It was not started: Ten actions are under way.');
  expect(dialog.getByRole('button', { name: 'Retry' })).toBeEnabled();
});

test('more rows than can be picked by hand say what to do instead', async () => {
  const spiral = startSpiral();
  spiral.jobs = Array.from({ length: 1001 }, (_, index) => job(5000 + index, { state: 'dead' }));
  open('/jobs');
  const user = userEvent.setup();
  await boxes();
  await user.click(screen.getByRole('checkbox', { name: 'Select all that are loaded: 1,001 jobs' }));
  await user.click(bar().getByRole('button', { name: 'Retry 1,001' }));
  const dialog = within(screen.getByRole('dialog', { name: 'Retry 1,001 jobs?' }));
  expect(dialog.getByText(/^At most 1,000 jobs can be selected one by one/u)).toBeVisible();
  expect(dialog.queryByRole('button', { name: 'Retry' })).toBeNull();
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
  await user.click(screen.getByRole('checkbox', { name: 'Select all that are loaded: 2 jobs' }));
  await user.click(bar().getByRole('button', { name: 'Select all that match' }));
  await user.click(bar().getByRole('button', { name: 'Retry' }));
  const dialog = within(await screen.findByRole('dialog', { name: 'Retry 5,000 jobs?' }));
  const filter = 'state:dead function:fibonacci index>3';
  expect(dialog.getByText(filter)).toBeVisible();
  expect(bodies).toEqual([{ action: 'retry', filter, dry_run: true }]);
  await user.click(dialog.getByRole('button', { name: 'Retry' }));
  expect(await screen.findByText(/Retrying: 1,500 of 5,000/u)).toBeVisible();
  expect(bodies[1]).toEqual({ action: 'retry', filter });
  expect(screen.getByRole('progressbar', { name: 'Retrying: progress' })).toHaveAttribute('aria-valuenow', '30');
  expect(screen.queryByRole('group', { name: 'Selected jobs' })).toBeNull();

  await user.click(screen.getByRole('button', { name: 'Stop retrying' }));
  expect(await screen.findByText('Stopped after 1,500 jobs retried.')).toBeVisible();
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
  await user.click(screen.getByRole('checkbox', { name: 'Select all that are loaded: 1 job' }));
  await user.click(bar().getByRole('button', { name: 'Select all that match' }));
  await user.click(bar().getByRole('button', { name: 'Delete' }));
  const dialog = within(await screen.findByRole('dialog', { name: 'No jobs to change' }));
  expect(dialog.getByRole('status')).toHaveTextContent('only finished jobs');
  expect(dialog.queryByRole('button', { name: 'Delete' })).toBeNull();
});
