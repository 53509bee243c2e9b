/** The filters of the jobs page. They live in the address; these controls only show and change it. */
import { NativeSelect } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import type { JobFilter } from '../../api/patch';
import { parseJobSearch } from '../job-search';
import classes from './jobs.module.css';
import type { Known } from './suggestions';

interface Props {
  readonly filter: JobFilter;
  readonly known: Omit<Known, 'tags'>;
  readonly onChange: (filter: JobFilter) => void;
}

export function JobFilters({ filter, known, onChange }: Props) {
  const { schedule, batch } = filter;
  const choice = (key: 'function' | 'queue', label: string, names: readonly string[]) => (
    <NativeSelect
      aria-label={label}
      value={filter[key] ?? ''}
      onChange={(event) => {
        onChange(parseJobSearch({ ...filter, [key]: event.currentTarget.value }));
      }}
      // One that is in the address but not (yet) in the list stays selectable.
      data={[
        { value: '', label: `Any ${key}` },
        ...new Set([...names, ...(filter[key] === undefined ? [] : [filter[key]])]),
      ]}
    />
  );
  return (
    <div className={classes.filters} role="group" aria-label="Filters">
      {choice('function', 'Function', known.functions)}
      {choice('queue', 'Queue', known.queues)}
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
