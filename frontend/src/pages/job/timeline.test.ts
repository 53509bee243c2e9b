import { expect, test } from 'vitest';
import type { Attempt } from '../../api/types';
import { detail } from '../../testing/jobs';
import { timelineOf, type Step } from './timeline';

function at(second: number): string {
  return new Date(Date.UTC(2026, 0, 2, 3, 4, second)).toISOString();
}

function attempt(number: number, changes: Partial<Attempt>): Attempt {
  return { number, worker: `w${number}`, started_at: null, finished_at: null, error: null, ...changes };
}

const error = { kind: 'error', message: 'broken' };

function told(steps: readonly Step[]): unknown[] {
  return steps.map(({ name, state, spans }) => [name, state, ...spans.map(({ what, from, to }) => [what, from, to])]);
}

test('a job that waits', () => {
  expect(told(timelineOf(detail(1, { created_at: at(0) })))).toEqual([
    ['Created', 'queued', ['Waits for a worker', at(0), null]],
  ]);
});

test('a job that waits for its time, and one whose time has come', () => {
  const scheduled = detail(1, { state: 'scheduled', created_at: at(0), run_at: at(9) });
  expect(told(timelineOf(scheduled))).toEqual([['Created', 'queued', ['Waits for its time', at(0), null]]]);
  expect(told(timelineOf({ ...scheduled, state: 'queued' }))).toEqual([
    ['Created', 'queued', ['Waited for its time', at(0), at(9)], ['Waits for a worker', at(9), null]],
  ]);
});

test('from a failure to the end', () => {
  const steps = timelineOf(
    detail(1, {
      state: 'completed',
      created_at: at(0),
      // The wait before the second attempt, not what the caller asked for.
      run_at: at(5),
      finished_at: at(7),
      attempts: [
        attempt(1, { started_at: at(1), finished_at: at(3), error }),
        attempt(2, { started_at: at(6), finished_at: at(7) }),
      ],
    }),
  );
  expect(told(steps)).toEqual([
    ['Created', 'queued', ['Waited', at(0), at(1)]],
    ['Attempt 1', 'retrying', ['Ran on w1', at(1), at(3)], ['Waited for the next attempt', at(3), at(6)]],
    ['Attempt 2', 'completed', ['Ran on w2', at(6), at(7)]],
    ['Completed', 'completed', ['In all', at(0), at(7)]],
  ]);
  expect(steps.map(({ failure }) => failure)).toEqual([null, 'error', null, null]);
});

test('an attempt that runs, one that will be tried again, one that was the last', () => {
  const running = detail(1, { state: 'running', created_at: at(0), attempts: [attempt(1, { started_at: at(1) })] });
  expect(told(timelineOf(running))[1]).toEqual(['Attempt 1', 'running', ['Runs on w1', at(1), null]]);

  const failed = { ...running, attempts: [attempt(1, { started_at: at(1), finished_at: at(2), error })] };
  expect(told(timelineOf({ ...failed, state: 'retrying' }))[1]).toEqual([
    'Attempt 1',
    'retrying',
    ['Ran on w1', at(1), at(2)],
    ['Waits for the next attempt', at(2), null],
  ]);
  expect(told(timelineOf({ ...failed, state: 'dead', finished_at: at(2) })).slice(1)).toEqual([
    ['Attempt 1', 'dead', ['Ran on w1', at(1), at(2)]],
    ['Dead', 'dead', ['In all', at(0), at(2)]],
  ]);
});

test('a job that was cancelled before anybody ran it', () => {
  expect(told(timelineOf(detail(1, { state: 'cancelled', created_at: at(0), finished_at: at(4) })))).toEqual([
    ['Created', 'queued', ['Waited for a worker', at(0), at(4)]],
    ['Cancelled', 'cancelled', ['In all', at(0), at(4)]],
  ]);
});

test('an attempt whose worker vanished before it told anything', () => {
  const steps = timelineOf(detail(1, { state: 'running', created_at: at(0), attempts: [attempt(1, { worker: null })] }));
  expect(told(steps)).toEqual([
    ['Created', 'queued'],
    ['Attempt 1', 'running'],
  ]);
});
