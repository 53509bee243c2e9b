import { expect, test } from 'vitest';
import { completed, job, patch } from '../testing/jobs';
import { PatchLog } from './patch-log';

test('a list that is read just after an event is not older than the event', () => {
  const log = new PatchLog();
  log.record([patch(1, { state: 'completed', output: '1' })], 0);
  const page = log.page({ jobs: [job(2), job(1, { state: 'running' })], next_cursor: null });
  expect(page.jobs.map(({ state }) => state)).toEqual(['queued', 'completed']);
});

test('one that is newer stays as it is', () => {
  const log = new PatchLog();
  log.record([patch(1)], 0);
  const done = completed(1, '1');
  expect(log.job(done)).toBe(done);
});

test('forgets after half a minute', () => {
  const log = new PatchLog();
  log.record([patch(1)], 0);
  log.record([patch(2)], 30_001);
  expect(log.job(job(1)).state).toBe('queued');
  expect(log.job(job(2)).state).toBe('running');
});

test('never holds more than it may, however many come', () => {
  const log = new PatchLog();
  log.record(
    Array.from({ length: 5001 }, (_, number) => patch(number)),
    0,
  );
  expect(log.job(job(0)).state).toBe('queued');
  expect(log.job(job(1)).state).toBe('running');
});
