/** How patches change a job that is shown with its attempts. Pure, like patch.ts. */
import { isFinal, patchJob } from './patch';
import type { Attempt, JobDetail, JobPatch } from './types';

export function patchDetail(job: JobDetail, patch: JobPatch): JobDetail {
  const next = patchJob(job, patch);
  return next === job ? job : { ...job, ...next, attempts: patchAttempts(job.attempts, patch), waiting: next.state === 'queued' ? job.waiting : null };
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
    ...(patch.state === 'retrying' || isFinal(patch.state) ? ended(patch) : {}),
  };
  return [...attempts.filter((other) => other !== known), attempt].sort((a, b) => a.number - b.number);
}

/** Only the job's own end has a time of its own; an attempt that is tried again ended when the event says so. */
function ended(patch: JobPatch): Pick<Attempt, 'finished_at' | 'error'> {
  const failed = patch.state === 'retrying' || patch.state === 'dead';
  return { finished_at: patch.finished_at ?? patch.at, error: failed ? (patch.error ?? null) : null };
}
