import { expect, test } from 'vitest';
import { AT, detail, patch } from '../testing/jobs';
import { patchDetail } from './patch-detail';

const LATER = '2026-01-02T03:04:06.000Z';
const error = { kind: 'error', message: 'broken' };

test('an attempt begins, fails, and the next one succeeds', () => {
  const begun = patchDetail(detail(1), patch(1, { attempt: 1, worker: 'w1', started_at: AT }));
  expect(begun.attempts).toEqual([{ number: 1, worker: 'w1', started_at: AT, finished_at: null, error: null, outcome: null }]);

  const failed = patchDetail(begun, patch(1, { state: 'retrying', attempt: 1, worker: 'w1', at: LATER, error }));
  expect(failed.attempts).toEqual([{ number: 1, worker: 'w1', started_at: AT, finished_at: LATER, error, outcome: 'failed' }]);

  const again = patchDetail(failed, patch(1, { attempt: 2, worker: 'w2', started_at: LATER }));
  const done = patchDetail(
    again,
    patch(1, { state: 'completed', attempt: 2, worker: 'w2', started_at: LATER, finished_at: LATER, output: 1 }),
  );
  expect(done).toMatchObject({ state: 'completed', output: 1, error: null });
  expect(done.attempts).toEqual([
    { number: 1, worker: 'w1', started_at: AT, finished_at: LATER, error, outcome: 'failed' },
    { number: 2, worker: 'w2', started_at: LATER, finished_at: LATER, error: null, outcome: 'completed' },
  ]);
});

test('an attempt that a stopping worker gives back does not count', () => {
  const running = patchDetail(detail(1), patch(1, { attempt: 1, worker: 'w1', started_at: AT }));
  expect(patchDetail(running, patch(1, { state: 'queued', attempt: 0 })).attempts).toEqual([]);
});

test('what an attempt notes does not take away who runs it', () => {
  const running = patchDetail(detail(1), patch(1, { attempt: 1, worker: 'w1', started_at: AT }));
  const noted = patchDetail(running, patch(1, { attempt: 1, progress: 0.5 }));
  expect(noted.progress).toBe(0.5);
  expect(noted.attempts).toEqual(running.attempts);
});

test('a job that waits for its next attempt and is cancelled keeps the end of the one before', () => {
  const failed = patchDetail(detail(1), patch(1, { state: 'retrying', attempt: 1, started_at: AT, at: AT, error }));
  const cancelled = patchDetail(failed, patch(1, { state: 'cancelled', attempt: 1, at: LATER, finished_at: LATER }));
  expect(cancelled.attempts).toMatchObject([{ number: 1, finished_at: AT, error }]);
});

test('what comes after the end changes nothing', () => {
  const done = detail(1, { state: 'completed' });
  expect(patchDetail(done, patch(1, { attempt: 2 }))).toBe(done);
});
