/** The pictures of the README, small, into `docs/images/`. */
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import type { APIRequestContext, Page } from '@playwright/test';
import { addresses } from './addresses';
import { expect, test } from './spiral';

const FOLDER = new URL('../../docs/images/', import.meta.url);
const LARGEST_BYTES = 60 * 1024;
const QUALITY = 82;

/** WebP, which Playwright itself does not write. */
async function picture(page: Page, name: string): Promise<void> {
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
  await expect(page.getByText('Live', { exact: true })).toBeVisible();
  await expect(page.getByRole('status', { name: /^Loading/u })).toHaveCount(0);
  await page.evaluate(() => document.fonts.ready);
  const browser = await page.context().newCDPSession(page);
  const { data } = await browser.send('Page.captureScreenshot', { format: 'webp', quality: QUALITY });
  const file = new URL(`${name}.webp`, FOLDER);
  writeFileSync(file, Buffer.from(data, 'base64'));
  expect(statSync(file).size, `bytes of ${name}`).toBeLessThan(LARGEST_BYTES);
}

/** Jobs of several kinds over some seconds, so that there is something in the charts and on every page. */
async function fill(request: APIRequestContext): Promise<Record<string, string>> {
  const pages = await addresses(request);
  const calls = [
    ...[12, 21, 30, 40, 55].map((failures) => ({ function: 'flaky', input: { failures, how: 'fatal' } })),
    // One attempt each, so that none of them still waits for another.
    ...['http://127.0.0.1:9/', 'http://10.0.0.7/hook', 'http://192.168.1.1/'].map((url) => ({
      function: 'http_request',
      input: { url },
      max_attempts: 1,
    })),
    ...[3, 4, 5, 6].map((failures) => ({ function: 'flaky', input: { failures, how: 'panic' }, max_attempts: 1 })),
    ...Array.from({ length: 6 }, (_, place) => ({ function: 'sleep', input: { seconds: 30 + place } })),
    ...[1000, 4181, 6765, 100_000].map((index) => ({ function: 'fibonacci', input: { index } })),
    ...['Ada', 'Grace', 'Edsger'].map((name) => ({ function: 'echo', input: { name, newsletter: true } })),
  ];
  expect((await request.post('/api/v1/batches', { data: { jobs: calls } })).status()).toBe(202);
  // The kinds that failures are of: the one of the other pages, and those two.
  const kinds = async () => ((await (await request.get('/api/v1/failures')).json()) as { failures: unknown[] }).failures.length;
  await expect.poll(kinds).toBeGreaterThan(2);
  return pages;
}

test('the pictures of the README', async ({ page, request }) => {
  mkdirSync(FOLDER, { recursive: true });
  const pages = await fill(request);
  await page.setViewportSize({ width: 1280, height: 800 });
  await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' });
  await page.goto('/overview');
  await expect(page.locator('canvas')).toHaveCount(4);
  await picture(page, 'overview');
  for (const [name, address] of [
    ['jobs', '/jobs'],
    ['job', pages['job-dead'] ?? ''],
    ['failures', '/failures'],
  ] as const) {
    await page.goto(address);
    await picture(page, name);
  }
  await page.emulateMedia({ colorScheme: 'dark', reducedMotion: 'reduce' });
  await page.goto('/');
  await page.getByRole('textbox', { name: 'Index' }).fill('90');
  await picture(page, 'dark');
  await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' });
  await page.setViewportSize({ width: 390, height: 800 });
  await page.goto('/jobs');
  await picture(page, 'phone');
});
