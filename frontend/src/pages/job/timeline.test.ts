import { expect, test } from 'vitest';
import type { Attempt, HistoryEntry } from '../../api/types';
import { detail } from '../../testing/jobs';
import { timelineOf, type Step } from './timeline';

function at(second: number): string {
  return new Date(Date.UTC(2026, 0, 2, 3, 4, second)).toISOString();
}

function attempt(number: number, changes: Partial<Attempt>): Attempt {
  return { number, worker: `w${number}`, started_at: null, finished_at: null, error: null, outcome: changes.error == null ? null : 'failed', ...changes };
}

const error = { kind: 'error', message: 'broken' };

function told(steps: readonly Step[]): unknown[] {
  return steps.map(({ name, state, spans }) => [name, state, ...spans.map(({ what, from, to }) => [what, from, to])]);
}

test('a job that waits', () => {
  expect(told(timelineOf(detail(1, { created_at: at(0) })))).toEqual([
    ['Created', 'queued', ['Waiting for a worker', at(0), null]],
  ]);
});

test('a job that waits for its time, and one whose time has come', () => {
  const scheduled = detail(1, { state: 'scheduled', created_at: at(0), run_at: at(9) });
  expect(told(timelineOf(scheduled))).toEqual([['Created', 'queued', ['Waiting for its scheduled time', at(0), null]]]);
  expect(told(timelineOf({ ...scheduled, state: 'queued' }))).toEqual([
    ['Created', 'queued', ['Waited for its scheduled time', at(0), at(9)], ['Waiting for a worker', at(9), null]],
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
    ['Completed', 'completed', ['Total', at(0), at(7)]],
  ]);
  expect(steps.map(({ failure }) => failure)).toEqual([null, 'error', null, null]);
});

test('an attempt that runs, one that will be tried again, one that was the last', () => {
  const running = detail(1, { state: 'running', created_at: at(0), attempts: [attempt(1, { started_at: at(1) })] });
  expect(told(timelineOf(running))[1]).toEqual(['Attempt 1', 'running', ['Running on w1', at(1), null]]);

  const failed = { ...running, attempts: [attempt(1, { started_at: at(1), finished_at: at(2), error })] };
  expect(told(timelineOf({ ...failed, state: 'retrying' }))[1]).toEqual([
    'Attempt 1',
    'retrying',
    ['Ran on w1', at(1), at(2)],
    ['Waiting for the next attempt', at(2), null],
  ]);
  expect(told(timelineOf({ ...failed, state: 'dead', finished_at: at(2) })).slice(1)).toEqual([
    ['Attempt 1', 'dead', ['Ran on w1', at(1), at(2)]],
    ['Dead', 'dead', ['Total', at(0), at(2)]],
  ]);
});

test('a job that was cancelled before anybody ran it', () => {
  expect(told(timelineOf(detail(1, { state: 'cancelled', created_at: at(0), finished_at: at(4) })))).toEqual([
    ['Created', 'queued', ['Waited for a worker', at(0), at(4)]],
    ['Cancelled', 'cancelled', ['Total', at(0), at(4)]],
  ]);
});

test('an attempt whose worker vanished before it told anything', () => {
  const steps = timelineOf(detail(1, { state: 'running', created_at: at(0), attempts: [attempt(1, { worker: null })] }));
  expect(told(steps)).toEqual([
    ['Created', 'queued'],
    ['Attempt 1', 'running'],
  ]);
});

const admin = { role: 'admin', address: '192.0.2.7' };

function entry(action: HistoryEntry['action'], second: number, changes: Partial<HistoryEntry> = {}): HistoryEntry {
  return { action, at: at(second), by: admin, job_action_id: null, attempt: 0, state: null, ended_at: null, ...changes };
}

test('a dead job that was retried: its end, who retried it, and no wait for an attempt in between', () => {
  const steps = timelineOf(
    detail(1, {
      state: 'completed',
      created_at: at(0),
      finished_at: at(32),
      attempts: [
        attempt(1, { started_at: at(1), finished_at: at(2), error }),
        attempt(2, { started_at: at(31), finished_at: at(32), outcome: 'completed' }),
      ],
      history: [entry('retry', 30, { attempt: 1, state: 'dead', ended_at: at(2) })],
    }),
  );
  expect(told(steps)).toEqual([
    ['Created', 'queued', ['Waited', at(0), at(1)]],
    ['Attempt 1', 'dead', ['Ran on w1', at(1), at(2)]],
    ['Dead', 'dead'],
    ['Retried', 'queued', ['Waited for a worker', at(30), at(31)]],
    ['Attempt 2', 'completed', ['Ran on w2', at(31), at(32)]],
    ['Completed', 'completed', ['Total', at(0), at(32)]],
  ]);
  expect(steps.map(({ by }) => by)).toEqual([null, null, null, 'by admin from 192.0.2.7', null, null]);
});

test('a completed job that runs again keeps its first success', () => {
  const steps = timelineOf(
    detail(1, {
      state: 'running',
      created_at: at(0),
      attempts: [
        attempt(1, { started_at: at(1), finished_at: at(2), outcome: 'completed' }),
        attempt(2, { started_at: at(31) }),
      ],
      history: [entry('retry', 30, { attempt: 1, state: 'completed', ended_at: at(2), job_action_id: '01JD', by: null })],
    }),
  );
  expect(steps.map(({ name, state }) => `${name} ${state}`)).toEqual([
    'Created queued',
    'Attempt 1 completed',
    'Completed completed',
    'Retried queued',
    'Attempt 2 running',
  ]);
  expect(steps[3]?.by).toBe('by an unknown user, with a bulk action');
});

test('who asked for its cancellation, and when', () => {
  const steps = timelineOf(
    detail(1, {
      state: 'cancelled',
      created_at: at(0),
      finished_at: at(6),
      attempts: [attempt(1, { started_at: at(1), finished_at: at(6), outcome: 'cancelled' })],
      history: [entry('cancel', 5, { attempt: 1, by: { role: 'admin', address: null } })],
    }),
  );
  expect(steps.map(({ name, by }) => [name, by])).toEqual([
    ['Created', null],
    ['Attempt 1', null],
    ['Cancel requested', 'by admin'],
    ['Cancelled', null],
  ]);
});

test('a job whose state is dead waits for nothing, whatever comes after', () => {
  const failed = [attempt(1, { started_at: at(1), finished_at: at(2), error })];
  const dead = detail(1, { state: 'dead', created_at: at(0), finished_at: at(2), attempts: failed });
  expect(JSON.stringify(timelineOf(dead))).not.toContain('next attempt');
  const again = { ...dead, state: 'queued' as const, finished_at: null, history: [entry('retry', 9, { attempt: 1, state: 'dead', ended_at: at(2) })] };
  expect(JSON.stringify(timelineOf(again))).not.toContain('next attempt');
  expect(told(timelineOf(again)).at(-1)).toEqual(['Retried', 'queued', ['Waiting for a worker', at(9), null]]);
});
