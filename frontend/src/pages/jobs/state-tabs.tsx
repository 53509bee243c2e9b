/** One state or all, with how many jobs there are: links, because the choice is part of the address. */
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { overviewQuery } from '../../api/overview';
import type { JobFilter } from '../../api/patch';
import { formatNumber } from '../../components/numbers';
import { JOB_STATES } from '../job-search';
import classes from './jobs.module.css';

export function StateTabs({ filter }: { readonly filter: JobFilter }) {
  const { state: chosen, ...rest } = filter;
  // Counts are kept of all jobs: with another filter they would be of others than the table shows.
  const bare = Object.keys(rest).length === 0;
  const counts = useQuery({ ...overviewQuery, enabled: bare }).data?.counts;
  const count = (state: keyof NonNullable<typeof counts>) => (bare ? counts?.[state] : undefined);
  return (
    <nav className={classes.tabs} aria-label="State">
      <Tab name="all" search={rest} chosen={chosen === undefined} />
      {JOB_STATES.map((state) => (
        <Tab key={state} name={state} count={count(state)} search={{ ...rest, state }} chosen={chosen === state} />
      ))}
    </nav>
  );
}

interface TabProps {
  readonly name: string;
  readonly count?: number | undefined;
  readonly search: JobFilter;
  readonly chosen: boolean;
}

function Tab({ name, count, search, chosen }: TabProps) {
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
      {count !== undefined && count > 0 && <span className={classes.tabCount}>{formatNumber(count)}</span>}
    </Link>
  );
}
