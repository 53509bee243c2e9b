/** A job's state: a word and a mark, never colour alone. */
import type { JobState } from '../api/types';
import classes from './job-state.module.css';

const TONE: Record<JobState, string> = {
  scheduled: 'waiting',
  queued: 'waiting',
  running: 'running',
  retrying: 'warn',
  completed: 'good',
  dead: 'bad',
  cancelled: 'off',
};

/** The mark alone, for where words stand beside it. */
export function JobStateMark({ state }: { readonly state: JobState }) {
  return (
    <span className={classes.badge} data-tone={TONE[state]} aria-hidden="true">
      <span className={classes.mark} />
    </span>
  );
}

export function JobStateBadge({ state }: { readonly state: JobState }) {
  return (
    <span className={classes.badge} data-tone={TONE[state]}>
      <span className={classes.mark} aria-hidden="true" />
      {state}
    </span>
  );
}
