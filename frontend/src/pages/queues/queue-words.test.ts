import { expect, test } from 'vitest';
import { queue } from '../../testing/queues';
import { limitsText, remarksOn } from './queue-words';

test.each([
  [{}, []],
  [{ queued: 3 }, []],
  [{ paused: true }, ['note: Paused: new jobs wait until it is resumed.']],
  [{ paused: true, queued: 1204 }, ['trouble: Paused, and 1,204 jobs wait. Resume it to let them run.']],
  [{ paused: true, queued: 1 }, ['trouble: Paused, and 1 job waits. Resume it to let them run.']],
  [{ workers: 0 }, ['note: No worker serves this queue.']],
  [{ workers: 0, queued: 2 }, ['trouble: No worker serves this queue: 2 jobs wait. Start one that does.']],
  [
    { concurrency: 2, running: 2, queued: 5 },
    ['note: All 2 slots are in use: 5 jobs wait. The concurrency limit is reached.'],
  ],
  [{ concurrency: 2, running: 1, queued: 5 }, []],
  [
    { rate: { jobs: 1, period_seconds: 1, burst: 1 }, queued: 5 },
    ['note: 5 jobs wait. The rate limit is reached.'],
  ],
])('%j is told as %j', (changes, told) => {
  expect(remarksOn(queue('mail', changes)).map(({ kind, text }) => `${kind}: ${text}`)).toEqual(told);
});

test.each([
  [{}, 'No limits'],
  [{ concurrency: 1 }, 'At most 1 job at a time'],
  [{ rate: { jobs: 1000, period_seconds: 60, burst: 1000 } }, 'At most 1,000 jobs in a minute'],
  [
    { concurrency: 10, rate: { jobs: 5, period_seconds: 0.5, burst: 20 } },
    'At most 10 jobs at a time, at most 5 jobs in 0.5 seconds, 20 at once after an idle time',
  ],
])('limits of %j', (changes, text) => {
  expect(limitsText(queue('mail', changes))).toBe(text);
});
