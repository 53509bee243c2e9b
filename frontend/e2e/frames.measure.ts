/** Prints how smoothly the page of jobs runs in front of the Spiral at SPIRAL_E2E_URL, while 500 events a second come in. */
import { workWithJobs, type Done } from './busy-jobs';
import { keepCalling } from './load';
import { expect, test } from './spiral';

/** Each makes two or three events. */
const CALLS_PER_SECOND = Number(process.env.SPIRAL_CALLS_PER_SECOND ?? 200);
const ROUNDS = 3;
/** A frame of 50 ms is where the eye begins to see steps. */
const P95_WHILE_SCROLLING_MS = 50;

test('the page of jobs, watched and used while events stream in', async ({ page, request, baseURL }) => {
  const overview = (await (await request.get('/api/v1/overview')).json()) as { counts: Record<string, number> };
  const rows = Object.values(overview.counts).reduce((sum, count) => sum + count, 0);
  await page.goto('/jobs');
  await expect(page.getByText('Live', { exact: true })).toBeVisible();
  const load = keepCalling(baseURL ?? '', CALLS_PER_SECOND);
  await expect(page.locator('[data-row]').first()).toBeVisible();
  await page.waitForTimeout(3000);
  const rounds: Done[][] = [];
  const paces: number[] = [];
  load.eventsPerSecond();
  try {
    for (let round = 0; round < ROUNDS; round += 1) {
      rounds.push(await workWithJobs(page));
      paces.push(load.eventsPerSecond());
    }
  } finally {
    await load.stop();
  }
  expect(load.refused()).toBeNull();

  const ms = (value: number) => `${Math.round(value)} ms`;
  const lines = (rounds[0] ?? []).map(({ what }, step) => {
    const all = rounds.flatMap((round) => round[step] ?? []);
    const median = (of: (done: (typeof all)[number]) => number) => all.map(of).toSorted((a, b) => a - b)[Math.floor(all.length / 2)] ?? 0;
    const worst = (of: (done: (typeof all)[number]) => number) => Math.max(...all.map(of));
    const answer = worst(({ answer: slowest }) => slowest);
    return `| ${[
      what,
      ms(median(({ p50 }) => p50)),
      ms(median(({ p95 }) => p95)),
      ms(worst(({ longest }) => longest)),
      `${median(({ longTasks }) => longTasks)}, at most ${ms(worst(({ longestTask }) => longestTask))}`,
      answer === 0 ? '–' : ms(answer),
    ].join(' | ')} |`;
  });
  const pace = Math.round(Math.min(...paces));
  console.log(`\n${rows.toLocaleString('en')} jobs, ${pace} events a second in the slowest of ${ROUNDS} rounds, ${load.accepted().toLocaleString('en')} calls\n`);
  console.log('| what is done | frame, p50 | p95 | longest | long tasks | slowest answer to a hand |\n| --- | --- | --- | --- | --- | --- |');
  console.log(`${lines.join('\n')}\n`);

  const scrolling = rounds.map((round) => round.find(({ what }) => what === 'scrolling')?.p95 ?? Infinity);
  expect(scrolling.toSorted((a, b) => a - b)[1], '95 of 100 frames while scrolling').toBeLessThan(P95_WHILE_SCROLLING_MS);
});
