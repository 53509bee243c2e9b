/** How patches change a job that is shown with its attempts. Pure, like patch.ts. */
import { isFinal, patchJob } from './patch';
import type { Attempt, HistoryEntry, JobDetail, JobPatch } from './types';

export function patchDetail(job: JobDetail, patch: JobPatch): JobDetail {
  const next = patchJob(job, patch);
  if (next === job) return job;
  return {
    ...job,
    ...next,
    attempts: patchAttempts(job.attempts, patch),
    history: patchHistory(job, patch),
    waiting: next.state === 'queued' ? job.waiting : null,
  };
}

/** Who has retried it is read from the API; until then it is known that somebody has. */
function patchHistory(job: JobDetail, patch: JobPatch): HistoryEntry[] {
  const history = job.history;
  if (patch.run_again !== true || !isFinal(job.state)) return history;
  const known = history.some(({ action, attempt }) => action === 'retry' && attempt === job.attempt);
  if (known) return history;
  const entry: HistoryEntry = {
    at: patch.at,
    action: 'retry',
    by: null,
    job_action_id: null,
    attempt: job.attempt,
    state: job.state,
    ended_at: job.finished_at ?? null,
  };
  return [...history, entry];
}

function patchAttempts(attempts: readonly Attempt[], patch: JobPatch): Attempt[] {
  // A worker that stops gives its job back, and then the attempt does not count.
  if (patch.state === 'queued') return attempts.filter(({ finished_at }) => finished_at != null);
  const number = patch.attempt ?? 0;
  if (number === 0 || patch.state === 'scheduled') return [...attempts];
  const known = attempts.find((attempt) => attempt.number === number);
  if (known?.finished_at != null) return [...attempts];
  const attempt: Attempt = {
    number,
    worker: patch.worker ?? known?.worker ?? null,
    started_at: patch.started_at ?? known?.started_at ?? null,
    finished_at: null,
    error: null,
    outcome: null,
    ...(patch.state === 'retrying' || isFinal(patch.state) ? ended(patch) : {}),
  };
  return [...attempts.filter((other) => other !== known), attempt].sort((a, b) => a.number - b.number);
}

/** Only the job's own end has a time of its own; an attempt that is tried again ended when the event says so. */
function ended(patch: JobPatch): Pick<Attempt, 'finished_at' | 'error' | 'outcome'> {
  const failed = patch.state === 'retrying' || patch.state === 'dead';
  return {
    finished_at: patch.finished_at ?? patch.at,
    error: failed ? (patch.error ?? null) : null,
    outcome: failed ? 'failed' : patch.state === 'completed' ? 'completed' : 'cancelled',
  };
}
