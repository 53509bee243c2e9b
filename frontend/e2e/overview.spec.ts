import AxeBuilder from '@axe-core/playwright';
import { expect, test } from './spiral';

test('the overview tells what is wrong, follows what happens, and keeps its range in the address', async ({ page, request }) => {
  await page.goto('/overview');
  await expect(page.getByRole('figure', { name: 'Throughput' }).locator('canvas')).toBeVisible();
  const wrong = page.getByRole('region', { name: 'Problems' });
  try {
    await request.post('/api/v1/queues/default/pause');
    await request.post('/api/v1/functions/echo/jobs', { data: { input: 'waits' } });
    await expect(wrong.getByText(/Queue default is paused, and .* in it\./u)).toBeVisible();
    await expect(page.getByRole('row', { name: /^default \(paused\)/u }).getByRole('link', { name: /since/u })).toBeVisible();
  } finally {
    await request.post('/api/v1/queues/default/resume');
  }
  await expect(wrong.getByText(/Queue default is paused/u)).toHaveCount(0);

  await request.post('/api/v1/functions/flaky/jobs?wait=30s', { data: { input: { failures: 9, how: 'fatal' } } });
  await page.getByRole('link', { name: 'Week' }).click();
  await expect(page).toHaveURL(/\/overview\?range=7d$/u);
  await expect(page.getByText(/^[\d,]+ attempts? failed, [\d,]+ jobs? failed for good\.$/u)).toBeVisible();
  await page.getByText('Show as a table').click();
  await expect(page.getByRole('region', { name: 'Numbers over time' }).getByRole('row').nth(1)).toBeVisible();
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.map(({ id }) => id)).toEqual([]);
  await page.getByRole('list', { name: 'Jobs by state' }).getByRole('link', { name: /dead/iu }).click();
  await expect(page).toHaveURL(/\/jobs\?q=state%3Adead$/u);
});

test('a full queue refuses calls, says when to come again, and takes them again', async ({ page, request, watch }) => {
  watch.allow(/429/u);
  const limit = (backlog: number | null) => request.patch('/api/v1/queues/default', { data: { backlog_limit: backlog } });
  const call = () => request.post('/api/v1/functions/echo/jobs', { data: { input: 'one more' } });
  try {
    await request.post('/api/v1/queues/default/pause');
    await page.goto('/queues');
    await page.getByRole('button', { name: 'Change the limits of the queue default' }).click();
    await page.getByLabel('backlog_limit').fill('1');
    await page.getByRole('button', { name: 'Save limits' }).click();
    await expect(page.getByText(/1 job may wait/u)).toBeVisible();
    await expect(async () => {
      const answer = await call();
      expect(answer.status()).toBe(429);
      expect(Number(answer.headers()['retry-after'])).toBeGreaterThan(0);
    }).toPass({ timeout: 30_000 });
    // In the form of the page as well.
    await page.goto('/functions/echo');
    await page.getByRole('textbox', { name: 'Input as JSON' }).fill('1');
    await page.getByRole('button', { name: 'Call echo' }).click();
    await expect(page.getByText(/jobs may wait in queue default/u)).toBeVisible();
  } finally {
    await request.post('/api/v1/queues/default/resume');
    await limit(null);
  }
  await expect(async () => {
    expect((await call()).status()).toBe(202);
  }).toPass({ timeout: 30_000 });
});
