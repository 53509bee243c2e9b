import { expect, test } from 'vitest';
import { mergeLines, RecentLines } from './log-lines';
import type { LogLine } from './types';

function line(attempt: number, number: number, text = `${attempt}.${number}`): LogLine {
  return { attempt, number, at: '2026-01-02T03:04:05.000Z', text };
}

test('lines stand in their order, each once', () => {
  const known = [line(1, 1), line(2, 1)];
  const merged = mergeLines(known, [line(2, 2), line(1, 2), line(1, 1, 'again')]);
  expect(merged.map(({ text }) => text)).toEqual(['1.1', '1.2', '2.1', '2.2']);
});

test('nothing new is no change', () => {
  const known = [line(1, 1)];
  expect(mergeLines(known, [line(1, 1)])).toBe(known);
});

test('lines of the last half minute are kept, older ones go', () => {
  const recent = new RecentLines();
  recent.record('a', [line(1, 1)], 0);
  recent.record('b', [line(1, 1)], 20_000);
  recent.record('a', [line(1, 2)], 25_000);
  expect(recent.of('a')).toHaveLength(2);
  recent.record('c', [line(1, 1)], 52_000);
  expect(recent.of('b')).toEqual([]);
  expect(recent.of('a')).toHaveLength(2);
});

test('however many jobs log, only so many are kept', () => {
  const recent = new RecentLines();
  for (let job = 0; job < 600; job += 1) recent.record(String(job), [line(1, 1)], 0);
  expect(recent.of('99')).toEqual([]);
  expect(recent.of('100')).toHaveLength(1);
});
