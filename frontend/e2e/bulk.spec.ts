import { expect, test } from './spiral';

const JOBS = 5000;

test('5,000 dead jobs are retried while it is watched, and the bar is there after a reload', async ({ page, request }) => {
  test.setTimeout(300_000);
  const note = `bulk-${Date.now()}`;
  const call = (index: number) => ({
    function: 'flaky',
    input: { failures: 1, how: 'fatal', output: { note, index } },
  });
  const answer = await request.post('/api/v1/batches', { data: { jobs: Array.from({ length: JOBS }, (_, index) => call(index)) } });
  expect(answer.status()).toBe(202);
  const { id } = (await answer.json()) as { id: string };
  // Not the counts of the batch: those stay as they were when it finished.
  const count = async (state: string) => {
    const data = { action: 'delete', filter: `batch:${id} state:${state}`, dry_run: true };
    const read = await request.post('/api/v1/jobs/actions', { data });
    return ((await read.json()) as { jobs: number }).jobs;
  };
  await expect.poll(() => count('dead'), { timeout: 120_000 }).toBe(JOBS);

  await page.goto(`/jobs?state=dead&batch=${id}`);
  const table = page.getByRole('table', { name: 'Jobs, newest first' });
  await expect(table).toBeVisible();
  await page.getByRole('checkbox', { name: /^Select all that are loaded/u }).check();
  const bar = page.getByRole('group', { name: 'Selected jobs' });
  await bar.getByRole('button', { name: 'Select all that match' }).click();
  await bar.getByRole('button', { name: 'Retry' }).click();
  const dialog = page.getByRole('dialog', { name: 'Retry 5,000 jobs?' });
  await dialog.getByRole('button', { name: 'Retry' }).click();
  const actions = page.getByRole('list', { name: 'Running bulk actions' });
  const told = page.getByRole('status', { name: 'Outcome' });
  // It may be quicker than a look at it.
  await expect(actions.or(told.getByText(/jobs retried/u)).first()).toBeVisible();
  await page.reload();
  await expect.poll(() => count('completed'), { timeout: 120_000 }).toBe(JOBS);
  await expect(page.getByText('No jobs match these filters')).toBeVisible({ timeout: 30_000 });
  await expect(actions).toHaveCount(0);
});

test('rows that are picked with the mouse are retried, and the end is shown', async ({ page, request }) => {
  const output = `picked-${Date.now()}`;
  const tag = `picked:${Date.now()}`;
  for (const index of [1, 2, 3]) {
    const data = { input: { failures: 1, how: 'fatal', output: { output, index } }, tags: [tag] };
    await request.post('/api/v1/functions/flaky/jobs?wait=30s', { data });
  }
  await page.goto(`/jobs?q=${encodeURIComponent(JSON.stringify(`tag:${tag}`))}`);
  const boxes = page.getByRole('checkbox', { name: /^Select the job/u });
  await expect(boxes).toHaveCount(3);
  await boxes.nth(0).click();
  await boxes.nth(2).click();
  await page.getByRole('group', { name: 'Selected jobs' }).getByRole('button', { name: 'Retry 2' }).click();
  await page.getByRole('dialog', { name: 'Retry 2 jobs?' }).getByRole('button', { name: 'Retry' }).click();
  await expect(page.getByRole('dialog')).toHaveCount(0);
  await expect(page.getByRole('status', { name: 'Outcome' })).toContainText('2 jobs retried.');
  const state = page.getByRole('table', { name: 'Jobs, newest first' });
  await expect(state.getByText('completed')).toHaveCount(2);
  await expect(state.getByText('dead')).toHaveCount(1);
});

test('what waits is cancelled, and what has ended is deleted, all at once', async ({ page, request }) => {
  const tag = `waits:${Date.now()}`;
  for (const index of [1, 2]) {
    const answer = await request.post('/api/v1/functions/fibonacci/jobs', { data: { input: { index }, delay_seconds: 3600, tags: [tag] } });
    expect(answer.status()).toBe(202);
  }
  await page.goto(`/jobs?q=${encodeURIComponent(JSON.stringify(`tag:${tag}`))}`);
  const table = page.getByRole('table', { name: 'Jobs, newest first' });
  const told = page.getByRole('status', { name: 'Outcome' });
  const doAll = async (action: string) => {
    await page.getByRole('checkbox', { name: 'Select all that are loaded: 2 jobs' }).click();
    await page.getByRole('group', { name: 'Selected jobs' }).getByRole('button', { name: `${action} 2` }).click();
    await page.getByRole('dialog', { name: `${action} 2 jobs?` }).getByRole('button', { name: action }).click();
  };
  await doAll('Cancel');
  await expect(told).toContainText('2 jobs cancelled.');
  await expect(table.getByText('cancelled')).toHaveCount(2);
  await doAll('Delete');
  await expect(told).toContainText('2 jobs deleted.');
  await expect(page.getByText('No jobs match these filters')).toBeVisible();
});

test('from the search to a job that runs again, with the keyboard alone', async ({ page, request }) => {
  const input = { failures: 1, how: 'fatal', output: `keys-${Date.now()}` };
  const answer = await request.post('/api/v1/functions/flaky/jobs?wait=30s', { data: { input } });
  const { id } = (await answer.json()) as { id: string };
  await page.goto('/');
  await expect(page.getByText('Live', { exact: true })).toBeVisible();
  await page.keyboard.press('g');
  await page.keyboard.press('j');
  await expect(page.getByRole('heading', { name: 'Jobs' })).toBeVisible();
  const box = page.getByRole('combobox', { name: 'Search the jobs' });
  await expect(box).toBeVisible();
  await page.keyboard.press('/');
  await expect(box).toBeFocused();
  await page.keyboard.type(`${id} st`);
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await page.keyboard.type('dea');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await expect(box).toHaveValue(`${id} state:dead `);
  await page.keyboard.press('Enter');
  await expect(page.locator('[data-row]')).toHaveCount(1);
  // Out of the box, to the rows.
  await page.keyboard.press('Tab');
  await page.keyboard.press('j');
  await page.keyboard.press('x');
  await expect(page.getByRole('group', { name: 'Selected jobs' })).toContainText('1 job selected');
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(new RegExp(`/jobs/${id}`, 'u'));
  const again = page.getByRole('button', { name: 'Retry' });
  await expect(again).toBeVisible();
  for (let presses = 0; presses < 40 && !(await again.evaluate((element) => element === document.activeElement)); presses += 1) {
    await page.keyboard.press('Tab');
  }
  await page.keyboard.press('Enter');
  await expect(page.getByRole('main').getByText('completed', { exact: true })).toBeVisible();
});

test('a search that cannot be read says where', async ({ page, watch }) => {
  watch.allow(/400/u);
  await page.goto(`/jobs?q=${encodeURIComponent('state:deaf')}`);
  await expect(page.getByRole('alert')).toContainText('At character 7');
  const box = page.getByRole('combobox', { name: 'Search the jobs' });
  await box.fill('function:fibonacci');
  await box.press('Enter');
  await expect(page.getByRole('alert')).toHaveCount(0);
  await expect(page.getByText(/cannot be read/u)).toHaveCount(0);
});
