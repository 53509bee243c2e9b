/** The states that a job went through, with what it waited for and how long it ran. Pure. */
import { isFinal } from '../../api/patch';
import type { Attempt, JobDetail, JobState } from '../../api/types';

export interface Span {
  readonly what: string;
  readonly from: string;
  /** null: it goes on. */
  readonly to: string | null;
}

export interface Step {
  readonly name: string;
  /** Whose mark it has. */
  readonly state: JobState;
  /** null: nobody knows. */
  readonly at: string | null;
  /** The kind of error that ended it; the message stands with the attempts. */
  readonly failure: string | null;
  readonly spans: readonly Span[];
}

const END_NAMES: Partial<Record<JobState, string>> = { completed: 'Completed', dead: 'Dead', cancelled: 'Cancelled' };

export function timelineOf(job: JobDetail): Step[] {
  const attempts = job.attempts;
  const end = isFinal(job.state) ? (job.finished_at ?? null) : null;
  const steps: Step[] = [
    {
      name: 'Created',
      state: 'queued',
      at: job.created_at,
      failure: null,
      spans: firstWaits(job, attempts[0]?.started_at ?? end),
    },
  ];
  for (const [place, attempt] of attempts.entries()) {
    const next = attempts[place + 1];
    steps.push(stepOf(job, attempt, next === undefined ? end : (next.started_at ?? null), next !== undefined));
  }
  if (isFinal(job.state)) {
    const spans = end === null ? [] : [{ what: 'In all', from: job.created_at, to: end }];
    steps.push({ name: END_NAMES[job.state] ?? job.state, state: job.state, at: end, failure: null, spans });
  }
  return steps;
}

/** Before the first attempt: for its time, then for a worker. */
function firstWaits(job: JobDetail, until: string | null): Span[] {
  const waitsNoMore = job.attempts.length > 0 || isFinal(job.state);
  if (waitsNoMore && until === null) return [];
  // After a failure `run_at` is the time of the next attempt: what the caller asked for is not known any more.
  if (job.attempts[0]?.error != null) return [{ what: 'Waited', from: job.created_at, to: until }];
  const asked = job.run_at ?? null;
  const early = asked !== null && asked > job.created_at && (until === null || asked <= until);
  if (!early) return [{ what: waitsNoMore ? 'Waited for a worker' : 'Waits for a worker', from: job.created_at, to: until }];
  const forTime = { what: 'Waited for its time', from: job.created_at, to: asked };
  if (job.state === 'scheduled') return [{ what: 'Waits for its time', from: job.created_at, to: null }];
  return [forTime, { what: waitsNoMore ? 'Waited for a worker' : 'Waits for a worker', from: asked, to: until }];
}

function stepOf(job: JobDetail, attempt: Attempt, until: string | null, isFollowed: boolean): Step {
  const { number, started_at: began, finished_at: ended, worker, error } = attempt;
  const spans: Span[] = [];
  if (began != null) {
    spans.push({ what: `${ended == null ? 'Runs' : 'Ran'}${worker == null ? '' : ` on ${worker}`}`, from: began, to: ended ?? null });
  }
  if (ended != null && isFollowed && until !== null) spans.push({ what: 'Waited for the next attempt', from: ended, to: until });
  if (ended != null && !isFollowed && !isFinal(job.state)) {
    spans.push({ what: 'Waits for the next attempt', from: ended, to: null });
  }
  return {
    name: `Attempt ${number}`,
    state: stateOf(job, attempt, isFollowed),
    at: began ?? null,
    failure: error?.kind ?? null,
    spans,
  };
}

function stateOf(job: JobDetail, { finished_at: ended, error }: Attempt, isFollowed: boolean): JobState {
  if (error != null) return isFollowed || job.state !== 'dead' ? 'retrying' : 'dead';
  if (ended == null && !isFollowed) return 'running';
  return job.state === 'completed' && !isFollowed ? 'completed' : 'cancelled';
}
