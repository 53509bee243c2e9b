/** An action on many jobs in words, and which jobs it can be done to. Pure. */
import { isFinal } from '../../api/patch';
import type { BulkAction, Job, JobAction } from '../../api/types';
import { formatJobs, formatNumber } from '../../components/numbers';

interface Words {
  /** On the button. */
  readonly label: string;
  /** Before and after the count: "Retry 3 jobs?" */
  readonly before: string;
  readonly after: string;
  /** What happens to them. */
  readonly text: string;
  /** While it goes on: "Retrying". */
  readonly going: string;
  /** At the end: "3 jobs retried". */
  readonly done: string;
  /** What can be done to no job. */
  readonly none: string;
}

export const BULK_WORDS: Readonly<Record<BulkAction, Words>> = {
  retry: {
    label: 'Retry',
    before: 'Retry',
    after: '',
    text: 'They are queued again with all their attempts.',
    going: 'Retrying',
    done: 'retried',
    none: 'retried: only dead and cancelled jobs, and completed ones if the search names that state',
  },
  cancel: {
    label: 'Cancel',
    before: 'Cancel',
    after: '',
    text: 'Waiting jobs are cancelled at once, running jobs within a second.',
    going: 'Cancelling',
    done: 'cancelled',
    none: 'cancelled: all have finished',
  },
  delete: {
    label: 'Delete',
    before: 'Delete',
    after: '',
    text: 'Their attempts, logs and outputs are deleted too. This cannot be undone.',
    going: 'Deleting',
    done: 'deleted',
    none: 'deleted: only finished jobs',
  },
};

export function questionOf(action: BulkAction, jobs: string): string {
  const { before, after } = BULK_WORDS[action];
  return `${before} ${jobs}${after}?`;
}

/** One that somebody picks by hand may have completed. */
export function canBeDone(action: BulkAction, job: Job): boolean {
  return isFinal(job.state) !== (action === 'cancel');
}

/** "1,500 of 5,000", or "1,500 of more than 5,000". */
export function progressOf({ seen, total, total_is_exact: exact }: JobAction): string {
  return `${formatNumber(seen)} of ${exact ? '' : 'more than '}${formatNumber(total)}`;
}

export function endOf({ action, state, seen, changed }: JobAction): string {
  const done = `${formatJobs(changed)} ${BULK_WORDS[action].done}`;
  if (state === 'stopped') return `Stopped after ${done}.`;
  return seen > changed ? `${done}. ${formatJobs(seen - changed)} could not be.` : `${done}.`;
}

/** The search, or that somebody has picked the jobs: nobody reads a list of ids. */
export function whichJobs({ filter }: JobAction): string {
  return /^id:[^ ,]+,/u.test(filter) ? 'selected jobs' : filter;
}
