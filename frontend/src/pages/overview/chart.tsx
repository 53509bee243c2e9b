/** One chart. Its numbers are in the sentence above it and in the table below, for those who do not see it. */
import { useComputedColorScheme } from '@mantine/core';
import { useEffect, useLayoutEffect, useRef } from 'react';
import UPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { Stats } from '../../api/types';
import { timeZone } from '../../components/preferences';
import { dayAndHourText, dayText, hourText } from '../../components/time-text';
import { legendText, type ChartOf } from './chart-series';
import classes from './overview.module.css';

const HEIGHT = 210;

export default function Chart({ chart, stats }: { readonly chart: ChartOf; readonly stats: Stats }) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<UPlot | null>(null);
  const scheme = useComputedColorScheme('light');
  const latest = useRef(stats);

  // Before the effects that draw.
  useLayoutEffect(() => {
    latest.current = stats;
  }, [stats]);

  // A new one when the colours change; new numbers go into the one that is there.
  useEffect(() => {
    const element = place.current;
    // Where nothing can be drawn, the words and the table are all there is.
    if (element === null || document.createElement('canvas').getContext('2d') === null) return undefined;
    const drawn = new UPlot(optionsOf(chart, element, () => latest.current), dataOf(chart, latest.current), element);
    plot.current = drawn;
    const observer = new ResizeObserver(() => {
      drawn.setSize({ width: element.clientWidth, height: HEIGHT });
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      drawn.destroy();
      plot.current = null;
    };
  }, [chart, scheme]);

  useEffect(() => {
    plot.current?.setData(dataOf(chart, stats));
  }, [chart, stats]);

  return <div ref={place} className={classes.plot} aria-hidden="true" />;
}

/** "22:30", and "24 Nov" when the axis goes on for days. */
function axisTime(at: number, splits: readonly number[]): string {
  const [first = at] = splits;
  const long = (splits.at(-1) ?? at) - first > 2 * 24 * 3600;
  return (long ? dayText : hourText)(new Date(at * 1000));
}

function dataOf(chart: ChartOf, stats: Stats): UPlot.AlignedData {
  return [
    stats.points.map(({ at }) => Date.parse(at) / 1000),
    ...chart.series.map(({ value }) => stats.points.map(value)),
  ];
}

/** Where the lines of the axis stand: at full hours and midnights of the chosen zone. */
function dateInZone(at: number): Date {
  const zone = timeZone();
  const date = new Date(at * 1000);
  return zone === null ? date : UPlot.tzDate(date, zone);
}

function optionsOf(chart: ChartOf, element: HTMLElement, stats: () => Stats): UPlot.Options {
  const style = getComputedStyle(element);
  const color = (name: string) => style.getPropertyValue(name).trim();
  const axis = {
    stroke: color('--ink-soft'),
    font: `12px ${style.fontFamily}`,
    grid: { stroke: color('--line'), width: 1 },
    ticks: { show: false },
  };
  return {
    width: element.clientWidth,
    height: HEIGHT,
    tzDate: dateInZone,
    cursor: { drag: { x: false, y: false }, points: { size: 6 } },
    // From nothing up: half a range would make a molehill a mountain.
    scales: { y: { range: (_plot, _low, high) => [0, high > 0 ? high * 1.1 : 1] } },
    axes: [
      { ...axis, values: (_plot, splits) => splits.map((at) => axisTime(at, splits)) },
      { ...axis, size: 62, values: (_plot, values) => values.map((value) => (Number.isInteger(value) || chart.format(value).includes(' ') ? chart.format(value) : '')) },
    ],
    series: [
      // Nobody points at a time, so the numbers are of all of it.
      { label: 'Time', value: (_plot, at: number | null) => (at == null ? 'all' : dayAndHourText(new Date(at * 1000))) },
      ...chart.series.map(
        (series): UPlot.Series => ({
          label: series.name,
          stroke: color(series.color),
          width: 2,
          ...(series.dash === undefined ? {} : { dash: [...series.dash] }),
          // A time alone between two in which nothing ended is no line.
          points: { show: chart.title.endsWith('time'), size: 5 },
          spanGaps: false,
          value: (_plot, _value, _series, place?: number | null) => legendText(chart, series, stats(), place ?? null),
        }),
      ),
    ],
  };
}
