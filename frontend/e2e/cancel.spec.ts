import { expect, test } from './spiral';

test('a job that waits is cancelled on its page, and the table of another browser shows it', async ({
  page,
  browser,
  request,
}) => {
  const answer = await request.post('/api/v1/functions/fibonacci/jobs', {
    data: { input: { index: 70_001 }, delay_seconds: 3600 },
  });
  expect(answer.status()).toBe(202);
  const { id } = (await answer.json()) as { id: string };

  const other = await browser.newContext();
  const theirs = await other.newPage();
  await theirs.goto('/jobs');
  const row = theirs.getByRole('row').filter({ hasText: '{"index":70001}' }).first();
  await expect(row).toContainText('scheduled');

  await page.goto(`/jobs/${id}`);
  await page.getByRole('button', { name: 'Cancel job' }).press('Enter');
  await expect(page.getByText('cancelled', { exact: true })).toBeVisible();
  await expect(page.getByRole('button', { name: /cancel/iu })).toHaveCount(0);
  await expect(row).toContainText('cancelled');
  await other.close();
});
