import { expect, test } from './spiral';

test('a queue is paused, says what waits, gets a limit, and goes on', async ({ page, request }) => {
  await page.goto('/queues');
  const card = page.getByRole('listitem', { name: 'Queue default' });
  try {
    await card.getByRole('button', { name: 'Pause the queue default' }).click();
    await expect(card.getByText('Paused', { exact: true })).toBeVisible();
    const answer = await request.post('/api/v1/functions/echo/jobs', { data: { input: 'waits' } });
    const { id } = (await answer.json()) as { id: string };
    await expect(card.getByText(/^Paused, and .* Resume it to let them run\.$/u)).toBeVisible();

    await card.getByRole('button', { name: 'Change the limits of the queue default' }).press('Enter');
    const dialog = page.getByRole('dialog', { name: 'Limits of default' });
    await expect(dialog.getByLabel('concurrency')).toBeFocused();
    await dialog.getByLabel('concurrency').fill('64');
    await dialog.getByRole('button', { name: 'Save limits' }).click();
    await expect(card.getByText(/At most 64 jobs at a time/u)).toBeVisible();
    await expect(card.getByRole('button', { name: 'Change the limits of the queue default' })).toBeFocused();

    await card.getByRole('button', { name: 'Resume the queue default' }).click();
    await expect(card.getByText('Active', { exact: true })).toBeVisible();
    await page.goto(`/jobs/${id}`);
    await expect(page.getByText('completed', { exact: true })).toBeVisible();
  } finally {
    await request.patch('/api/v1/queues/default', { data: { paused: false, concurrency: null, rate: null } });
  }
});
