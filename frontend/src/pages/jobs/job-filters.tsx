/** The filters of the jobs page. Each is a term of the search, which these controls show and change. */
import { NativeSelect } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { searchOf, termOf, withTerm } from '../job-search';
import classes from './jobs.module.css';
import type { Known } from './suggestions';

interface Props {
  readonly query: string;
  readonly known: Omit<Known, 'tags'>;
  readonly onChange: (query: string) => void;
}

export function JobFilters({ query, known, onChange }: Props) {
  const schedule = termOf(query, 'schedule');
  const batch = termOf(query, 'batch');
  const choice = (key: 'function' | 'queue', label: string, names: readonly string[]) => {
    const chosen = termOf(query, key);
    return (
      <NativeSelect
        aria-label={label}
        value={chosen ?? ''}
        onChange={(event) => {
          onChange(withTerm(query, key, event.currentTarget.value));
        }}
        // One that is in the address but not (yet) in the list stays selectable.
        data={[{ value: '', label: `Any ${key}` }, ...new Set([...names, ...(chosen === null ? [] : [chosen])])]}
      />
    );
  };
  return (
    <div className={classes.filters} role="group" aria-label="Filters">
      {choice('function', 'Function', known.functions)}
      {choice('queue', 'Queue', known.queues)}
      {schedule !== null && (
        <span className={classes.origin}>
          Of <Link to="/schedules/$id" params={{ id: schedule }}>one schedule</Link>,{' '}
          <Link to="/jobs" search={searchOf(withTerm(query, 'schedule', null))} replace>
            show all
          </Link>
        </span>
      )}
      {batch !== null && (
        <span className={classes.origin}>
          Of <Link to="/batches/$id" params={{ id: batch }}>one batch</Link>,{' '}
          <Link to="/jobs" search={searchOf(withTerm(query, 'batch', null))} replace>
            show all
          </Link>
        </span>
      )}
    </div>
  );
}
