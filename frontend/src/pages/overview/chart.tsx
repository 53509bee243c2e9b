/** One chart. Its numbers are in the sentence above it and in the table below, for those who do not see it. */
import { useComputedColorScheme } from '@mantine/core';
import { useEffect, useRef } from 'react';
import UPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { Stats } from '../../api/types';
import type { ChartOf } from './chart-series';
import classes from './overview.module.css';

const HEIGHT = 210;

export default function Chart({ chart, stats }: { readonly chart: ChartOf; readonly stats: Stats }) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<UPlot | null>(null);
  const scheme = useComputedColorScheme('light');
  const latest = useRef(stats);

  useEffect(() => {
    latest.current = stats;
  }, [stats]);

  // A new one when the colours change; new numbers go into the one that is there.
  useEffect(() => {
    const element = place.current;
    // Where nothing can be drawn, the words and the table are all there is.
    if (element === null || document.createElement('canvas').getContext('2d') === null) return undefined;
    const drawn = new UPlot(optionsOf(chart, element), dataOf(chart, latest.current), element);
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

const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });

/** "22:30", and "24 Nov" when the axis goes on for days. */
function axisTime(at: number, splits: readonly number[]): string {
  const [first = at] = splits;
  const long = (splits.at(-1) ?? at) - first > 2 * 24 * 3600;
  return (long ? day : clock).format(new Date(at * 1000));
}

function dataOf(chart: ChartOf, stats: Stats): UPlot.AlignedData {
  return [
    stats.points.map(({ at }) => Date.parse(at) / 1000),
    ...chart.series.map(({ value }) => stats.points.map(value)),
  ];
}

function optionsOf(chart: ChartOf, element: HTMLElement): UPlot.Options {
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
    cursor: { drag: { x: false, y: false }, points: { size: 6 } },
    // From nothing up: half a range would make a molehill a mountain.
    scales: { y: { range: (_plot, _low, high) => [0, high > 0 ? high * 1.1 : 1] } },
    axes: [
      { ...axis, values: (_plot, splits) => splits.map((at) => axisTime(at, splits)) },
      { ...axis, size: 62, values: (_plot, values) => values.map((value) => (Number.isInteger(value) || chart.format(value).includes(' ') ? chart.format(value) : '')) },
    ],
    series: [
      { value: (_plot, at: number | null) => (at === null ? '' : new Date(at * 1000).toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'short' })) },
      ...chart.series.map(
        ({ name, color: property, dash }): UPlot.Series => ({
          label: name,
          stroke: color(property),
          width: 2,
          ...(dash === undefined ? {} : { dash: [...dash] }),
          // A time alone between two in which nothing ended is no line.
          points: { show: chart.title.endsWith('time'), size: 5 },
          spanGaps: false,
          value: (_plot, value: number | null) => (value === null ? 'none' : chart.format(value)),
        }),
      ),
    ],
  };
}
