import { expect, test } from 'vitest';
import { ageText, durationText, runningText } from './time-text';

const START = '2026-01-02T03:04:05.000Z';

function later(ms: number): number {
  return Date.parse(START) + ms;
}

test.each([
  [0, 'now'],
  [1999, 'now'],
  [2000, '2 s ago'],
  [59_999, '59 s ago'],
  [60_000, '1 min ago'],
  [3_599_999, '59 min ago'],
  [3_600_000, '1 h ago'],
  [86_400_000 * 3, '3 d ago'],
  [-5000, 'in 5 s'],
])('%i ms later it is "%s"', (ms, text) => {
  expect(ageText(START, later(ms))).toBe(text);
});

test.each([
  [0, '< 1 ms'],
  [3, '3 ms'],
  [999, '999 ms'],
  [1240, '1.24 s'],
  [12_340, '12.3 s'],
  [125_000, '2 min 5 s'],
  [7_320_000, '2 h 2 min'],
  // Two clocks that disagree must not make a negative duration.
  [-50, '< 1 ms'],
])('%i ms read "%s"', (ms, text) => {
  expect(durationText(START, new Date(later(ms)).toISOString())).toBe(text);
});

test.each([
  [0, '1 s'],
  [1999, '1 s'],
  [12_999, '12 s'],
  [61_500, '1 min 1 s'],
])('what has gone on for %i ms reads "%s"', (ms, text) => {
  expect(runningText(START, later(ms))).toBe(text);
});
