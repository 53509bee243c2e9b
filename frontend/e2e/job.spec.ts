import { expect, test } from './spiral';

test('a job that fails twice is followed live, attempt by attempt, to its output', async ({ page, request }) => {
  const answer = await request.post('/api/v1/functions/flaky/jobs', {
    // Later, so that the page is open before the first attempt.
    data: { input: { failures: 2, output: { greeting: 'hello' } }, delay_seconds: 10, max_attempts: 5 },
  });
  expect(answer.status()).toBe(202);
  const { id } = (await answer.json()) as { id: string };
  await page.goto(`/jobs/${id}`);
  const timeline = page.getByRole('region', { name: 'Timeline' });
  await expect(timeline.getByText('Waiting for its scheduled time')).toBeVisible();
  await expect(page.getByText('completed', { exact: true })).toBeVisible();

  await expect(timeline.getByRole('listitem')).toHaveCount(5);
  await expect(timeline.getByText('Failed: error')).toHaveCount(2);
  const rows = page.getByRole('table', { name: /^Attempts/u }).getByRole('row');
  await expect(rows).toHaveCount(4);
  await expect(rows.nth(1)).toContainText('attempt 1 of 5 failed on purpose');
  await expect(rows.nth(3)).toContainText('No error');
  await expect(page.getByRole('region', { name: 'Output' }).getByText('"hello"')).toBeVisible();

  // What was seen live is what is read anew.
  await page.reload();
  await expect(rows).toHaveCount(4);
  await expect(timeline.getByRole('listitem')).toHaveCount(5);
  await expect(timeline.getByText('Failed: error')).toHaveCount(2);
});

test('an input is folded, copied and saved', async ({ page, request, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  const input = { people: [{ name: 'Ada' }], many: Array.from({ length: 40 }, (_, index) => index) };
  const answer = await request.post('/api/v1/functions/echo/jobs?wait=30s', { data: { input } });
  const { id } = (await answer.json()) as { id: string };
  await page.goto(`/jobs/${id}`);
  const region = page.getByRole('region', { name: 'Input' });
  await expect(region.getByText('"Ada"')).toBeVisible();
  await expect(region.getByText('39')).toHaveCount(0);
  await region.getByRole('button', { name: 'many, 40 items' }).press('Enter');
  await expect(region.getByText('39')).toBeVisible();
  await region.getByRole('button', { name: 'Copy the input' }).click();
  await expect(region.getByRole('status')).toHaveText('the input copied.');
  expect(JSON.parse(await page.evaluate(() => navigator.clipboard.readText()))).toEqual(input);
  const downloading = page.waitForEvent('download');
  await region.getByRole('button', { name: 'Download the input' }).click();
  expect((await downloading).suggestedFilename()).toBe(`echo-${id}-input.json`);
});
