/** What is to be said about a queue: what is wrong with it, and its limits. Pure. */
import type { Queue } from '../../api/types';
import { formatJobs, formatNumber } from '../../components/numbers';

export interface Remark {
  /** `trouble` needs somebody; `note` only explains. */
  readonly kind: 'trouble' | 'note';
  readonly text: string;
}

function waits(count: number): string {
  return `${formatJobs(count)} ${count === 1 ? 'waits' : 'wait'}`;
}

export function remarksOn(queue: Queue): readonly Remark[] {
  const remarks: Remark[] = [];
  const { queued, running, workers, concurrency, rate } = queue;
  if (queue.paused) {
    remarks.push(
      queued > 0
        ? { kind: 'trouble', text: `Paused, and ${waits(queued)}. Resume it to let them run.` }
        : { kind: 'note', text: 'Paused: new jobs wait until it is resumed.' },
    );
  }
  if (workers === 0) {
    remarks.push(
      queued + running > 0
        ? { kind: 'trouble', text: `No worker serves this queue: ${waits(queued + running)}. Start one that does.` }
        : { kind: 'note', text: 'No worker serves this queue.' },
    );
  }
  if (!queue.paused && workers > 0 && queued > 0) {
    if (concurrency != null && running >= concurrency) {
      remarks.push({
        kind: 'note',
        text: `All ${formatNumber(concurrency)} slots are in use: ${waits(queued)}. The concurrency limit is reached.`,
      });
    } else if (rate != null && running === 0) {
      remarks.push({ kind: 'note', text: `${waits(queued)}. The rate limit is reached.` });
    }
  }
  return remarks;
}

export function limitsText({
  concurrency,
  rate,
  backlog_limit: backlog,
}: Pick<Queue, 'concurrency' | 'rate'> & Partial<Pick<Queue, 'backlog_limit'>>): string {
  const limits = [
    ...(concurrency == null ? [] : [`at most ${formatJobs(concurrency)} at a time`]),
    ...(rate == null ? [] : [`at most ${formatJobs(rate.jobs)} in ${seconds(rate.period_seconds)}${burstText(rate.jobs, rate.burst)}`]),
    ...(backlog == null ? [] : [`at most ${formatJobs(backlog)} may wait`]),
  ];
  const text = limits.join(', ');
  return text === '' ? 'No limits' : `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}

function burstText(each: number, burst: number): string {
  return burst === each ? '' : `, ${formatNumber(burst)} at once after an idle time`;
}

function seconds(count: number): string {
  return count === 1 ? 'a second' : count === 60 ? 'a minute' : count === 3600 ? 'an hour' : `${formatNumber(count)} seconds`;
}
