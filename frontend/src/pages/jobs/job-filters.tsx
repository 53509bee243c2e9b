/** The filters of the jobs page. They live in the address; these controls only show and change it. */
import { NativeSelect } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import type { JobFilter } from '../../api/patch';
import { parseJobSearch } from '../job-search';
import classes from './jobs.module.css';

interface Props {
  readonly filter: JobFilter;
  readonly functions: readonly string[];
  readonly onChange: (filter: JobFilter) => void;
}

export function JobFilters({ filter, functions, onChange }: Props) {
  // A function that is in the address but not (yet) in the list stays selectable.
  const names = [...new Set([...functions, ...(filter.function === undefined ? [] : [filter.function])])];
  const { schedule, batch } = filter;
  return (
    <div className={classes.filters} role="group" aria-label="Filters">
      <NativeSelect
        aria-label="Function"
        value={filter.function ?? ''}
        data-search
        onChange={(event) => {
          onChange(parseJobSearch({ ...filter, function: event.currentTarget.value }));
        }}
        data={[{ value: '', label: 'Any function' }, ...names]}
      />
      {schedule !== undefined && (
        <span className={classes.origin}>
          Of <Link to="/schedules/$id" params={{ id: schedule }}>one schedule</Link>,{' '}
          <Link to="/jobs" search={parseJobSearch({ ...filter, schedule: undefined })} replace>
            show all
          </Link>
        </span>
      )}
      {batch !== undefined && (
        <span className={classes.origin}>
          Of <Link to="/batches/$id" params={{ id: batch }}>one batch</Link>,{' '}
          <Link to="/jobs" search={parseJobSearch({ ...filter, batch: undefined })} replace>
            show all
          </Link>
        </span>
      )}
    </div>
  );
}
