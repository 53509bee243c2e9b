/** The jobs of one filter: the table, what is selected in it, and what stands there instead when there is none. */
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useCallback } from 'react';
import { allJobs, jobListQuery } from '../../api/jobs';
import { asApiError } from '../../api/problem';
import { More } from '../../components/more';
import { Empty, Failed, LoadingRows } from '../../components/notice';
import { useMayChange } from '../access';
import { filterOf, searchOf } from '../job-search';
import { BulkBar } from './bulk-bar';
import type { ColumnKey } from './columns';
import { JobTable } from './job-table';
import classes from './jobs.module.css';
import { useSelection } from './selection';

interface Props {
  readonly query: string;
  readonly columns: ReadonlySet<ColumnKey>;
}

export function JobList({ query: q, columns }: Props) {
  const query = useInfiniteQuery(jobListQuery(filterOf(searchOf(q))));
  const selection = useSelection();
  const mayChange = useMayChange();
  const jobs = query.data === undefined ? [] : allJobs(query.data);
  const selected = jobs.filter(({ id }) => selection.has(id));

  const { hasNextPage, isFetching, isFetchNextPageError, fetchNextPage } = query;
  const onEnd = useCallback(() => {
    // After a failure it is up to the button.
    if (hasNextPage && !isFetching && !isFetchNextPageError) void fetchNextPage();
  }, [hasNextPage, isFetching, isFetchNextPageError, fetchNextPage]);

  return (
    <>
      {mayChange && selected.length > 0 && (
        <BulkBar
          jobs={selected}
          filter={q}
          whole={selected.length === jobs.length}
          onClear={selection.clear}
        />
      )}
      <div className={classes.card}>
        {jobs.length > 0 ? (
          <JobTable jobs={jobs} columns={columns} selection={mayChange ? selection : null} onEnd={onEnd} />
        ) : query.isPending ? (
          <LoadingRows rows={8} what="jobs" />
        ) : query.isError ? (
          isMisread(query.error) ? (
            <Empty title="The search cannot be read">The error is shown below the search.</Empty>
          ) : (
            <Failed title="The jobs could not be read" error={asApiError(query.error)} onRetry={() => void query.refetch()} />
          )
        ) : q !== '' ? (
          <Empty title="No jobs match these filters">Change or remove a filter.</Empty>
        ) : (
          <Empty title="No jobs yet">
            Ask for a Fibonacci number on the first page, or <Link to="/functions">call any function</Link>.
          </Empty>
        )}
      </div>
      <More pages={query}>Show older jobs</More>
    </>
  );
}

/** The filter itself is wrong: trying again would not help. */
export function isMisread(error: unknown): boolean {
  return asApiError(error).status === 400;
}
