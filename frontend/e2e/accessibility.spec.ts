import AxeBuilder from '@axe-core/playwright';
import type { Page } from '@playwright/test';
import { calculate, expect, indexField, jobRow, openLive, test } from './spiral';

/** Everything that moves has come to rest: axe measures colours, and a fading element has none of its own. */
async function settle(page: Page): Promise<void> {
  await page.evaluate(() =>
    Promise.all(
      document
        .getAnimations()
        .filter((animation) => animation.effect?.getComputedTiming().iterations !== Infinity)
        .map((animation) => animation.finished.catch(() => undefined)),
    ),
  );
}

async function expectNoViolation(page: Page): Promise<void> {
  await settle(page);
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)).toEqual([]);
}

async function expectNoSidewaysScroll(page: Page): Promise<void> {
  const [content, room] = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
  expect(content).toBeLessThanOrEqual(room);
}

for (const colorScheme of ['light', 'dark'] as const) {
  for (const width of [1280, 390]) {
    test.describe(`${colorScheme}, ${width} pixels`, () => {
      test.use({ colorScheme, viewport: { width, height: 844 } });

      test('the first page', async ({ page }) => {
        await openLive(page);
        await calculate(page, 1000);
        await expect(jobRow(page, 1000)).toContainText('209 digits in');
        await expectNoViolation(page);
        await expectNoSidewaysScroll(page);
        await indexField(page).fill('1.5');
        await indexField(page).press('Enter');
        await expect(page.getByRole('alert')).toBeVisible();
        await expectNoViolation(page);
        await expectNoSidewaysScroll(page);
      });

      test('the jobs, and one job', async ({ page, request }) => {
        const answer = await request.post('/api/values?wait=30s', { data: { index: 100_000 } });
        expect(answer.status()).toBe(200);
        await page.goto('/jobs');
        const link = page.getByRole('link', { name: '{"index":100000}' }).first();
        await expect(link).toBeVisible();
        await expectNoViolation(page);
        await expectNoSidewaysScroll(page);
        await link.click();
        await expect(page.getByRole('heading', { name: 'fibonacci(index: 100000)' })).toBeVisible();
        await expect(page.getByText('20,899 characters', { exact: true })).toBeVisible();
        await expectNoViolation(page);
        await expectNoSidewaysScroll(page);
      });

      test('batches, queues, schedules and functions', async ({ page, request }) => {
        test.slow();
        const jobs = [{ function: 'fibonacci', input: { index: 7 } }, { function: 'flaky', input: { failures: 9, how: 'fatal' } }];
        const answer = await request.post('/api/v1/batches', { data: { jobs } });
        const { id } = (await answer.json()) as { id: string };
        // The second time there is one of this name, which will do as well.
        const schedule = { name: 'axe', cron: '0 8 * * *', function: 'fibonacci', input: { index: 7 } };
        expect([201, 409]).toContain((await request.post('/api/v1/schedules', { data: schedule })).status());
        for (const address of ['/overview', '/failures', '/workers', '/batches', `/batches/${id}`, '/queues', '/schedules', '/schedules/new', '/functions', '/functions/http_request']) {
          await page.goto(address);
          await expect(page.getByText('Live', { exact: true })).toBeVisible();
          await expect(page.getByRole('status', { name: /^Loading/u })).toHaveCount(0);
          await expectNoViolation(page);
          await expectNoSidewaysScroll(page);
        }
        await page.goto('/schedules');
        await page.getByRole('link', { name: 'axe' }).click();
        await expect(page.getByRole('heading', { name: 'Next runs' })).toBeVisible();
        await expectNoViolation(page);
        await page.goto('/queues');
        await page.getByRole('button', { name: /^Change the limits/u }).first().click();
        await expectNoViolation(page);
        await page.goto('/functions/http_request');
        await page.getByText('Options', { exact: true }).click();
        await page.getByRole('button', { name: 'Call http_request' }).click();
        await expect(page.getByText('Required', { exact: true }).first()).toBeVisible();
        await expectNoViolation(page);
        await page.goto('/functions');
        await expect(page.getByText('Live', { exact: true })).toBeVisible();
        await page.keyboard.press('?');
        await expect(page.getByRole('dialog', { name: 'Keyboard' })).toBeVisible();
        await expectNoViolation(page);
        await page.keyboard.press('Escape');
        await page.keyboard.press('Control+k');
        await expect(page.getByRole('dialog', { name: 'Command palette' })).toBeVisible();
        await expectNoViolation(page);
        await page.keyboard.press('Escape');
        await page.goto('/jobs?state=dead');
        await page.getByRole('checkbox', { name: /^Select the job/u }).first().check();
        await expect(page.getByRole('group', { name: 'Selected jobs' })).toBeVisible();
        await expectNoViolation(page);
        await expectNoSidewaysScroll(page);
        await page.getByRole('combobox', { name: 'Search the jobs' }).fill('st');
        await expect(page.getByRole('option').first()).toBeVisible();
        await expectNoViolation(page);
      });

      test('no such page', async ({ page }) => {
        await page.goto('/no/such/page');
        await expect(page.getByRole('heading', { name: 'Page not found' })).toBeVisible();
        await expectNoViolation(page);
        await expectNoSidewaysScroll(page);
      });

      test('the banner of a cut stream', async ({ page, context, watch }) => {
        watch.allow(/ERR_INTERNET_DISCONNECTED|Failed to load resource/u);
        await openLive(page);
        await context.setOffline(true);
        await expect(page.getByText(/^Reconnecting/u)).toBeVisible();
        await expectNoViolation(page);
        await expectNoSidewaysScroll(page);
      });
    });
  }
}

test('a table on a narrow screen is still a table', async ({ page, request }) => {
  await request.post('/api/values?wait=30s', { data: { index: 10 } });
  await page.setViewportSize({ width: 390, height: 844 });
  await page.goto('/jobs');
  await expect(page.getByRole('table', { name: 'Jobs, newest first' })).toBeVisible();
  await expect(page.getByRole('row').nth(1).getByRole('cell').first()).toBeVisible();
});

test('every page is a tap away on a phone', async ({ page }) => {
  await page.setViewportSize({ width: 390, height: 844 });
  await openLive(page);
  await page.getByRole('button', { name: 'Menu' }).click();
  const links = page.getByRole('navigation', { name: 'Pages' }).getByRole('link');
  await expect(links).toHaveText(['Fibonacci', 'Overview', 'Jobs', 'Failures', 'Batches', 'Queues', 'Workers', 'Schedules', 'Functions', 'Audit']);
  await expectNoViolation(page);
  await links.filter({ hasText: 'Queues' }).click();
  await expect(page.getByRole('heading', { name: 'Queues' })).toBeVisible();
  await expect(links.first()).toBeHidden();
});
