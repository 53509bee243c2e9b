/** The batches, newest first, each with how its jobs stand. */
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { ReactElement } from 'react';
import { batchesQuery } from '../api/batches';
import { asApiError } from '../api/problem';
import type { Batch } from '../api/types';
import { Age } from '../components/age';
import { Heading } from '../components/heading';
import { More } from '../components/more';
import { Empty, Failed, LoadingRows } from '../components/notice';
import { formatJobs } from '../components/numbers';
import { BatchBar, BatchFigures, doneText } from './batches/batch-progress';
import classes from './batches/batches.module.css';

export default function BatchesPage(): ReactElement {
  const pages = useInfiniteQuery(batchesQuery);
  const batches = pages.data?.pages.flatMap((page) => page.batches) ?? [];
  return (
    <>
      <Heading title="Batches">Calls that were enqueued together, newest first.</Heading>
      <div className={classes.card}>
        {batches.length > 0 ? (
          <ul className={classes.list}>
            {batches.map((batch) => (
              <BatchItem key={batch.id} batch={batch} />
            ))}
          </ul>
        ) : pages.isPending ? (
          <LoadingRows rows={4} what="the batches" />
        ) : pages.isError ? (
          <Failed title="The batches could not be read" error={asApiError(pages.error)} onRetry={() => void pages.refetch()} />
        ) : (
          <Empty title="No batches yet">POST up to 10,000 calls to /api/v1/batches; their progress appears here.</Empty>
        )}
      </div>
      <More pages={pages}>Show older batches</More>
    </>
  );
}

function BatchItem({ batch }: { readonly batch: Batch }) {
  return (
    <li className={classes.item}>
      <div className={classes.line}>
        <Link to="/batches/$id" params={{ id: batch.id }} className={classes.name} data-row>
          {formatJobs(batch.total)}
        </Link>
        <span className={classes.quiet}>
          <Age at={batch.created_at} />
        </span>
        <span className={classes.done}>{batch.finished_at == null ? doneText(batch) : 'Finished'}</span>
      </div>
      <BatchBar batch={batch} />
      <BatchFigures counts={batch.counts} />
    </li>
  );
}
