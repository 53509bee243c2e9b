/** Does one thing to each of some jobs, a few at the same time, and says how far it is. */
import type { QueryClient } from '@tanstack/react-query';
import { dropJobs, putJob } from './job-answers';
import { cancelJob, deleteJob, retryJob } from './jobs';
import { asApiError } from './problem';
import type { BulkAction, Job } from './types';

/** As many connections as a browser has to one origin, less those of the page itself. */
const AT_ONCE = 4;

export interface EachProgress {
  readonly changed: number;
  readonly failed: number;
  /** Why the last of them failed. */
  readonly reason: string;
  readonly stopped: boolean;
  readonly ended: boolean;
}

export async function eachJob(
  queryClient: QueryClient,
  action: BulkAction,
  jobs: readonly Job[],
  signal: AbortSignal,
  onProgress: (progress: EachProgress) => void,
): Promise<EachProgress> {
  let progress: EachProgress = { changed: 0, failed: 0, reason: '', stopped: false, ended: false };
  const note = (next: Partial<EachProgress>) => {
    progress = { ...progress, ...next };
    onProgress(progress);
  };
  note({});
  const waiting = [...jobs];
  const work = async () => {
    for (let job = waiting.shift(); job !== undefined; job = waiting.shift()) {
      if (signal.aborted) {
        note({ stopped: true });
        return;
      }
      try {
        await one(queryClient, action, job);
        note({ changed: progress.changed + 1 });
      } catch (error) {
        note({ failed: progress.failed + 1, reason: asApiError(error).message });
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  note({ ended: true });
  return progress;
}

async function one(queryClient: QueryClient, action: BulkAction, job: Job): Promise<void> {
  switch (action) {
    case 'retry':
      putJob(queryClient, job, await retryJob(job.id));
      return;
    case 'cancel':
      putJob(queryClient, job, await cancelJob(job.id));
      return;
    case 'delete':
      await deleteJob(job.id);
      dropJobs(queryClient, new Set([job.id]));
  }
}
