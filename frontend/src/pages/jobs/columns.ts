/** The columns of the table of jobs: which there are, and which of them this browser shows. */
import { useState } from 'react';

export const COLUMNS = [
  { key: 'function', name: 'Function', width: '150px' },
  { key: 'input', name: 'Input', width: '24%' },
  { key: 'output', name: 'Output', width: 'auto' },
  { key: 'queue', name: 'Queue', width: '110px' },
  { key: 'priority', name: 'Priority', width: '84px' },
  { key: 'fairness_key', name: 'Fairness key', width: '130px' },
  { key: 'tags', name: 'Tags', width: '160px' },
  { key: 'attempts', name: 'Attempts', width: '92px' },
  { key: 'waited', name: 'Waited', width: '100px' },
  { key: 'duration', name: 'Duration', width: '100px' },
] as const;

export type ColumnKey = (typeof COLUMNS)[number]['key'];

const USUAL: readonly ColumnKey[] = ['function', 'input', 'output', 'attempts', 'duration'];
const STORE = 'spiral-job-columns';

/** State and age are always there: they say which job it is. */
export function useColumns(): [ReadonlySet<ColumnKey>, (shown: ReadonlySet<ColumnKey>) => void] {
  const [shown, setShown] = useState(kept);
  return [
    shown,
    (next) => {
      setShown(next);
      try {
        localStorage.setItem(STORE, JSON.stringify([...next]));
      } catch {
        // Storage is blocked: the choice holds until the page is left.
      }
    },
  ];
}

function kept(): ReadonlySet<ColumnKey> {
  try {
    const names: unknown = JSON.parse(localStorage.getItem(STORE) ?? 'null');
    if (Array.isArray(names)) return new Set(COLUMNS.map(({ key }) => key).filter((key) => names.includes(key)));
  } catch {
    // Blocked, or not ours: the usual ones.
  }
  return new Set(USUAL);
}
