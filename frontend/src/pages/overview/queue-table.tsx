/** Each queue: who serves it, how many wait and run, and the job that waits for longest. */
import { Link } from '@tanstack/react-router';
import type { QueueOverview } from '../../api/types';
import { Age } from '../../components/age';
import { formatNumber } from '../../components/numbers';
import classes from './overview.module.css';

export function QueueTable({ queues }: { readonly queues: readonly QueueOverview[] }) {
  return (
    <div className={classes.scroll} tabIndex={0} role="region" aria-label="Queues now">
      <table className={classes.points}>
        <thead>
          <tr>
            <th scope="col">Queue</th>
            <th scope="col">Workers</th>
            <th scope="col">Waiting</th>
            <th scope="col">Running</th>
            <th scope="col">Finished per minute</th>
            <th scope="col">Oldest waiting</th>
          </tr>
        </thead>
        <tbody>
          {queues.map(({ name, paused, workers, counts, ended_per_minute: ended, oldest_waiting: oldest }) => (
            <tr key={name}>
              <th scope="row">{paused ? `${name} (paused)` : name}</th>
              <td>{workers == null ? 'unknown' : formatNumber(workers)}</td>
              <td>{formatNumber(counts.queued)}</td>
              <td>{formatNumber(counts.running)}</td>
              <td>{formatNumber(ended)}</td>
              <td>
                {oldest == null ? (
                  'none'
                ) : (
                  <Link to="/jobs/$id" params={{ id: oldest.id }}>
                    {oldest.function}, since <Age at={oldest.since} />
                  </Link>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
