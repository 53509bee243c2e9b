/** One state or all, with how many jobs there are: links, because the choice is part of the address. They change the term of the search. */
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { overviewQuery } from '../../api/overview';
import { formatNumber } from '../../components/numbers';
import { hasTerm, JOB_STATES, searchOf, termOf, withTerm } from '../job-search';
import classes from './jobs.module.css';

export function StateTabs({ query }: { readonly query: string }) {
  const chosen = termOf(query, 'state');
  // Counts are kept of all jobs: with another filter they would be of others than the table shows.
  const bare = withTerm(query, 'state', null) === '';
  const counts = useQuery({ ...overviewQuery, enabled: bare }).data?.counts;
  const count = (state: keyof NonNullable<typeof counts>) => (bare ? counts?.[state] : undefined);
  return (
    <nav className={classes.tabs} aria-label="State">
      <Tab name="all" query={withTerm(query, 'state', null)} chosen={!hasTerm(query, 'state')} />
      {JOB_STATES.map((state) => (
        <Tab key={state} name={state} count={count(state)} query={withTerm(query, 'state', state)} chosen={chosen === state} />
      ))}
    </nav>
  );
}

interface TabProps {
  readonly name: string;
  readonly count?: number | undefined;
  readonly query: string;
  readonly chosen: boolean;
}

function Tab({ name, count, query, chosen }: TabProps) {
  return (
    <Link
      to="/jobs"
      search={searchOf(query)}
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
