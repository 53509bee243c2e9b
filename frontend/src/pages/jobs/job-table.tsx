/** The jobs as a table. On a narrow screen the least needed columns go; the job's own page has them all. */
import { Link } from '@tanstack/react-router';
import { memo } from 'react';
import type { Job } from '../../api/types';
import { Age } from '../../components/age';
import { JobStateBadge } from '../../components/job-state';
import { shortenMiddle } from '../../components/shorten';
import { durationText } from '../../components/time-text';
import { ValueText } from '../../components/value-text';
import { jsonText, outputText } from '../job-text';
import classes from './jobs.module.css';

export function JobTable({ jobs }: { readonly jobs: readonly Job[] }) {
  return (
    // The roles are said aloud because a narrow screen lays the rows out as blocks, which takes them away.
    <table className={classes.table} role="table">
      <caption className="visually-hidden">Jobs, newest first</caption>
      <thead role="rowgroup">
        <tr role="row">
          <th role="columnheader" scope="col">
            State
          </th>
          <th role="columnheader" scope="col" className={classes.wide}>
            Function
          </th>
          <th role="columnheader" scope="col">
            Input
          </th>
          <th role="columnheader" scope="col">
            Output
          </th>
          <th role="columnheader" scope="col" className={classes.wide}>
            Attempts
          </th>
          <th role="columnheader" scope="col" className={classes.wide}>
            Duration
          </th>
          <th role="columnheader" scope="col">
            Age
          </th>
        </tr>
      </thead>
      <tbody role="rowgroup">
        {jobs.map((job) => (
          <Row key={job.id} job={job} />
        ))}
      </tbody>
    </table>
  );
}

const Row = memo(function Row({ job }: { readonly job: Job }) {
  return (
    <tr role="row">
      <td role="cell">
        <JobStateBadge state={job.state} />
      </td>
      <td role="cell" className={classes.wide}>{job.function}</td>
      <td role="cell" className={classes.input}>
        <Link to="/jobs/$id" params={{ id: job.id }}>
          {shortenMiddle(jsonText(job.input), 20).text}
        </Link>
      </td>
      <td role="cell" className={classes.output}>
        <Output job={job} />
      </td>
      <td role="cell" className={classes.wide}>{`${job.attempt} of ${job.max_attempts}`}</td>
      <td role="cell" className={classes.wide}>
        {job.started_at != null && job.finished_at != null ? durationText(job.started_at, job.finished_at) : '–'}
      </td>
      <td role="cell" className={classes.age}>
        <Age at={job.created_at} />
      </td>
    </tr>
  );
});

function Output({ job }: { readonly job: Job }) {
  if (job.error != null && job.state !== 'completed') return <span className={classes.bad}>{job.error.message}</span>;
  const text = outputText(job);
  return text === null ? <>–</> : <ValueText text={text} length={job.output_length ?? text.length} keep={13} />;
}
