import { expect, test } from './spiral';

test('a schedule is made, run, changed, paused, resumed and deleted', async ({ page }) => {
  const name = `numbers ${Date.now()}`;
  await page.goto('/schedules');
  await page.getByRole('link', { name: 'New schedule' }).click();
  await page.getByRole('combobox', { name: 'function' }).selectOption('fibonacci');
  await page.getByRole('textbox', { name: /^name/u }).fill(name);
  await page.getByRole('textbox', { name: /^cron/u }).fill('0 8 * * *');
  await page.getByRole('textbox', { name: /^time_zone/u }).fill('Europe/Berlin');
  await expect(page.getByText('Every day at 08:00 Europe/Berlin')).toBeVisible();
  await page.getByRole('textbox', { name: /^index/u }).fill('90');
  await page.getByRole('button', { name: 'Create schedule' }).click();
  await expect(page.getByRole('heading', { name })).toBeVisible();

  await page.getByRole('button', { name: `Run now: ${name}` }).click();
  await page.getByRole('link', { name: 'a job', exact: true }).click();
  await expect(page.getByText('2880067194370816120').first()).toBeVisible();
  await page.getByRole('link', { name: 'a schedule', exact: true }).click();

  await page.getByRole('button', { name: 'Edit' }).click();
  await page.getByRole('textbox', { name: /^cron/u }).fill('@every 2h');
  await page.getByRole('button', { name: 'Save changes' }).click();
  await expect(page.getByText('@every 2h')).toBeVisible();
  await page.getByRole('button', { name: `Pause ${name}` }).click();
  await expect(page.getByRole('heading', { name: 'Runs if resumed' })).toBeVisible();

  await page.getByRole('button', { name: `Resume ${name}` }).click();
  await expect(page.getByRole('heading', { name: 'Runs if resumed' })).toHaveCount(0);
  await page.getByRole('button', { name: `Pause ${name}` }).click();

  await page.getByRole('link', { name: 'All schedules' }).click();
  const item = page.getByRole('listitem', { name });
  await expect(item.getByText('Paused', { exact: true })).toBeVisible();
  await item.getByRole('button', { name: `Delete ${name}` }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await expect(item).toHaveCount(0);
});

test('what is wrong with a cron text is said while it is typed', async ({ page, watch }) => {
  watch.allow(/400/u);
  await page.goto('/schedules/new');
  await page.getByRole('textbox', { name: /^cron/u }).fill('61 * * * *');
  await expect(page.getByRole('status', { name: 'What it means' })).toContainText('cron');
});
