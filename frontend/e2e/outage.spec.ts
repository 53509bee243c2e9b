/** The API is really gone, by `kill -9`, and comes back while pages are open. */
import { calculate, expect, expectNoReload, fibonacci, indexField, jobRow, openLive, test } from './spiral';
import { MortalApi, mortalUrl } from './mortal-api';

test.use({ ...(mortalUrl === undefined ? {} : { baseURL: mortalUrl }) });

const { SPIRAL_E2E_URL: other = '' } = process.env;
const api = new MortalApi();

test.beforeEach(async ({ watch }) => {
  // The browser says each request that nobody answered.
  watch.allow(/502|504|ERR_|Failed to load resource/u);
  test.setTimeout(300_000);
  await api.start();
});

test.afterEach(async () => {
  await api.kill();
});

test('while it is away the page says so and keeps what it shows; then it goes on by itself and nothing is lost', async ({ page, request }) => {
  const stamp = `outage-${Date.now()}`;
  const call = async (base: string, name: string, input: unknown) => {
    const answer = await request.post(`${base}/api/v1/functions/${name}/jobs`, { data: { input } });
    expect(answer.status()).toBe(202);
    return ((await answer.json()) as { id: string }).id;
  };
  await page.goto('/jobs');
  await expect(page.getByText('Live', { exact: true })).toBeVisible();
  const before = await call('', 'echo', `${stamp}-before`);
  // It runs while the API is away.
  const during = await call('', 'sleep', { seconds: 2 });
  const row = (text: string) => page.getByRole('row').filter({ hasText: text });
  await expect(row(`${stamp}-before`)).toContainText('completed');

  await expectNoReload(page, async () => {
    await api.kill();
    await expect(page.getByText('Reconnecting. This page may be out of date.')).toBeVisible();
    await expect(page.getByText('Not live', { exact: true })).toBeVisible();
    await expect(row(`${stamp}-before`)).toContainText('completed');
    expect((await request.get(`/api/v1/jobs/${during}`)).status()).toBe(502);
    // Another API takes calls meanwhile, and the worker runs them.
    const meanwhile = await call(other, 'echo', `${stamp}-meanwhile`);
    await expect
      .poll(async () => ((await (await request.get(`${other}/api/v1/jobs/${during}`)).json()) as { state: string }).state)
      .toBe('completed');
    await expect(row(`${stamp}-before`)).toBeVisible();
    await expect(row(`${stamp}-meanwhile`)).toHaveCount(0);

    await api.start();
    await expect(page.getByText('Live', { exact: true })).toBeVisible({ timeout: 60_000 });
    await expect(page.getByText(/^Reconnecting/u)).toHaveCount(0);
    await expect(row(`${stamp}-meanwhile`)).toContainText('completed');
    await expect(row('{"seconds":2}').first()).toContainText('completed');
    for (const id of [before, during, meanwhile]) {
      const job = (await (await request.get(`/api/v1/jobs/${id}`)).json()) as { state: string; attempt: number };
      expect(job).toMatchObject({ state: 'completed', attempt: 1 });
    }
  });
});

test('a call while it is away gets a clear error, and the same call again works', async ({ page }) => {
  await openLive(page);
  await api.kill();
  await expect(page.getByText(/^Reconnecting/u)).toBeVisible();
  await calculate(page, 71);
  await expect(page.getByRole('alert')).toContainText('The API does not answer at the moment. Try again in a few seconds.');
  await expect(indexField(page)).toHaveValue('71');
  await expect(jobRow(page, 71)).toHaveCount(0);

  await api.start();
  await expect(page.getByText('Live', { exact: true })).toBeVisible({ timeout: 60_000 });
  await calculate(page, 71);
  await expect(jobRow(page, 71)).toContainText(String(fibonacci(71)));
  await expect(page.getByRole('alert')).toHaveCount(0);
});

test('a page that is opened while it is away says so, and fills itself when it is back', async ({ page }) => {
  await api.kill();
  await page.goto('/jobs');
  await expect(page.getByText('Spiral could not be read')).toBeVisible({ timeout: 60_000 });
  const away = page.getByRole('main').getByText('The API does not answer at the moment. Try again in a few seconds.');
  await expect(away).toBeVisible({ timeout: 60_000 });
  await expect(page.getByText('Not live', { exact: true })).toBeVisible();
  await expectNoReload(page, async () => {
    await api.start();
    await expect(page.getByText('Live', { exact: true })).toBeVisible({ timeout: 60_000 });
    await expect(page.getByRole('table', { name: 'Jobs, newest first' })).toBeVisible();
    await expect(away).toHaveCount(0);
  });
});
