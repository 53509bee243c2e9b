import { screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, expect, test } from 'vitest';
import { completed, id, job, patch, problem, queuedPatch } from '../testing/jobs';
import { open } from '../testing/render';
import { api, server } from '../testing/server';
import { startSpiral } from '../testing/spiral';

function setHidden(hidden: boolean) {
  Object.defineProperty(document, 'visibilityState', { configurable: true, value: hidden ? 'hidden' : 'visible' });
  document.dispatchEvent(new Event('visibilitychange'));
}

afterEach(() => {
  Reflect.deleteProperty(document, 'visibilityState');
});

async function rows(): Promise<string[]> {
  const table = await screen.findByRole('table', { name: 'Jobs, newest first' });
  return within(table)
    .getAllByRole('row')
    .slice(1)
    .map((row) => row.textContent);
}

test('one row a job, with everything that is known of it', async () => {
  const spiral = startSpiral();
  spiral.jobs = [completed(2, '1'), job(1, { state: 'dead', attempt: 3, error: { kind: 'error', message: 'broken' } })];
  open('/jobs');
  const [first, second] = await rows();
  expect(first).toContain('completedfibonacci{"index":2}11 of 342 ms');
  expect(second).toContain('deadfibonacci{"index":1}broken3 of 3–');
});

test('filters come from the address and go into it', async () => {
  const spiral = startSpiral();
  spiral.jobs = [completed(2, '1'), job(1, { state: 'dead' })];
  const { router } = open('/jobs?state=dead&nonsense=1');
  expect(await rows()).toHaveLength(1);
  const states = within(screen.getByRole('navigation', { name: 'State' }));
  expect(states.getByRole('link', { name: 'dead' })).toHaveAttribute('aria-current', 'page');
  const user = userEvent.setup();
  await user.click(states.getByRole('link', { name: 'completed' }));
  await waitFor(async () => {
    expect((await rows())[0]).toContain('completed');
  });
  await user.selectOptions(screen.getByRole('combobox', { name: 'Function' }), await screen.findByRole('option', { name: 'fibonacci' }));
  await waitFor(() => {
    expect(router.state.location.search).toEqual({ q: 'function:fibonacci state:completed' });
  });
});

test('a state that does not exist is no filter', async () => {
  const spiral = startSpiral();
  spiral.jobs = [job(1)];
  open('/jobs?state=pending');
  expect(await rows()).toHaveLength(1);
  expect(screen.getByRole('link', { name: 'all' })).toHaveAttribute('aria-current', 'page');
});

test('the jobs of one batch and of one schedule are asked for, and the way back is there', async () => {
  startSpiral();
  const asked: string[] = [];
  server.use(
    api.get('/api/v1/jobs', ({ request, response }) => {
      asked.push(new URL(request.url).search);
      return response(200).json({ jobs: [job(1)], next_cursor: null });
    }),
  );
  open(`/jobs?batch=${id(7)}&schedule=${id(8)}`);
  expect(await rows()).toHaveLength(1);
  expect(asked).toEqual([`?limit=50&schedule=${id(8)}&batch=${id(7)}`]);
  expect(screen.getByRole('link', { name: 'one batch' })).toHaveAttribute('href', `/batches/${id(7)}`);
  expect(screen.getAllByRole('link', { name: 'show all' }).map((link) => link.getAttribute('href'))).toEqual([
    `/jobs?q=batch%3A${id(7)}`,
    `/jobs?q=schedule%3A${id(8)}`,
  ]);
});

test('columns are chosen, and stay chosen', async () => {
  const spiral = startSpiral();
  spiral.jobs = [job(1, { queue: 'mail', priority: 2 })];
  const first = open('/jobs');
  expect((await rows())[0]).not.toContain('mail');
  const user = userEvent.setup();
  await user.click(screen.getByText('Columns'));
  await user.click(screen.getByRole('checkbox', { name: 'Queue' }));
  await user.click(screen.getByRole('checkbox', { name: 'Function' }));
  expect((await rows())[0]).toContain('mail');
  expect((await rows())[0]).not.toContain('fibonacci');
  first.unmount();
  open('/jobs');
  expect((await rows())[0]).toContain('mail');
});

