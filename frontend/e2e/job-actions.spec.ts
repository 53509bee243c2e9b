import { expect, test } from './spiral';

test('a dead job runs again on its page and is deleted when it has ended', async ({ page, request }) => {
  const answer = await request.post('/api/v1/functions/flaky/jobs?wait=30s', {
    data: { input: { failures: 1, how: 'fatal', output: 'at last' } },
  });
  const { id } = (await answer.json()) as { id: string };
  await page.goto(`/jobs/${id}`);
  const state = page.getByRole('main');
  await expect(state.getByText('dead', { exact: true })).toBeVisible();
  await page.getByRole('button', { name: 'Retry' }).press('Enter');
  await expect(page.getByRole('status', { name: 'Outcome' })).toContainText('The job is queued again');
  await expect(state.getByText('completed', { exact: true })).toBeVisible();
  await expect(page.getByRole('region', { name: 'Output' })).toContainText('at last');
  await expect(page.locator('body')).not.toBeFocused();

  await page.getByRole('button', { name: 'Delete' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Keep' }).click();
  await expect(page.getByRole('button', { name: 'Delete' })).toBeFocused();
  await page.getByRole('button', { name: 'Delete' }).click();
  await page.getByRole('dialog', { name: 'Delete this job?' }).getByRole('button', { name: 'Delete' }).click();
  await expect(page).toHaveURL(/\/jobs$/u);
  await expect(page.getByRole('status', { name: 'Outcome' })).toHaveText('The job is deleted.');
  expect((await request.get(`/api/v1/jobs/${id}`)).status()).toBe(404);
});

test('a job that waits gets another input and runs now', async ({ page, request, watch }) => {
  watch.allow(/422/u);
  const answer = await request.post('/api/v1/functions/fibonacci/jobs', {
    data: { input: { index: 3 }, delay_seconds: 3600 },
  });
  const { id } = (await answer.json()) as { id: string };
  await page.goto(`/jobs/${id}`);
  await page.getByRole('button', { name: 'Edit input' }).click();
  const dialog = page.getByRole('dialog', { name: 'Edit input' });
  await dialog.getByRole('button', { name: 'JSON' }).click();
  await dialog.getByRole('textbox', { name: 'Input as JSON' }).fill('{"index": -1}');
  await dialog.getByRole('button', { name: 'Save input' }).click();
  await expect(dialog.getByRole('alert')).toBeVisible();
  await dialog.getByRole('textbox', { name: 'Input as JSON' }).fill('{"index": 93}');
  await dialog.getByRole('button', { name: 'Save input' }).click();
  await expect(page.getByRole('heading', { name: 'fibonacci(index: 93)' })).toBeVisible();
  await page.getByRole('button', { name: 'Run now' }).click();
  await expect(page.getByRole('region', { name: 'Output' })).toContainText('12200160415121876738');
});
