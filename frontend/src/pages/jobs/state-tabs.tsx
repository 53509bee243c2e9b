/** One state or all: links, because the choice is part of the address. */
import { Link } from '@tanstack/react-router';
import type { JobFilter } from '../../api/patch';
import { JOB_STATES } from '../job-search';
import classes from './jobs.module.css';

export function StateTabs({ filter }: { readonly filter: JobFilter }) {
  const { state: chosen, ...rest } = filter;
  return (
    <nav className={classes.tabs} aria-label="State">
      <Tab name="all" search={rest} chosen={chosen === undefined} />
      {JOB_STATES.map((state) => (
        <Tab key={state} name={state} search={{ ...rest, state }} chosen={chosen === state} />
      ))}
    </nav>
  );
}

function Tab({ name, search, chosen }: { readonly name: string; readonly search: JobFilter; readonly chosen: boolean }) {
  return (
    <Link
      to="/jobs"
      search={search}
      replace
      className={classes.tab}
      activeOptions={{ exact: true }}
      // The router would call every filter of the same page "active".
      aria-current={chosen ? 'page' : undefined}
      data-chosen={chosen || undefined}
    >
      {name}
    </Link>
  );
}
