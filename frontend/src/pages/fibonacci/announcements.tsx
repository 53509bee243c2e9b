/** Tells a screen reader what became of the jobs that this page asked for. Nothing about anybody else's: it must not chatter. */
import type { Job } from '../../api/types';
import { formatDigits, formatNumber } from '../../components/numbers';
import { indexOfJob } from './index-of-job';

interface Props {
  /** The ids of the jobs that were asked for here, newest last. */
  readonly asked: readonly string[];
  readonly jobs: readonly Job[];
}

export function Announcements({ asked, jobs }: Props) {
  const newest = jobs.find((job) => job.id === asked.at(-1));
  return (
    <div className="visually-hidden" role="status" data-testid="announcement">
      {newest === undefined ? '' : announcement(newest)}
    </div>
  );
}

/** One sentence when it was asked, one when it is over; the states between are for the eye. */
export function announcement(job: Job): string {
  const name = `F(${formatNumber(indexOfJob(job) ?? 0)})`;
  switch (job.state) {
    case 'completed':
      return job.output_length != null && job.output_length > 40
        ? `${name} is calculated: ${formatDigits(job.output_length)}.`
        : `${name} is ${typeof job.output === 'string' ? job.output : (job.output_preview ?? 'calculated')}.`;
    case 'dead':
      return `${name} failed: ${job.error?.message ?? 'it failed for good'}.`;
    case 'cancelled':
      return `${name} was cancelled.`;
    case 'scheduled':
    case 'queued':
    case 'running':
    case 'retrying':
      return `${name} is in progress.`;
  }
}
