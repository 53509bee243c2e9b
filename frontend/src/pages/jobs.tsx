/** All jobs, newest first, live, filtered by what stands in the address. */
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import type { ReactElement } from 'react';
import { functionsQuery } from '../api/functions';
import { jobListQuery } from '../api/jobs';
import { asApiError } from '../api/problem';
import { queuesQuery } from '../api/queues';
import { Heading } from '../components/heading';
import { RunningActions } from './bulk/running-actions';
import { filterOf, searchOf } from './job-search';
import { ColumnChoice } from './jobs/column-choice';
import { useColumns } from './jobs/columns';
import { JobFilters } from './jobs/job-filters';
import { isMisread, JobList } from './jobs/job-list';
import classes from './jobs/jobs.module.css';
import { SearchBox } from './jobs/search-box';
import { StateTabs } from './jobs/state-tabs';

const route = getRouteApi('/jobs');

export default function JobsPage(): ReactElement {
  const search = route.useSearch();
  const filter = filterOf(search);
  const query = search.q ?? '';
  const navigate = route.useNavigate();
  // Only for what is wrong with the search: the list shows the rest.
  const { error } = useInfiniteQuery(jobListQuery(filter));
  const { data: functions = [] } = useQuery(functionsQuery);
  const { data: queues = [] } = useQuery(queuesQuery);
  const known = { functions: functions.map(({ name }) => name), queues: queues.map(({ name }) => name) };
  const [columns, setColumns] = useColumns();
  const searchFor = (q: string, replace: boolean) => void navigate({ to: '/jobs', search: searchOf(q), replace });

  return (
    <>
      <Heading title="Jobs">Every call of a function, newest first. The list is live.</Heading>
      <StateTabs query={query} />
      <SearchBox
        query={query}
        known={known}
        error={misreadText(error)}
        onSearch={(q) => {
          searchFor(q, false);
        }}
      />
      <div className={classes.tools}>
        <JobFilters
          query={query}
          known={known}
          onChange={(q) => {
            searchFor(q, true);
          }}
        />
        <ColumnChoice shown={columns} onChange={setColumns} />
      </div>
      <RunningActions />
      <JobList key={query} query={query} columns={columns} />
    </>
  );
}

/** What the API says of the first parameter that it cannot read; null when that is not it. */
function misreadText(error: Error | null): string | null {
  if (error === null || !isMisread(error)) return null;
  const told = asApiError(error);
  const [first] = Object.entries(told.fieldErrors);
  if (first === undefined) return told.message;
  const [name, message] = first;
  return /^\/?q$/u.test(name) ? message : `${name} ${message}`;
}
