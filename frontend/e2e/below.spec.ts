/** Spiral below a base path, with tokens, through the real stack: nothing is asked for beside it. */
import type { Page } from '@playwright/test';
import { calculate, expect, indexField, jobRow, test } from './spiral';

const { SPIRAL_E2E_BELOW_URL: below = '', SPIRAL_ADMIN_TOKEN: admin = '' } = process.env;

// With the slash, so that `./jobs` is an address below it.
test.use({ baseURL: `${below}/` });

/** All that the page asks for, and what went wrong with it. */
const asked = { beside: [] as string[], failed: [] as string[] };

test.beforeEach(({ page, watch }) => {
  expect(below, 'SPIRAL_E2E_BELOW_URL, as `cargo xtask test e2e` says it').not.toBe('');
  // A page that asks before it is known who looks at it is refused, and the browser says so in its console.
  watch.allow(/401/u);
  asked.beside = [];
  asked.failed = [];
  page.on('request', (request) => {
    if (!`${request.url()}/`.startsWith(`${below}/`) && !request.url().startsWith('blob:')) asked.beside.push(request.url());
  });
  page.on('response', (response) => {
    if (response.status() >= 400 && response.status() !== 401) asked.failed.push(`${response.status()} ${response.url()}`);
  });
});

test.afterEach(() => {
  expect(asked).toEqual({ beside: [], failed: [] });
});

async function signIn(page: Page): Promise<void> {
  await page.getByLabel('Access token', { exact: true }).fill(admin);
  await page.keyboard.press('Enter');
  await expect(page.getByRole('button', { name: 'Sign out' })).toBeVisible();
}

test('from a deep link through the login and back to it, and out again', async ({ page, context }) => {
  await page.goto('./queues');
  await expect(page).toHaveURL(`${below}/login?from=%2Fqueues`);
  await signIn(page);
  await expect(page).toHaveURL(`${below}/queues`);
  await expect(page.getByRole('listitem', { name: 'Queue default' })).toBeVisible();
  const [cookie] = await context.cookies(below);
  expect(cookie).toMatchObject({ name: 'spiral_session', path: new URL(below).pathname });
  await page.getByRole('button', { name: 'Sign out' }).click();
  await expect(page).toHaveURL(`${below}/login`);
  expect(await context.cookies(below)).toEqual([]);
});

test('every page opens from the navigation and again when it is loaded anew', async ({ page }) => {
  await page.goto('./login');
  await signIn(page);
  const links = page.getByRole('navigation', { name: 'Pages' }).getByRole('link');
  const names = await links.allTextContents();
  expect(names.length).toBeGreaterThan(8);
  for (const name of names) {
    const link = links.filter({ hasText: new RegExp(`^${name}$`, 'u') });
    await link.click();
    await expect(link).toHaveAttribute('aria-current', 'page');
    await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
    const address = page.url();
    await page.reload();
    expect(page.url()).toBe(address);
    await expect(link).toHaveAttribute('aria-current', 'page');
    await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
    await expect(page.getByText('Live', { exact: true })).toBeVisible();
  }
  for (const address of ['./settings', './functions/http_request', './schedules/new', './no/such/page']) {
    await page.goto(address);
    await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
  }
});

test('a call completes before one’s eyes, and its page and its file are there', async ({ page }) => {
  // Without the slash at the end as well.
  await page.goto(below);
  await expect(page.getByText('Live', { exact: true })).toBeVisible();
  await calculate(page, 83);
  await expect(jobRow(page, 83)).toContainText('99194853094755497');
  const downloading = page.waitForEvent('download');
  await jobRow(page, 83).getByRole('link', { name: 'Download F(83)' }).click();
  expect((await downloading).suggestedFilename()).toMatch(/^fibonacci-.*\.txt$/u);
  await jobRow(page, 83).getByRole('link', { name: 'F(83)', exact: true }).click();
  await expect(page.getByRole('heading', { name: 'fibonacci(index: 83)' })).toBeVisible();
  expect(page.url()).toMatch(new RegExp(`^${below}/jobs/[0-9A-Z]{26}$`, 'u'));
  await page.reload();
  await expect(page.getByRole('heading', { name: 'fibonacci(index: 83)' })).toBeVisible();
});

test('keys, the way past the navigation, icons and fonts work as at the root', async ({ page }) => {
  await page.goto('./login');
  await signIn(page);
  await page.keyboard.press('g');
  await page.keyboard.press('f');
  await expect(page).toHaveURL(`${below}/`);
  await expect(indexField(page)).toBeVisible();
  await page.keyboard.press('/');
  await expect(indexField(page)).toBeFocused();
  await page.reload();
  // Before it is there, Tab leads nowhere.
  await expect(indexField(page)).toBeVisible();
  await page.keyboard.press('Tab');
  await expect(page.getByRole('link', { name: 'Skip to the content' })).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(`${below}/#main`);
  await expect(page.getByRole('main')).toBeFocused();
  const icon = await page.locator('link[rel="icon"]').evaluate((link: HTMLLinkElement) => link.href);
  expect((await page.request.get(icon)).headers()['content-type']).toBe('image/svg+xml');
  const fonts = await page.evaluate(async () => {
    await document.fonts.ready;
    return [...document.fonts].filter(({ status }) => status === 'loaded').map(({ family }) => family);
  });
  expect(fonts.length).toBeGreaterThan(0);
});

test('the documentation of the API reads the document there, which says where the API is', async ({ page }) => {
  await page.goto('./api/docs');
  await expect(page).toHaveURL(`${below}/api/docs/`);
  await expect(page.getByRole('heading', { name: /^Spiral/u })).toBeVisible();
  const document: unknown = await (await page.request.get('./api/openapi.json')).json();
  expect(document).toMatchObject({ servers: [{ url: new URL(below).pathname }] });
});
