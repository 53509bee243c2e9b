import { calculate, expect, jobRow, openLive, test } from './spiral';

test('a link to the jobs works when it is opened directly, with its filters', async ({ page, request }) => {
  await request.post('/api/values?wait=30s', { data: { index: 80 } });
  await page.goto('/jobs?state=completed&function=fibonacci');
  await expect(page.getByRole('heading', { name: 'Jobs' })).toBeVisible();
  const states = page.getByRole('navigation', { name: 'State' });
  await expect(states.getByRole('link', { name: 'completed' })).toHaveAttribute('aria-current', 'page');
  await expect(page.getByRole('row').filter({ hasText: '{"index":80}' }).first()).toBeVisible();
  await page.goto('/jobs?state=cancelled&function=nothing');
  await expect(page.getByText('No jobs match these filters')).toBeVisible();
  await states.getByRole('link', { name: 'dead' }).click();
  await expect(page).toHaveURL(/q=state%3Adead/u);
  await expect(page.getByRole('combobox', { name: 'Search the jobs' })).toHaveValue('state:dead function:nothing');
  await page.reload();
  await expect(states.getByRole('link', { name: 'dead' })).toHaveAttribute('aria-current', 'page');
  await expect(page.getByRole('combobox', { name: 'Function' })).toHaveValue('nothing');
});

test('older jobs come by themselves, and only the rows in sight are in the page', async ({ page, request }) => {
  const jobs = Array.from({ length: 400 }, (_, index) => ({ function: 'fibonacci', input: { index } }));
  expect((await request.post('/api/v1/batches', { data: { jobs } })).status()).toBe(202);
  await page.goto('/jobs');
  const table = page.getByRole('table', { name: 'Jobs, newest first' });
  const loaded = async () => Number(await table.getAttribute('aria-rowcount'));
  await expect.poll(loaded).toBeGreaterThan(50);
  for (const rows of [150, 250]) {
    await expect
      .poll(async () => {
        await page.mouse.wheel(0, 20_000);
        return loaded();
      })
      .toBeGreaterThan(rows);
  }
  expect(await page.getByRole('row').count()).toBeLessThan(80);
});

test('the columns of the table are chosen', async ({ page }) => {
  await page.goto('/jobs');
  await expect(page.getByRole('columnheader', { name: 'Queue' })).toHaveCount(0);
  await page.getByText('Columns', { exact: true }).click();
  await page.getByRole('checkbox', { name: 'Queue' }).check();
  await page.keyboard.press('Escape');
  await expect(page.getByRole('checkbox', { name: 'Queue' })).toBeHidden();
  await page.reload();
  await expect(page.getByRole('columnheader', { name: 'Queue' })).toBeVisible();
});

test('from page to page without loading anew, and back', async ({ page }) => {
  await openLive(page);
  await calculate(page, 81);
  await jobRow(page, 81).getByRole('link', { name: 'F(81)', exact: true }).click();
  await expect(page.getByRole('heading', { name: 'fibonacci(index: 81)' })).toBeVisible();
  await expect(page).toHaveTitle('fibonacci(index: 81) · Spiral');
  await page.goBack();
  await expect(jobRow(page, 81)).toBeVisible();
});

test('an address that is no page says so', async ({ page }) => {
  await page.goto('/no/such/page');
  await expect(page.getByRole('heading', { name: 'Page not found' })).toBeVisible();
  await page.getByRole('link', { name: 'See all jobs' }).click();
  await expect(page).toHaveURL(/\/jobs$/u);
});

test('a job that does not exist says so', async ({ page, watch }) => {
  watch.allow(/404/u);
  await page.goto('/jobs/01JD3Y8M5Q2W7E9R4T6Y1P0A2S');
  await expect(page.getByText('There is no job with this id')).toBeVisible();
});

test('security headers are there, and no page breaks them', async ({ page }) => {
  const violations: string[] = [];
  await page.exposeFunction('violated', (what: string) => violations.push(what));
  await page.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) => {
      (window as unknown as { violated: (what: string) => void }).violated(`${violatedDirective} ${blockedURI}`);
    });
  });
  for (const address of ['/', '/jobs', '/functions/http_request', '/schedules/new', '/no/such/page']) {
    const response = await page.goto(address);
    const headers = response?.headers() ?? {};
    const policy = headers['content-security-policy'] ?? '';
    expect(policy).toMatch(/(?:script-src|default-src) 'self'/u);
    expect(/script-src[^;]*/u.exec(policy)?.[0] ?? '').not.toContain('unsafe-inline');
    expect(headers['x-content-type-options']).toBe('nosniff');
    await expect(page.getByText('Live', { exact: true })).toBeVisible();
    await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
  }
  expect(violations).toEqual([]);
});

test('robots.txt is no page, and every page says what it is', async ({ page, request }) => {
  const robots = await request.get('/robots.txt');
  expect(robots.headers()['content-type']).toContain('text/plain');
  expect(await robots.text()).toBe('User-agent: *\nDisallow: /api/\n');
  for (const [address, title] of [['/overview', 'Overview · Spiral'], ['/jobs', 'Jobs · Spiral']] as const) {
    await page.goto(address);
    await expect(page).toHaveTitle(title);
    await expect(page.locator('meta[name="description"]')).toHaveAttribute('content', /.{40}/u);
    await expect(page.locator('html')).toHaveAttribute('lang', 'en');
  }
});

test('nothing is loaded from anywhere else', async ({ page, baseURL }) => {
  const hosts = new Set<string>();
  page.on('request', (request) => hosts.add(new URL(request.url()).origin));
  await openLive(page);
  await page.goto('/jobs');
  await expect(page.getByRole('heading', { name: 'Jobs' })).toBeVisible();
  expect([...hosts]).toEqual([new URL(baseURL ?? '').origin]);
});

for (const address of ['/', '/jobs', '/failures', '/batches', '/queues', '/workers', '/schedules', '/functions', '/functions/fibonacci']) {
  test(`nothing moves while ${address} loads`, async ({ page, request }) => {
    await request.post('/api/values?wait=30s', { data: { index: 82 } });
    await page.addInitScript(() => {
      const shifts: number[] = [];
      Object.assign(window, { shifts });
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) shifts.push((entry as unknown as { value: number }).value);
      }).observe({ type: 'layout-shift', buffered: true });
    });
    await page.goto(address);
    await expect(page.getByText('Live', { exact: true })).toBeVisible();
    await expect(page.getByRole('status', { name: /^Loading/u })).toHaveCount(0);
    await page.evaluate(() => document.fonts.ready);
    const shifts = await page.evaluate(() => (window as unknown as { shifts: number[] }).shifts);
    expect(shifts.reduce((sum, shift) => sum + shift, 0)).toBeLessThan(0.02);
  });
}
