/**
 * What jobs have logged: read once, then followed. The stream is ahead of the SQL record, so the lines of the last half
 * minute are kept and put to what is read, as patch-log.ts does for jobs.
 */
import { queryOptions } from '@tanstack/react-query';
import { client, unwrap } from './client';
import type { LogLine } from './types';

const KEEP_MS = 30_000;
const KEEP_JOBS = 500;

export function jobLogKey(id: string) {
  return ['jobs', 'log', id] as const;
}

export function jobLogQuery(id: string) {
  return queryOptions({
    queryKey: jobLogKey(id),
    queryFn: async ({ signal }): Promise<readonly LogLine[]> => {
      const { lines } = unwrap(await client.GET('/api/v1/jobs/{id}/logs', { params: { path: { id } }, signal }));
      return mergeLines(lines, recentLines.of(id));
    },
  });
}

/** Both, in their order, each line once; `known` itself when there is nothing new. */
export function mergeLines(known: readonly LogLine[], more: readonly LogLine[]): readonly LogLine[] {
  const place = ({ attempt, number }: LogLine) => `${attempt}:${number}`;
  const places = new Set(known.map(place));
  const fresh = more.filter((line) => {
    const isNew = !places.has(place(line));
    places.add(place(line));
    return isNew;
  });
  if (fresh.length === 0) return known;
  return [...known, ...fresh].sort((a, b) => a.attempt - b.attempt || a.number - b.number);
}

export class RecentLines {
  /** By job, oldest change first: a Map keeps the order of insertion. */
  private readonly jobs = new Map<string, { lines: readonly LogLine[]; at: number }>();

  record(id: string, lines: readonly LogLine[], now: number = performance.now()): void {
    const known = this.jobs.get(id)?.lines ?? [];
    this.jobs.delete(id);
    this.jobs.set(id, { lines: mergeLines(known, lines), at: now });
    for (const [other, { at }] of this.jobs) {
      if (now - at <= KEEP_MS && this.jobs.size <= KEEP_JOBS) break;
      this.jobs.delete(other);
    }
  }

  of(id: string): readonly LogLine[] {
    return this.jobs.get(id)?.lines ?? [];
  }
}

export const recentLines = new RecentLines();
