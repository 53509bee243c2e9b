import { expect, test } from 'vitest';
import { point, stats } from '../../testing/overview';
import { CHARTS, formatSeconds, legendText } from './chart-series';

test('seconds are short and in the unit that fits', () => {
  expect([0, 0.012, 1.54, 12.4, 90, 3600, 54_000].map(formatSeconds)).toEqual([
    '0 s',
    '12 ms',
    '1.5 s',
    '12 s',
    '1.5 min',
    '1 h',
    '15 h',
  ]);
});

test('each chart tells its numbers in words', () => {
  const some = stats([point({ enqueued: 1200, completed: 7, failed: 3, dead: 1, wait: { p50: 0.02, p95: 2, p99: 70 } })]);
  expect(CHARTS.map((chart) => chart.summary(some))).toEqual([
    '1,200 new, 7 completed.',
    '3 attempts failed, 1 jobs failed for good.',
    'Half took at most 20 ms, 95 % 2 s, 99 % 1.2 min.',
    'No attempt ended.',
  ]);
});

test('the legend tells of the point that is pointed at, and of the whole range otherwise', () => {
  const [throughput, , waits] = CHARTS;
  if (throughput === undefined || waits === undefined) throw new Error('a chart is missing');
  const [enqueued] = throughput.series;
  const [median] = waits.series;
  if (enqueued === undefined || median === undefined) throw new Error('a series is missing');
  const some = { ...stats([point(), point({ enqueued: 5 })]), total: point({ enqueued: 1017 }) };
  expect(legendText(throughput, enqueued, some, null)).toBe('1,017');
  expect(legendText(throughput, enqueued, some, 1)).toBe('5');
  expect(legendText(waits, median, some, null)).toBe('none');
});
