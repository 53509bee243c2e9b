/** One Fibonacci job: its state, its value as soon as there is one, and what can be done with it. */
import { Link } from '@tanstack/react-router';
import type { Job } from '../../api/types';
import { JobStateBadge } from '../../components/job-state';
import { formatDigits, formatNumber } from '../../components/numbers';
import { durationText } from '../../components/time-text';
import { ValueText } from '../../components/value-text';
import { OutputActions } from '../output-actions';
import classes from './fibonacci.module.css';
import { indexOfJob } from './index-of-job';

export function JobRow({ job }: { readonly job: Job }) {
  const index = indexOfJob(job);
  const name = index === null ? job.id : `F(${formatNumber(index)})`;
  return (
    <li className={classes.job} data-state={job.state}>
      <span className={classes.state}>
        <JobStateBadge state={job.state} />
      </span>
      <Link to="/jobs/$id" params={{ id: job.id }} className={classes.name}>
        {name}
      </Link>
      <Progress job={job} />
      <span className={classes.meta}>{facts(job)}</span>
      <span className={classes.actions}>{job.state === 'completed' && <OutputActions job={job} what={name} />}</span>
    </li>
  );
}

function Progress({ job }: { readonly job: Job }) {
  const text = typeof job.output === 'string' ? job.output : (job.output_preview ?? '');
  switch (job.state) {
    case 'completed':
      return (
        <span className={classes.output}>
          <ValueText text={text} length={job.output_length ?? text.length} keep={18} />
        </span>
      );
    case 'running':
      return <span className={classes.quiet}>Calculating</span>;
    case 'queued':
    case 'scheduled':
      return <span className={classes.quiet}>Waiting for a worker</span>;
    case 'retrying':
      return <span className={classes.bad}>{`${job.error?.message ?? 'An attempt failed'}. It will be retried.`}</span>;
    case 'dead':
      return <span className={classes.bad}>{job.error?.message ?? 'Failed for good'}</span>;
    case 'cancelled':
      return <span className={classes.quiet}>Cancelled</span>;
  }
}

function facts(job: Job): string {
  if (job.started_at == null || job.finished_at == null) return '';
  const duration = durationText(job.started_at, job.finished_at);
  return job.output_length == null ? duration : `${formatDigits(job.output_length)} in ${duration}`;
}
