/** Every attempt of a job: who ran it, when, for how long, and why it failed. */
import type { Attempt } from '../../api/types';
import { Elapsed } from '../../components/age';
import { durationText, exactTime } from '../../components/time-text';
import classes from './attempts.module.css';

export function Attempts({ attempts }: { readonly attempts: readonly Attempt[] }) {
  return (
    // The roles are said aloud because a narrow screen lays the rows out as blocks, which takes them away.
    <table className={classes.table} role="table">
      <caption className="visually-hidden">Attempts, oldest first</caption>
      <thead role="rowgroup">
        <tr role="row">
          {['Attempt', 'Started', 'Duration', 'Worker', 'Error'].map((name) => (
            <th key={name} role="columnheader" scope="col">
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody role="rowgroup">
        {attempts.map((attempt) => (
          <Row key={attempt.number} attempt={attempt} />
        ))}
      </tbody>
    </table>
  );
}

function Row({ attempt: { number, started_at: began, finished_at: ended, worker, error, outcome } }: { readonly attempt: Attempt }) {
  return (
    <tr role="row">
      <td role="cell" className={classes.number}>
        {number}
      </td>
      <td role="cell">{began == null ? 'Unknown' : exactTime(began)}</td>
      <td role="cell" className={classes.duration}>
        {began == null ? '–' : ended == null ? <Elapsed since={began} /> : durationText(began, ended)}
      </td>
      <td role="cell" className={classes.worker}>
        {worker ?? 'Unknown'}
      </td>
      <td role="cell" className={classes.error} data-none={error == null || undefined}>
        {error == null ? (ended == null ? 'Running' : outcome === 'cancelled' ? 'Cancelled' : 'No error') : `${error.kind}: ${error.message}`}
      </td>
    </tr>
  );
}
