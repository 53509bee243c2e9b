/** Which jobs of the table somebody has selected, by their ids: rows may come, go and move. */
import { useRef, useState } from 'react';
import type { Job } from '../../api/types';

export interface Selection {
  readonly size: number;
  readonly has: (id: string) => boolean;
  /** `range`: and all rows between it and the one that was selected before. */
  readonly select: (jobs: readonly Job[], id: string, on: boolean, range: boolean) => void;
  readonly selectAll: (jobs: readonly Job[]) => void;
  readonly clear: () => void;
}

const NONE: ReadonlySet<string> = new Set();

export function useSelection(): Selection {
  const [ids, setIds] = useState(NONE);
  const anchor = useRef<string | null>(null);
  return {
    size: ids.size,
    has: (id) => ids.has(id),
    select: (jobs, id, on, range) => {
      const changed = range ? between(jobs, anchor.current, id) : [id];
      anchor.current = id;
      setIds((known) => {
        const next = new Set(known);
        for (const each of changed) {
          if (on) next.add(each);
          else next.delete(each);
        }
        return next;
      });
    },
    selectAll: (jobs) => {
      setIds(new Set(jobs.map(({ id }) => id)));
    },
    clear: () => {
      anchor.current = null;
      setIds(NONE);
    },
  };
}

/** The rows from one to another, both included, in whichever order they stand. */
function between(jobs: readonly Job[], from: string | null, to: string): string[] {
  const ends = [from, to].map((id) => jobs.findIndex((job) => job.id === id));
  if (ends.includes(-1)) return [to];
  return jobs.slice(Math.min(...ends), Math.max(...ends) + 1).map(({ id }) => id);
}
