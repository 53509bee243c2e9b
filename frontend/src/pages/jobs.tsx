/** All jobs, newest first, live, filtered by what stands in the address. */
import { Button } from '@mantine/core';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import type { ReactElement } from 'react';
import { functionsQuery } from '../api/functions';
import { allJobs, jobListQuery } from '../api/jobs';
import { asApiError } from '../api/problem';
import { Heading } from '../components/heading';
import { Empty, Failed, LoadingRows } from '../components/notice';
import { JobFilters } from './jobs/job-filters';
import { JobTable } from './jobs/job-table';
import classes from './jobs/jobs.module.css';

const route = getRouteApi('/jobs');

export default function JobsPage(): ReactElement {
  const filter = route.useSearch();
  const navigate = route.useNavigate();
  const jobs = useInfiniteQuery(jobListQuery(filter));
  const { data: functions } = useQuery(functionsQuery);
  const filtered = filter.state !== undefined || filter.function !== undefined;

  return (
    <>
      <Heading title="Jobs">Every call of a function, newest first. The list is live.</Heading>
      <JobFilters
        filter={filter}
        functions={(functions ?? []).map(({ name }) => name)}
        onChange={(search) => void navigate({ to: '/jobs', search, replace: true })}
      />
      <div className={classes.card}>
        {jobs.isPending ? (
          <LoadingRows rows={8} what="jobs" />
        ) : jobs.isError ? (
          <Failed title="The jobs could not be read" error={asApiError(jobs.error)} onRetry={() => void jobs.refetch()} />
        ) : allJobs(jobs.data).length > 0 ? (
          <JobTable jobs={allJobs(jobs.data)} />
        ) : filtered ? (
          <Empty title="No job fits these filters">Choose another state or function; jobs that fit appear here live.</Empty>
        ) : (
          <Empty title="No jobs yet">
            Ask for a Fibonacci number on the first page, or POST to /api/v1/functions/fibonacci/jobs.
          </Empty>
        )}
      </div>
      {jobs.hasNextPage && (
        <div className={classes.older}>
          <Button variant="default" size="md" loading={jobs.isFetchingNextPage} onClick={() => void jobs.fetchNextPage()}>
            Show older jobs
          </Button>
        </div>
      )}
    </>
  );
}
