import { expect, test } from './spiral';

test('a batch is followed, and what has not finished of it is cancelled', async ({ page, request }) => {
  const call = (index: number) => ({ function: 'fibonacci', input: { index } });
  const answer = await request.post('/api/v1/batches', {
    data: {
      jobs: [
        ...Array.from({ length: 20 }, (_, index) => call(index)),
        { function: 'sleep', input: { seconds: 600 } },
        { ...call(5), delay_seconds: 3600 },
      ],
    },
  });
  expect(answer.status()).toBe(202);
  const { id } = (await answer.json()) as { id: string };
  await page.goto('/batches');
  await page.getByRole('link', { name: '22 jobs' }).first().click();
  await expect(page).toHaveURL(new RegExp(id, 'u'));
  await expect(page.getByRole('heading', { name: '20 of 22 finished' })).toBeVisible();
  await page.getByRole('button', { name: 'Cancel batch' }).click();
  const dialog = page.getByRole('dialog', { name: 'Cancel 2 jobs?' });
  await dialog.getByRole('button', { name: 'Cancel batch' }).click();
  await expect(page.getByRole('heading', { name: 'Finished', exact: true })).toBeVisible();
  await page.getByRole('link', { name: 'View jobs' }).click();
  await expect(page.getByRole('row').filter({ hasText: 'cancelled' })).toHaveCount(2);
});
