import { calculate, expect, expectNoReload, fibonacci, jobRow, openLive, test } from './spiral';

test('two browsers see each other’s jobs', async ({ page, browser }) => {
  const other = await browser.newContext();
  const theirs = await other.newPage();
  await openLive(page);
  await openLive(theirs);
  await expectNoReload(theirs, async () => {
    await calculate(page, 60);
    await expect(jobRow(theirs, 60)).toContainText(String(fibonacci(60)));
  });
  await expectNoReload(page, async () => {
    await calculate(theirs, 61);
    await expect(jobRow(page, 61)).toContainText(String(fibonacci(61)));
  });
  await expect(theirs.getByRole('region', { name: 'Values calculated' })).toContainText(String(fibonacci(60)));
  await other.close();
});

test('a job that another client asks for shows in the table of jobs', async ({ page, request }) => {
  await page.goto('/jobs');
  await expect(page.getByText('Live', { exact: true })).toBeVisible();
  await expect(page.getByRole('heading', { name: 'Jobs' })).toBeVisible();
  const answer = await request.post('/api/values', { data: { index: 62 } });
  expect(answer.status()).toBe(202);
  const row = page.getByRole('row').filter({ hasText: '{"index":62}' }).first();
  await expect(row).toContainText('completed');
  await expect(row).toContainText(String(fibonacci(62)));
});

test('a stream that is cut shows the banner, and what was missed is there when it is back', async ({
  page,
  context,
  request,
  watch,
}) => {
  watch.allow(/ERR_INTERNET_DISCONNECTED|ERR_NETWORK|Failed to load resource/u);
  await openLive(page);
  await expect(page.getByText(/^Reconnecting/u)).toHaveCount(0);
  await context.setOffline(true);
  await expect(page.getByText(/^Reconnecting/u)).toBeVisible();

  const answer = await request.post('/api/values?wait=30s', { data: { index: 63 } });
  expect(answer.status()).toBe(200);
  await context.setOffline(false);
  await expect(page.getByText(/^Reconnecting/u)).toHaveCount(0);
  await expect(page.getByText('Live', { exact: true })).toBeVisible();
  await expect(jobRow(page, 63)).toContainText(String(fibonacci(63)));

  await calculate(page, 64);
  await expect(jobRow(page, 64)).toContainText(String(fibonacci(64)));
});

test('a server that cannot be reached is said under the form, and the next try works', async ({ page, watch }) => {
  watch.allow(/ERR_FAILED|Failed to load resource/u);
  await openLive(page);
  await page.route('**/api/v1/functions/*/jobs', (route) => route.abort());
  await calculate(page, 65);
  await expect(page.getByRole('alert')).toContainText('Spiral did not answer');
  await page.unroute('**/api/v1/functions/*/jobs');
  await calculate(page, 65);
  await expect(jobRow(page, 65)).toContainText(String(fibonacci(65)));
  await expect(page.getByRole('alert')).toHaveCount(0);
});
