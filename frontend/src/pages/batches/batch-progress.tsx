/** How the jobs of a batch stand: one bar with a part for each state, and the figures in words. */
import type { Batch, BatchCounts, JobState } from '../../api/types';
import { JobStateMark } from '../../components/job-state';
import { formatNumber } from '../../components/numbers';
import classes from './batch-progress.module.css';

/** In the order of the bar: what is done lies on the left. */
const STATES = ['completed', 'dead', 'cancelled', 'running', 'retrying', 'queued', 'scheduled'] as const satisfies JobState[];

function doneOf(counts: BatchCounts): number {
  return counts.completed + counts.dead + counts.cancelled;
}

export function BatchBar({ batch: { total, counts } }: { readonly batch: Batch }) {
  const done = doneOf(counts);
  return (
    <div
      className={classes.bar}
      role="progressbar"
      aria-label="Progress of this batch"
      aria-valuemin={0}
      aria-valuemax={total}
      aria-valuenow={done}
      aria-valuetext={`${formatNumber(done)} of ${formatNumber(total)} finished`}
    >
      {STATES.map(
        (state) =>
          counts[state] > 0 && <span key={state} className={classes.part} data-state={state} style={{ '--jobs': counts[state] }} />,
      )}
    </div>
  );
}

/** Only the states that have jobs, unless all are asked for: then nothing moves while they change. */
export function BatchFigures({ counts, all = false }: { readonly counts: BatchCounts; readonly all?: boolean }) {
  return (
    <dl className={classes.figures}>
      {STATES.filter((state) => all || counts[state] > 0).map((state) => (
        <div key={state} className={classes.figure}>
          <dt>
            <JobStateMark state={state} />
            {state}
          </dt>
          <dd>{formatNumber(counts[state])}</dd>
        </div>
      ))}
    </dl>
  );
}

export function doneText({ total, counts }: Batch): string {
  return `${formatNumber(doneOf(counts))} of ${formatNumber(total)}`;
}
