/** What each chart shows, and its numbers in words. */
import type { StatPoint, Stats } from '../../api/types';
import { formatNumber } from '../../components/numbers';

export interface Series {
  readonly name: string;
  /** A custom property of the page. */
  readonly color: string;
  readonly dash?: readonly number[];
  readonly value: (point: StatPoint) => number | null;
}

/** What the legend says of a series: at the point that is pointed at, or of the whole range while none is. */
export function legendText(chart: ChartOf, series: Series, stats: Stats, place: number | null): string {
  const point = place === null ? stats.total : stats.points[place];
  const value = point === undefined ? null : series.value(point);
  return value === null ? 'none' : chart.format(value);
}

export interface ChartOf {
  readonly title: string;
  readonly series: readonly Series[];
  readonly format: (value: number) => string;
  /** All of the range in one sentence. */
  readonly summary: (stats: Stats) => string;
}

/** "0 s", "12 ms", "1.5 s", "3 min", "2 h": short, for an axis. */
export function formatSeconds(seconds: number): string {
  if (seconds === 0) return '0 s';
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${trimmed(seconds)} s`;
  if (seconds < 3600) return `${trimmed(seconds / 60)} min`;
  return `${trimmed(seconds / 3600)} h`;
}

function trimmed(value: number): string {
  return value < 10 ? String(Math.round(value * 10) / 10) : String(Math.round(value));
}

function percentiles(of: 'wait' | 'run'): readonly Series[] {
  return [
    { name: 'p50', color: '--state-good', value: (point) => point[of]?.p50 ?? null },
    { name: 'p95', color: '--state-warn', dash: [6, 4], value: (point) => point[of]?.p95 ?? null },
    { name: 'p99', color: '--state-bad', dash: [2, 3], value: (point) => point[of]?.p99 ?? null },
  ];
}

function timesText({ total }: Stats, of: 'wait' | 'run', nothing: string): string {
  const times = total[of];
  if (times == null) return nothing;
  return `Half took at most ${formatSeconds(times.p50)}, 95 % ${formatSeconds(times.p95)}, 99 % ${formatSeconds(times.p99)}.`;
}

export const CHARTS: readonly ChartOf[] = [
  {
    title: 'Throughput',
    series: [
      { name: 'New jobs', color: '--state-waiting', dash: [6, 4], value: (point) => point.enqueued },
      { name: 'Completed', color: '--state-good', value: (point) => point.completed },
    ],
    format: formatNumber,
    summary: ({ total }) => `${formatNumber(total.enqueued)} new, ${formatNumber(total.completed)} completed.`,
  },
  {
    title: 'Failures',
    series: [
      { name: 'Failed attempts', color: '--state-warn', dash: [6, 4], value: (point) => point.failed },
      { name: 'Dead jobs', color: '--state-bad', value: (point) => point.dead },
    ],
    format: formatNumber,
    summary: ({ total }) => `${formatNumber(total.failed)} attempts failed, ${formatNumber(total.dead)} jobs failed for good.`,
  },
  {
    title: 'Wait time',
    series: percentiles('wait'),
    format: formatSeconds,
    summary: (stats) => timesText(stats, 'wait', 'No job ended.'),
  },
  {
    title: 'Run time',
    series: percentiles('run'),
    format: formatSeconds,
    summary: (stats) => timesText(stats, 'run', 'No attempt ended.'),
  },
];
