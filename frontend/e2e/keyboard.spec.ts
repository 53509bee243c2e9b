import type { Page } from '@playwright/test';
import { expect, fibonacci, indexField, jobRow, openLive, test } from './spiral';

/** Tab until the element has the focus: as somebody without a mouse would. */
async function tabTo(page: Page, name: string, key: 'Tab' | 'Shift+Tab' = 'Tab'): Promise<void> {
  const focused = page.locator(':focus');
  for (let presses = 0; presses < 40; presses += 1) {
    await page.keyboard.press(key);
    if ((await focused.count()) === 0) continue;
    const label = await focused.evaluate(
      (element) =>
        element.getAttribute('aria-label') ??
        (element instanceof HTMLInputElement ? (element.labels?.[0]?.textContent ?? '') : element.textContent),
    );
    if (label.trim() === name) return;
  }
  throw new Error(`the Tab key never reaches "${name}"`);
}

test('the whole way with the keyboard alone', async ({ page }) => {
  await openLive(page);
  await page.keyboard.press('Tab');
  await expect(page.getByRole('link', { name: 'Skip to the content' })).toBeFocused();
  await page.keyboard.press('Enter');
  await tabTo(page, 'Index');
  await page.keyboard.type('70');
  await page.keyboard.press('Enter');
  await expect(jobRow(page, 70)).toContainText(String(fibonacci(70)));
  await expect(indexField(page)).toBeFocused();

  await tabTo(page, 'Copy F(70)');
  await page.keyboard.press('Enter');
  await expect(jobRow(page, 70).getByRole('status')).not.toBeEmpty();

  await tabTo(page, 'F(70)', 'Shift+Tab');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('heading', { name: 'fibonacci(index: 70)' })).toBeVisible();
});

test('what has the focus can be seen', async ({ page }) => {
  await openLive(page);
  for (const name of ['Spiral, home', 'Jobs', 'Calculate']) {
    await tabTo(page, name);
    const outline = await page.locator(':focus').evaluate((element) => getComputedStyle(element).outlineStyle);
    expect([name, outline]).toEqual([name, 'solid']);
  }
});

test('the result is read aloud once, and nothing between', async ({ page }) => {
  await openLive(page);
  await page.evaluate(() => {
    const region = document.querySelector('[data-testid="announcement"]');
    if (region === null) throw new Error('there is no live region');
    const said: string[] = [];
    Object.assign(window, { said });
    new MutationObserver(() => {
      const text = region.textContent;
      if (said.at(-1) !== text) said.push(text);
    }).observe(region, { childList: true, characterData: true, subtree: true });
  });
  await indexField(page).fill('71');
  await page.keyboard.press('Enter');
  await expect(page.getByTestId('announcement')).toHaveText(`F(71) is ${fibonacci(71)}.`);
  const said = await page.evaluate(() => (window as unknown as { said: string[] }).said);
  expect(said.filter((text) => text !== 'F(71) is in progress.')).toEqual([`F(71) is ${fibonacci(71)}.`]);
});

test('the colours can be changed and stay', async ({ page }) => {
  await openLive(page);
  await page.getByRole('button', { name: 'Colours: as the system. Change to light.' }).click();
  await page.getByRole('button', { name: 'Colours: light. Change to dark.' }).click();
  await expect(page.locator('html')).toHaveAttribute('data-mantine-color-scheme', 'dark');
  await page.reload();
  await expect(page.locator('html')).toHaveAttribute('data-mantine-color-scheme', 'dark');
});

test('from page to page and from row to row with letters', async ({ page, request }) => {
  await request.post('/api/values?wait=30s', { data: { index: 72 } });
  await openLive(page);
  await page.keyboard.press('g');
  await page.keyboard.press('j');
  await expect(page.getByRole('heading', { name: 'Jobs' })).toBeVisible();
  await expect(page.getByRole('link', { name: '{"index":72}' }).first()).toBeVisible();
  await page.keyboard.press('j');
  await page.keyboard.press('j');
  await expect(page.locator('[data-row]').nth(1)).toBeFocused();
  await page.keyboard.press('k');
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/\/jobs\/\w+/u);
  await page.keyboard.press('?');
  await expect(page.getByRole('dialog', { name: 'Keyboard' })).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(page.getByRole('dialog')).toHaveCount(0);
});