test('Escape closes the choice of columns, and the focus goes back to it', async () => {
  const spiral = startSpiral();
  spiral.jobs = [job(1)];
  open('/jobs');
  await rows();
  const user = userEvent.setup();
  const summary = screen.getByText('Columns');
  await user.click(summary);
  const choice = summary.closest('details');
  expect(choice).toHaveProperty('open', true);
  screen.getByRole('checkbox', { name: 'Queue' }).focus();
  await user.keyboard('{Escape}');
  expect(choice).toHaveProperty('open', false);
  expect(summary).toHaveFocus();
});

test('nothing moves while nobody looks; then all of it is there', async () => {
  const spiral = startSpiral();
  spiral.jobs = [job(320)];
  open('/jobs');
  expect(await rows()).toHaveLength(1);
  await screen.findByText('Live');
  setHidden(true);
  spiral.send(queuedPatch(321));
  spiral.send(patch(320, { state: 'completed', output: '1' }));
  // Longer than any event takes to be shown.
  await new Promise((resolve) => setTimeout(resolve, 250));
  expect(await rows()).toHaveLength(1);
  expect((await rows())[0]).toContain('queued');
  setHidden(false);
  await waitFor(async () => {
    expect(await rows()).toHaveLength(2);
  });
  expect((await rows())[1]).toContain('completed');
});

test('older jobs come with their cursor', async () => {
  startSpiral();
  const cursors: (string | null)[] = [];
  server.use(
    api.get('/api/v1/jobs', ({ request, response }) => {
      const cursor = new URL(request.url).searchParams.get('cursor');
      cursors.push(cursor);
      return response(200).json(
        cursor === null ? { jobs: [job(2)], next_cursor: 'older' } : { jobs: [job(1)], next_cursor: null },
      );
    }),
  );
  open('/jobs');
  // The end of the list is in sight, so they come by themselves.
  await waitFor(async () => {
    expect(await rows()).toHaveLength(2);
  });
  expect(cursors).toEqual([null, 'older']);
  expect(screen.queryByRole('button', { name: 'Show older jobs' })).toBeNull();
});

test('live: a job that no longer fits the filter goes', async () => {
  const spiral = startSpiral();
  spiral.jobs = [job(301), job(300)];
  open('/jobs?state=queued');
  expect(await rows()).toHaveLength(2);
  await screen.findByText('Live');
  spiral.send(patch(300, { state: 'completed', output: '1' }));
  await waitFor(async () => {
    expect(await rows()).toHaveLength(1);
  });
  spiral.send(queuedPatch(302));
  await waitFor(async () => {
    expect(await rows()).toHaveLength(2);
  });
});

test('nothing there: says what to do', async () => {
  startSpiral();
  open('/jobs');
  expect(await screen.findByText('No jobs yet')).toBeVisible();
});

test('nothing fits: says that it is the filter', async () => {
  startSpiral();
  open('/jobs?state=cancelled');
  expect(await screen.findByText('No jobs match these filters')).toBeVisible();
});

test('an error is shown with its request', async () => {
  startSpiral();
  server.use(api.get('/api/v1/jobs', ({ response }) => response(503).json(problem(503, { detail: 'Away.' }))));
  open('/jobs');
  expect(await screen.findByRole('alert')).toHaveTextContent('Away.Request 01REQUEST');
});

test('one job has a page, which is live', async () => {
  const spiral = startSpiral();
  spiral.jobs = [job(310, { state: 'running', attempt: 1 })];
  open(`/jobs/${id(310)}`);
  expect(await screen.findByRole('heading', { name: 'fibonacci(index: 310)' })).toBeVisible();
  await screen.findByText('Live');
  spiral.send(patch(310, { state: 'completed', output: '4433', output_length: 4, output_preview: '4433' }));
  expect(await screen.findByText('4433')).toBeVisible();
  expect(screen.getByRole('button', { name: 'Copy the output' })).toBeVisible();
});

test('a job that does not exist is not an error of the page', async () => {
  startSpiral();
  open(`/jobs/${id(999)}`);
  expect(await screen.findByText('There is no job with this id')).toBeVisible();
});

test('an address that is no page says so and leads back', async () => {
  startSpiral();
  open('/no/such/page');
  expect(await screen.findByRole('heading', { name: 'Page not found' })).toBeVisible();
  expect(screen.getByRole('link', { name: 'See all jobs' })).toHaveAttribute('href', '/jobs');
});
