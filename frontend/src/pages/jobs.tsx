/** All jobs, newest first, live, filtered by what stands in the address. */
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { useCallback, type ReactElement } from 'react';
import { functionsQuery } from '../api/functions';
import { allJobs, jobListQuery } from '../api/jobs';
import { asApiError } from '../api/problem';
import { Heading } from '../components/heading';
import { More } from '../components/more';
import { Empty, Failed, LoadingRows } from '../components/notice';
import { ColumnChoice } from './jobs/column-choice';
import { useColumns } from './jobs/columns';
import { JobFilters } from './jobs/job-filters';
import { JobTable } from './jobs/job-table';
import classes from './jobs/jobs.module.css';
import { StateTabs } from './jobs/state-tabs';

const route = getRouteApi('/jobs');

export default function JobsPage(): ReactElement {
  const filter = route.useSearch();
  const navigate = route.useNavigate();
  const jobs = useInfiniteQuery(jobListQuery(filter));
  const { data: functions } = useQuery(functionsQuery);
  const [columns, setColumns] = useColumns();
  const filtered = Object.keys(filter).length > 0;

  const { hasNextPage, isFetching, isFetchNextPageError, fetchNextPage } = jobs;
  const onEnd = useCallback(() => {
    // After a failure it is up to the button.
    if (hasNextPage && !isFetching && !isFetchNextPageError) void fetchNextPage();
  }, [hasNextPage, isFetching, isFetchNextPageError, fetchNextPage]);

  return (
    <>
      <Heading title="Jobs">Every call of a function, newest first. The list is live.</Heading>
      <StateTabs filter={filter} />
      <div className={classes.tools}>
        <JobFilters
          filter={filter}
          functions={(functions ?? []).map(({ name }) => name)}
          onChange={(search) => void navigate({ to: '/jobs', search, replace: true })}
        />
        <ColumnChoice shown={columns} onChange={setColumns} />
      </div>
      <div className={classes.card}>
        {jobs.data !== undefined && allJobs(jobs.data).length > 0 ? (
          <JobTable jobs={allJobs(jobs.data)} columns={columns} onEnd={onEnd} />
        ) : jobs.isPending ? (
          <LoadingRows rows={8} what="jobs" />
        ) : jobs.isError ? (
          <Failed title="The jobs could not be read" error={asApiError(jobs.error)} onRetry={() => void jobs.refetch()} />
        ) : filtered ? (
          <Empty title="No job fits these filters">Choose another state or function; jobs that fit appear here live.</Empty>
        ) : (
          <Empty title="No jobs yet">
            Ask for a Fibonacci number on the first page, or <Link to="/functions">call any function</Link>.
          </Empty>
        )}
      </div>
      <More pages={jobs}>Show older jobs</More>
    </>
  );
}
