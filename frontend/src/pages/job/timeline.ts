/**
 * What happened to a job: its attempts, what it waited for, how it ended, and what people did to it. Each retry begins
 * another life of the job: between its end and the retry it waited for nothing. Pure.
 */
import { isFinal } from '../../api/patch';
import type { Attempt, HistoryEntry, JobDetail, JobState } from '../../api/types';

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
  /** Who did it, when a person did. */
  readonly by: string | null;
  /** The kind of error that ended it; the message stands with the attempts. */
  readonly failure: string | null;
  readonly spans: readonly Span[];
}

/** From the call, or from a retry, to the end or to the next retry. */
interface Life {
  readonly retry: HistoryEntry | null;
  readonly began: string;
  readonly attempts: readonly Attempt[];
  readonly actions: readonly HistoryEntry[];
  readonly end: { readonly state: JobState; readonly at: string | null } | null;
  readonly isLatest: boolean;
}

const END_NAMES: Partial<Record<JobState, string>> = { completed: 'Completed', dead: 'Dead', cancelled: 'Cancelled' };
const ACTION_NAMES: Readonly<Record<HistoryEntry['action'], string>> = {
  retry: 'Retried',
  cancel: 'Cancel requested',
  run_now: 'Run now',
  change: 'Input changed',
};

export function timelineOf(job: JobDetail): Step[] {
  return livesOf(job).flatMap((life) => stepsOf(job, life));
}

/** A job as an older API tells it has none. */
function historyOf(job: Partial<Pick<JobDetail, 'history'>>): readonly HistoryEntry[] {
  return job.history ?? [];
}

function livesOf(job: JobDetail): Life[] {
  const history = historyOf(job);
  const retries = history.filter(({ action }) => action === 'retry');
  return [null, ...retries].map((retry, place) => {
    const next = retries[place];
    const began = retry?.at ?? job.created_at;
    return {
      retry,
      began,
      attempts: job.attempts.filter(
        ({ number }) => number > (retry?.attempt ?? 0) && (next === undefined || number <= next.attempt),
      ),
      actions: history.filter(
        ({ action, at }) => action !== 'retry' && (place === 0 || at >= began) && (next === undefined || at < next.at),
      ),
      end: next === undefined ? endOf(job.state, job.finished_at) : endOf(next.state, next.ended_at),
      isLatest: next === undefined,
    };
  });
}

function endOf(state: JobState | null | undefined, at: string | null | undefined): Life['end'] {
  return state != null && isFinal(state) ? { state, at: at ?? null } : null;
}

function stepsOf(job: JobDetail, life: Life): Step[] {
  const { retry, began, attempts, actions, end, isLatest } = life;
  const first: Step = {
    name: retry === null ? 'Created' : ACTION_NAMES.retry,
    state: 'queued',
    at: began,
    by: retry === null ? null : byText(retry),
    failure: null,
    spans: firstWaits(job, life),
  };
  const steps = [first, ...attempts.map((attempt, place) => attemptStep(job, life, attempt, attempts[place + 1]))];
  for (const action of actions) {
    // After the last step that is not later; the first one begins the life.
    const place = steps.reduce((last, { at }, index) => (at !== null && at <= action.at ? index : last), 0);
    steps.splice(place + 1, 0, actionStep(action));
  }
  if (end === null) return steps;
  const inAll = isLatest && end.at !== null ? [{ what: 'Total', from: job.created_at, to: end.at }] : [];
  return [
    ...steps,
    { name: END_NAMES[end.state] ?? end.state, state: end.state, at: end.at, by: null, failure: null, spans: inAll },
  ];
}

function actionStep(entry: HistoryEntry): Step {
  const state = entry.action === 'cancel' ? 'cancelled' : 'queued';
  return { name: ACTION_NAMES[entry.action], state, at: entry.at, by: byText(entry), failure: null, spans: [] };
}

function byText({ by, job_action_id: many }: HistoryEntry): string {
  const who = by == null ? 'by an unknown user' : `by ${by.role}${by.address == null ? '' : ` from ${by.address}`}`;
  return many == null ? who : `${who}, with a bulk action`;
}

/** Before the first attempt of a life: for its time, then for a worker. */
function firstWaits(job: JobDetail, { retry, began, attempts, end, isLatest }: Life): Span[] {
  const [first] = attempts;
  const until = first === undefined ? (end?.at ?? null) : (first.started_at ?? null);
  const waitsNoMore = first !== undefined || end !== null || !isLatest;
  if (waitsNoMore && until === null) return [];
  // After a failure `run_at` is the time of the next attempt: what the caller asked for is not known any more.
  if (first?.error != null) return [{ what: 'Waited', from: began, to: until }];
  // A retry waits for no time, and the row tells only what the latest life waited for.
  const asked = isLatest && retry === null ? (job.run_at ?? null) : null;
  const early = asked !== null && asked > began && (until === null || asked <= until);
  if (!early) return [{ what: waitsNoMore ? 'Waited for a worker' : 'Waiting for a worker', from: began, to: until }];
  const forTime = { what: 'Waited for its scheduled time', from: began, to: asked };
  if (job.state === 'scheduled') return [{ what: 'Waiting for its scheduled time', from: began, to: null }];
  return [forTime, { what: waitsNoMore ? 'Waited for a worker' : 'Waiting for a worker', from: asked, to: until }];
}

function attemptStep(job: JobDetail, life: Life, attempt: Attempt, next: Attempt | undefined): Step {
  const { number, started_at: began, finished_at: ended, worker, error } = attempt;
  const spans: Span[] = [];
  if (began != null) {
    spans.push({ what: `${ended == null ? 'Running' : 'Ran'}${worker == null || worker === '' ? '' : ` on ${worker}`}`, from: began, to: ended ?? null });
  }
  if (ended != null) {
    const until = next?.started_at ?? null;
    if (next !== undefined && until !== null) spans.push({ what: 'Waited for the next attempt', from: ended, to: until });
    // What has ended waits for nothing.
    if (next === undefined && life.isLatest && life.end === null && !isFinal(job.state)) {
      spans.push({ what: 'Waiting for the next attempt', from: ended, to: null });
    }
  }
  return {
    name: `Attempt ${number}`,
    state: stateOf(life, attempt, next !== undefined),
    at: began ?? null,
    by: null,
    failure: error?.kind ?? null,
    spans,
  };
}

function stateOf({ end }: Life, { finished_at: ended, error, outcome }: Attempt, isFollowed: boolean): JobState {
  if (outcome === 'completed' || outcome === 'cancelled') return outcome;
  if (error != null) return isFollowed || end?.state !== 'dead' ? 'retrying' : 'dead';
  if (ended == null && !isFollowed) return 'running';
  return end?.state === 'completed' && !isFollowed ? 'completed' : 'cancelled';
}
