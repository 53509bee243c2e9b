import { expect, test } from './spiral';

test('a function is called from its form, and its job finishes before the eyes', async ({ page }) => {
  await page.goto('/functions');
  await page.getByRole('link', { name: 'flaky' }).click();
  await page.getByRole('textbox', { name: /^failures/u }).fill('1');
  await page.getByRole('textbox', { name: /^output/u }).fill('{"greeting": "hello"}');
  await page.getByText('Options', { exact: true }).click();
  await page.getByLabel('priority').fill('1');
  await page.getByRole('button', { name: 'Call flaky' }).click();
  const called = page.getByRole('region', { name: 'Recent calls' });
  await expect(called.getByText('completed', { exact: true })).toBeVisible();
  await expect(called.getByText('{"greeting":"hello"}', { exact: true })).toBeVisible();

  // Edit and replay begins with the same.
  await called.getByRole('link', { name: /^flaky\(/u }).click();
  await expect(page.getByText('1 (1 runs first, 9 last)')).toBeVisible();
  await page.getByRole('link', { name: 'Edit and replay' }).click();
  await expect(page.getByRole('textbox', { name: /^failures/u })).toHaveValue('1');
  await expect(page.getByLabel('priority')).toHaveValue('1');
});

test('what the server refuses stands at its field', async ({ page, watch }) => {
  watch.allow(/422/u);
  await page.goto('/functions/http_request');
  const url = page.getByRole('textbox', { name: /^url/u });
  await url.fill('ftp://example.org');
  await url.press('Enter');
  await expect(url).toHaveAttribute('aria-invalid', 'true');
  await expect(url).toBeFocused();
  await page.getByRole('button', { name: 'JSON' }).click();
  await expect(page.getByRole('textbox', { name: 'Input as JSON' })).toHaveValue(/"ftp:\/\/example.org"/u);
});
