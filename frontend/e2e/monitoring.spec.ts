import { expect, test } from './spiral';

test('what fails is one group, whose dead jobs retried together', async ({ page, request }) => {
  // Words of its own: numbers and quoted texts would not tell it from others.
  const word = Array.from({ length: 12 }, () => String.fromCharCode(97 + Math.floor(Math.random() * 26))).join('');
  const call = () => ({ function: 'http_request', input: { url: `http://${word}.invalid/` }, max_attempts: 1 });
  const answer = await request.post('/api/v1/batches', { data: { jobs: Array.from({ length: 3 }, call) } });
  const { id } = (await answer.json()) as { id: string };
  const dead = async () => {
    const read = await request.get(`/api/v1/batches/${id}`);
    return ((await read.json()) as { counts: { dead: number } }).counts.dead;
  };
  await expect.poll(dead, { timeout: 60_000 }).toBe(3);
  const failures = (await (await request.get('/api/v1/failures')).json()) as { failures: { fingerprint: string; function: string }[] };
  expect(failures.failures.some((failure) => failure.function === 'http_request')).toBe(true);

  await page.goto('/failures');
  const group = page.getByRole('listitem').filter({ hasText: 'http_request' }).first();
  await expect(group).toBeVisible();
  await group.getByRole('link', { name: /jobs?$/u }).click();
  await expect(page).toHaveURL(/failure/u);
  await expect(page.getByRole('link', { name: new RegExp(word, 'u') }).first()).toBeVisible();
  await page.goBack();
  await group.getByRole('button', { name: /^Retry/u }).click();
  const dialog = page.getByRole('dialog', { name: /^Retry \d+ jobs?\?$/u });
  await dialog.getByRole('button', { name: 'Retry' }).click();
  await expect(page.getByRole('status', { name: 'Outcome' })).not.toBeEmpty();
  const attempts = async () => {
    const read = await request.get(`/api/v1/jobs?batch=${id}`);
    return ((await read.json()) as { jobs: { attempt: number }[] }).jobs.map(({ attempt }) => attempt);
  };
  await expect.poll(attempts, { timeout: 60_000 }).toEqual([2, 2, 2]);
});

test('a worker tells what it runs and what it takes', async ({ page, request }) => {
  const answer = await request.post('/api/v1/functions/sleep/jobs', { data: { input: { seconds: 300 } } });
  const { id } = (await answer.json()) as { id: string };
  await page.goto('/workers');
  const worker = page.getByRole('listitem', { name: /^Worker/u }).filter({ hasText: 'Alive' }).first();
  await expect(worker).toContainText(/\d+ MiB/u, { timeout: 30_000 });
  await expect(worker).toContainText(/\d+ % of a core/u, { timeout: 60_000 });
  await worker.getByRole('link', { name: /^sleep\(seconds: 300\)/u }).first().click();
  await expect(page.getByRole('heading', { name: /^sleep/u })).toBeVisible();
  await request.post(`/api/v1/jobs/${id}/cancel`);
});

test('the palette leads to a job by its id and to a page by its name', async ({ page, request }) => {
  const answer = await request.post('/api/values?wait=30s', { data: { index: 94 } });
  const made = (await answer.json()) as { id?: string; job?: { id: string } };
  const id = made.id ?? made.job?.id ?? '';
  await page.goto('/workers');
  await expect(page.getByText('Live', { exact: true })).toBeVisible();
  await page.keyboard.press('Control+k');
  const field = page.getByRole('combobox', { name: /^Page, function/u });
  await expect(field).toBeFocused();
  await page.keyboard.type(id);
  await page.keyboard.press('Enter');
  await expect(page.getByRole('heading', { name: 'fibonacci(index: 94)' })).toBeVisible();
  await page.keyboard.press('Control+k');
  await page.keyboard.type('fail');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('heading', { name: 'Failures' })).toBeVisible();
  await page.keyboard.press('Control+k');
  await page.keyboard.press('Escape');
  await page.keyboard.press('Escape');
  await expect(page.getByRole('dialog')).toHaveCount(0);
});

test('an API that is down is said on each page, and they go on when it is back', async ({ page, watch }) => {
  watch.allow(/502|503|Failed to load resource/u);
  test.slow();
  await page.route('**/api/**', (route) =>
    route.fulfill({ status: 503, contentType: 'application/problem+json', body: '{"status":503,"detail":"The database is away."}' }),
  );
  for (const address of ['/failures', '/workers', '/jobs']) {
    await page.goto(address);
    await expect(page.getByRole('alert').first()).toContainText('The database is away.', { timeout: 30_000 });
  }
  await page.unroute('**/api/**');
  await page.getByRole('button', { name: 'Try again' }).click();
  await expect(page.getByRole('alert')).toHaveCount(0);
  await expect(page.getByText('Live', { exact: true })).toBeVisible({ timeout: 30_000 });
});
