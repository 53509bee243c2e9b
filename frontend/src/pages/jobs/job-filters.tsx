/** The filters of the jobs page. They live in the address; these controls only show and change it. */
import { NativeSelect } from '@mantine/core';
import type { JobFilter } from '../../api/patch';
import { JOB_STATES, parseJobSearch } from '../job-search';
import classes from './jobs.module.css';

interface Props {
  readonly filter: JobFilter;
  readonly functions: readonly string[];
  readonly onChange: (filter: JobFilter) => void;
}

export function JobFilters({ filter, functions, onChange }: Props) {
  // A function that is in the address but not (yet) in the list stays selectable.
  const names = [...new Set([...functions, ...(filter.function === undefined ? [] : [filter.function])])];
  const change = (part: Record<string, string>) => {
    onChange(parseJobSearch({ ...filter, ...part }));
  };
  return (
    <div className={classes.filters} role="group" aria-label="Filters">
      <NativeSelect
        label="State"
        value={filter.state ?? ''}
        onChange={(event) => {
          change({ state: event.currentTarget.value });
        }}
        data={[{ value: '', label: 'Any state' }, ...JOB_STATES]}
      />
      <NativeSelect
        label="Function"
        value={filter.function ?? ''}
        onChange={(event) => {
          change({ function: event.currentTarget.value });
        }}
        data={[{ value: '', label: 'Any function' }, ...names]}
      />
    </div>
  );
}
