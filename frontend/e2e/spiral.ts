/** What all browser tests share: words for the parts of the page, and that nothing may go wrong unseen. */
import { test as base, expect, type Locator, type Page } from '@playwright/test';

interface Watch {
  /** Every error that a page says in its console must match one of these. */
  readonly allow: (pattern: RegExp) => void;
}

export const test = base.extend<{ watch: Watch }>({
  watch: [
    async ({ context }, use) => {
      const errors: string[] = [];
      const allowed: RegExp[] = [];
      context.on('console', (message) => {
        if (message.type() === 'error' || message.type() === 'warning') errors.push(message.text());
      });
      context.on('weberror', (error) => errors.push(String(error.error())));
      await use({ allow: (pattern) => allowed.push(pattern) });
      const unexpected = errors.filter((error) => !allowed.some((pattern) => pattern.test(error)));
      expect(unexpected, 'errors in the console').toEqual([]);
    },
    { auto: true },
  ],
});

export { expect };

export function indexField(page: Page): Locator {
  return page.getByRole('textbox', { name: 'Index' });
}

/** The newest of the latest jobs for an index. */
export function jobRow(page: Page, index: number): Locator {
  const name = `F(${index.toLocaleString('en')})`;
  return page
    .getByRole('region', { name: 'Latest jobs' })
    .getByRole('listitem')
    .filter({ has: page.getByRole('link', { name, exact: true }) })
    .first();
}

/** Opens the first page and waits until it is live: from then on it misses nothing. */
export async function openLive(page: Page): Promise<void> {
  await page.goto('/');
  await expect(page.getByText('Live', { exact: true })).toBeVisible();
  await expect(page.getByText('A whole number from 0 to 10,000,000.')).toBeVisible();
}

export async function calculate(page: Page, index: number): Promise<void> {
  await indexField(page).fill(String(index));
  await page.getByRole('button', { name: `Calculate F(${index.toLocaleString('en')})` }).click();
}

/** By doubling, in BigInt: a computation of its own to compare with. */
export function fibonacci(index: number): bigint {
  const pair = (n: number): [bigint, bigint] => {
    if (n === 0) return [0n, 1n];
    const [a, b] = pair(Math.floor(n / 2));
    const [c, d] = [a * (2n * b - a), a * a + b * b];
    return n % 2 === 0 ? [c, d] : [d, c + d];
  };
  return pair(index)[0];
}

/** Marks the page; the mark is gone when somebody reloads it. */
export async function expectNoReload(page: Page, during: () => Promise<void>): Promise<void> {
  await page.evaluate(() => { document.documentElement.setAttribute('data-not-reloaded', ''); });
  await during();
  await expect(page.locator('html[data-not-reloaded]')).toBeAttached();
}
