/**
 * The patches of the last half minute. The stream is ahead of the SQL record, so a list that is read just after an
 * event can be older than what the page already shows; what is fetched passes through here before it is cached.
 */
import { mergePatches, patchJob, patchPage } from './patch';
import type { Job, JobPage, JobPatch } from './types';

const KEEP_MS = 30_000;
const KEEP_COUNT = 5_000;

export class PatchLog {
  /** By id, oldest change first: a Map keeps the order of insertion. */
  private readonly entries = new Map<string, { patch: JobPatch; at: number }>();

  record(patches: Iterable<JobPatch>, now: number = performance.now()): void {
    for (const patch of patches) {
      const known = this.entries.get(patch.id);
      this.entries.delete(patch.id);
      this.entries.set(patch.id, { patch: known ? mergePatches(known.patch, patch) : patch, at: now });
    }
    for (const [id, { at }] of this.entries) {
      if (now - at <= KEEP_MS && this.entries.size <= KEEP_COUNT) break;
      this.entries.delete(id);
    }
  }

  of(id: string): JobPatch | null {
    return this.entries.get(id)?.patch ?? null;
  }

  job(job: Job): Job {
    const patch = this.of(job.id);
    return patch === null ? job : patchJob(job, patch);
  }

  page(page: JobPage): JobPage {
    return patchPage(page, new Map([...this.entries].map(([id, { patch }]) => [id, patch])));
  }
}

export const patchLog = new PatchLog();
