/** Who may do what, through the real stack: an API with tokens, where Fibonacci is public. */
import AxeBuilder from '@axe-core/playwright';
import type { Locator, Page } from '@playwright/test';
import { calculate, expect, jobRow, test } from './spiral';

const { SPIRAL_E2E_LOCKED_URL: baseURL, SPIRAL_ADMIN_TOKEN: admin = '', SPIRAL_VIEWER_TOKEN: viewer = '' } = process.env;

test.use({ ...(baseURL === undefined ? {} : { baseURL }) });

function tokenField(page: Page) {
  return page.getByLabel('Access token', { exact: true });
}

async function signIn(page: Page, token: string): Promise<void> {
  await page.goto('/login');
  await tokenField(page).fill(token);
  await page.keyboard.press('Enter');
  await expect(page.getByRole('button', { name: 'Sign out' })).toBeVisible();
}

/** By Tab, as somebody without a mouse gets there. */
async function tabTo(page: Page, goal: Locator): Promise<void> {
  const arrived = () => goal.evaluate((element) => element === document.activeElement);
  for (let presses = 0; presses < 60 && !(await arrived()); presses += 1) await page.keyboard.press('Tab');
  await expect(goal).toBeFocused();
}

test.beforeEach(({ watch }) => {
  // A page that asks before it is known who looks at it is refused, and the browser says so in its console.
  watch.allow(/401|429/u);
});

test('with the keyboard alone: from the login to a paused queue, its entry in the audit log, and out again', async ({ page }) => {
  await page.goto('/queues');
  await expect(tokenField(page)).toBeFocused();
  expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);
  await page.keyboard.type('this is wrong');
  await page.keyboard.press('Enter');
  await expect(page.getByText('That is no token of this Spiral.')).toBeVisible();
  await expect(tokenField(page)).toBeFocused();
  await page.keyboard.type(admin);
  await page.keyboard.press('Enter');
  await expect(page.getByRole('heading', { name: 'Queues', level: 1 })).toBeVisible();
  await expect(page.getByText('Live', { exact: true })).toBeVisible();
  const pause = page.getByRole('button', { name: 'Pause the queue default' });
  await pause.focus();
  await page.keyboard.press('Enter');
  const resume = page.getByRole('button', { name: 'Resume the queue default' });
  await expect(resume).toBeVisible();
  await resume.focus();
  await page.keyboard.press('Enter');
  await expect(pause).toBeVisible();

  await page.keyboard.press('g');
  await page.keyboard.press('a');
  const changes = page.getByRole('table', { name: 'Changes' });
  await expect(changes.getByRole('row').nth(1)).toContainText('Resume queue');
  await expect(changes.getByRole('row').nth(2)).toContainText('Pause queue');
  expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);
  await page.getByLabel('Action', { exact: true }).fill('pause_queue');
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/action=pause_queue/u);
  await expect(changes.getByRole('row').nth(1)).toContainText('Pause queue');

  await page.getByRole('button', { name: 'Sign out' }).focus();
  await page.keyboard.press('Enter');
  await expect(tokenField(page)).toBeVisible();
  await page.goto('/queues');
  await expect(tokenField(page)).toBeVisible();
});

test('with the keyboard alone: from the login to a dead job that runs again', async ({ page, request }) => {
  test.setTimeout(180_000);
  const input = { failures: 1, how: 'fatal', output: `login-${Date.now()}` };
  const answer = await request.post('/api/v1/functions/flaky/jobs?wait=30s', {
    data: { input },
    headers: { authorization: `Bearer ${admin}` },
  });
  const { id, state } = (await answer.json()) as { id: string; state: string };
  expect(state).toBe('dead');

  await page.goto('/jobs');
  await expect(page).toHaveURL(/\/login\?from=/u);
  await expect(tokenField(page)).toBeFocused();
  await page.keyboard.type(admin);
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/\/jobs$/u);
  await expect(page.getByText('Live', { exact: true })).toBeVisible();
  await expect(page.locator('[data-row]').first()).toBeVisible();

  await page.keyboard.press('/');
  await page.keyboard.type(`${id} state:dead`);
  await page.keyboard.press('Escape');
  await page.keyboard.press('Enter');
  await expect(page.locator('[data-row]')).toHaveCount(1);
  await page.keyboard.press('Tab');
  await page.keyboard.press('j');
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(new RegExp(`/jobs/${id}`, 'u'));
  const again = page.getByRole('button', { name: 'Retry' });
  await expect(again).toBeVisible();
  await tabTo(page, again);
  await page.keyboard.press('Enter');
  await expect(page.getByRole('main').getByText('completed', { exact: true })).toBeVisible();
  await expect(page.getByRole('status', { name: 'Outcome' })).toContainText('The job is queued again');
});

