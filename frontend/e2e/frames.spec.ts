/**
 * The jobs page under load, with limits that a slow machine keeps; `cargo xtask bench frames` measures a million rows.
 * What is really demanded here: rows stay under the eye and under the pointer, and nothing hangs.
 */
import { workWithJobs } from './busy-jobs';
import { keepCalling } from './load';
import { expect, test } from './spiral';

const CALLS_PER_SECOND = 60;

test('while jobs stream in, the page of jobs can be watched, scrolled, read, searched and selected from', async ({ page, request, baseURL }) => {
  test.setTimeout(300_000);
  for (let batch = 0; batch < 2; batch += 1) {
    const jobs = Array.from({ length: 1000 }, (_, index) => ({ function: 'echo', input: { batch, index } }));
    expect((await request.post('/api/v1/batches', { data: { jobs } })).status()).toBe(202);
  }
  await page.goto('/jobs');
  await expect(page.getByText('Live', { exact: true })).toBeVisible();
  await expect(page.locator('[data-row]').first()).toBeVisible();
  const load = keepCalling(baseURL ?? '', CALLS_PER_SECOND);
  try {
    const done = await workWithJobs(page);
    expect(load.refused()).toBeNull();
    expect(load.eventsPerSecond()).toBeGreaterThan(10);
    for (const { what, p95, longestTask, answer } of done) {
      expect.soft(p95, `${what}: 95 of 100 frames, ms`).toBeLessThan(500);
      expect.soft(longestTask, `${what}: the longest task, ms`).toBeLessThan(3000);
      expect.soft(answer, `${what}: the slowest answer, ms`).toBeLessThan(3000);
    }
  } finally {
    await load.stop();
  }
});
