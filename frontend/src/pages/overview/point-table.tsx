/** The numbers of the charts as a table, the newest first. */
import type { StatPoint, Stats } from '../../api/types';
import { formatNumber } from '../../components/numbers';
import { exactTime } from '../../components/time-text';
import { formatSeconds } from './chart-series';
import classes from './overview.module.css';

export function PointTable({ stats }: { readonly stats: Stats }) {
  // Steps in which nothing happened tell nothing.
  const points = stats.points.filter((point) => point.enqueued + point.completed + point.failed > 0).reverse();
  if (points.length === 0) return <p className={classes.nothing}>No activity in this range.</p>;
  return (
    // It scrolls sideways where it is narrow, so the keyboard must reach it.
    <div className={classes.scroll} tabIndex={0} role="region" aria-label="Numbers over time">
      <table className={classes.points}>
        <thead>
          <tr>
            <th scope="col">From</th>
            <th scope="col">New</th>
            <th scope="col">Completed</th>
            <th scope="col">Failed attempts</th>
            <th scope="col">Dead</th>
            <th scope="col">Wait p50, p95, p99</th>
            <th scope="col">Run p50, p95, p99</th>
          </tr>
        </thead>
        <tbody>
          {points.map((point) => (
            <tr key={point.at}>
              <th scope="row">{exactTime(point.at)}</th>
              <td>{formatNumber(point.enqueued)}</td>
              <td>{formatNumber(point.completed)}</td>
              <td>{formatNumber(point.failed)}</td>
              <td>{formatNumber(point.dead)}</td>
              <td>{timesText(point.wait)}</td>
              <td>{timesText(point.run)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function timesText(times: StatPoint['wait']): string {
  return times == null ? 'none' : [times.p50, times.p95, times.p99].map(formatSeconds).join(', ');
}