test('a session is nothing that a script can read, and it outlives the tab', async ({ page, context }) => {
  await signIn(page, viewer);
  expect(await page.evaluate(() => document.cookie)).toBe('');
  const [cookie] = await context.cookies();
  expect(cookie).toMatchObject({ name: 'spiral_session', httpOnly: true, sameSite: 'Strict' });
  const other = await context.newPage();
  await other.goto('/jobs');
  await expect(other.getByRole('button', { name: 'Sign out' })).toBeVisible();
  await expect(other.getByText('Live', { exact: true })).toBeVisible();
});

test('a viewer looks at everything and is offered no change', async ({ page, watch }) => {
  // What it tries past the page.
  watch.allow(/403/u);
  await signIn(page, viewer);
  await page.goto('/queues');
  await expect(page.getByText(/You are a viewer/u)).toBeVisible();
  await expect(page.getByRole('listitem', { name: 'Queue default' })).toBeVisible();
  await expect(page.getByRole('main').getByRole('button')).toHaveCount(0);
  await page.setViewportSize({ width: 390, height: 844 });
  const [content, room] = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
  expect(content).toBeLessThanOrEqual(room);
  await expect(page.getByRole('button', { name: 'Sign out' })).toBeInViewport({ ratio: 1 });
  await page.goto('/schedules');
  await expect(page.getByRole('heading', { name: 'Schedules', level: 1 })).toBeVisible();
  await expect(page.getByRole('link', { name: 'New schedule' })).toHaveCount(0);
  const refused = await page.evaluate(async () => (await fetch('/api/v1/queues/default/pause', { method: 'POST' })).status);
  expect(refused).toBe(403);
});

test('a visitor calculates, watches and downloads, and is asked who they are elsewhere', async ({ page }) => {
  await page.goto('/');
  await expect(page.getByText('Live', { exact: true })).toBeVisible();
  await calculate(page, 87);
  await expect(jobRow(page, 87)).toContainText('679891637638612258');
  const downloading = page.waitForEvent('download');
  await jobRow(page, 87).getByRole('link', { name: 'Download F(87)' }).click();
  expect((await downloading).suggestedFilename()).toMatch(/^fibonacci-.*\.txt$/u);
  await page.goto('/jobs');
  await expect(tokenField(page)).toBeVisible();
  await expect(page).toHaveURL(/\/login\?from=/u);
});

test('attempts to sign in are limited', async ({ page }) => {
  await page.goto('/login');
  for (let attempt = 0; attempt < 30; attempt += 1) {
    await tokenField(page).fill(`attempt ${attempt}`);
    const answered = page.waitForResponse((response) => response.request().method() === 'POST');
    await page.keyboard.press('Enter');
    if ((await answered).status() === 429) break;
  }
  await expect(page.getByText(/Too many attempts to sign in came from your address/u)).toBeVisible();
});

test('settings: the zone of times and the density are kept', async ({ page }) => {
  await page.goto('/settings');
  await page.getByLabel('Time zone of times').selectOption('Asia/Tokyo');
  await page.getByRole('radio', { name: 'Compact' }).check();
  expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);
  await page.reload();
  await expect(page.getByLabel('Time zone of times')).toHaveValue('Asia/Tokyo');
  await expect(page.locator('html')).toHaveAttribute('data-density', 'compact');
});
