/** One batch: how its jobs stand, live, and calling it off. */
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import type { ReactElement, ReactNode } from 'react';
import { batchQuery, cancelBatch, putBatch, unfinishedOf } from '../api/batches';
import { asApiError } from '../api/problem';
import type { Batch, JobState } from '../api/types';
import { Heading } from '../components/heading';
import { Moment } from '../components/moment';
import { Empty, Failed, LoadingRows } from '../components/notice';
import { formatNumber } from '../components/numbers';
import { durationText } from '../components/time-text';
import { Action } from './action';
import { BatchBar, BatchFigures, doneText } from './batches/batch-progress';
import classes from './batches/batches.module.css';
import { Section } from './section';

const route = getRouteApi('/batches/$id');

export default function BatchPage(): ReactElement {
  const { id } = route.useParams();
  const batch = useQuery(batchQuery(id));
  return (
    <>
      <Link to="/batches" className={classes.back}>
        All batches
      </Link>
      <Heading title={batch.data === undefined ? 'Batch' : `Batch of ${jobs(batch.data.total)}`}>
        <span className={classes.id}>{id}</span>
      </Heading>
      {batch.data !== undefined ? (
        <Parts key={id} batch={batch.data} />
      ) : (
        <div className={classes.card}>
          {batch.isPending ? (
            <LoadingRows rows={4} what="the batch" />
          ) : asApiError(batch.error).status === 404 ? (
            <Empty title="There is no batch with this id">
              It may have been deleted, or the address is mistyped. <Link to="/batches">See all batches</Link>
            </Empty>
          ) : (
            <Failed title="The batch could not be read" error={asApiError(batch.error)} onRetry={() => void batch.refetch()} />
          )}
        </div>
      )}
    </>
  );
}

function jobs(count: number): string {
  return count === 1 ? '1 job' : `${formatNumber(count)} jobs`;
}

/** What somebody would want to look at first. */
const LISTED: readonly JobState[] = ['dead', 'retrying', 'running'];

function Parts({ batch }: { readonly batch: Batch }) {
  const queryClient = useQueryClient();
  const { id, counts } = batch;
  const unfinished = unfinishedOf(counts);
  return (
    <>
      <div className={classes.bar}>
        {unfinished > 0 && (
          <Action
            label="Cancel the batch"
            busy="Cancelling …"
            failed="Not all of it was cancelled"
            confirm={{
              title: `Cancel ${jobs(unfinished)}?`,
              text: 'Those that wait end at once, those that run within a second. What has finished stays as it is.',
            }}
            run={async () => putBatch(queryClient, await cancelBatch(id))}
          />
        )}
        <Link to="/jobs" search={{ batch: id }}>
          Its jobs
        </Link>
        {LISTED.filter((state) => counts[state] > 0).map((state) => (
          <Link key={state} to="/jobs" search={{ batch: id, state }}>
            {`${formatNumber(counts[state])} ${state}`}
          </Link>
        ))}
      </div>
      <div className={classes.sections}>
        <Section title={batch.finished_at == null ? `${doneText(batch)} finished` : 'Finished'} padded>
          <div className={classes.progress}>
            <BatchBar batch={batch} />
            <BatchFigures counts={counts} all />
          </div>
        </Section>
        <Section title="Facts">
          <dl className={classes.facts}>
            <Fact name="Created">
              <Moment at={batch.created_at} />
            </Fact>
            <Fact name="Finished">
              {batch.finished_at == null ? (
                'Not yet'
              ) : (
                <>
                  <Moment at={batch.finished_at} />
                  {`, after ${durationText(batch.created_at, batch.finished_at)}`}
                </>
              )}
            </Fact>
            {batch.duplicates > 0 && (
              <Fact name="Not made">{`${jobs(batch.duplicates)}: earlier ones have their unique keys`}</Fact>
            )}
            {batch.on_finish != null && (
              <Fact name="Calls when finished">
                {batch.on_finish.job_id == null ? (
                  batch.on_finish.function
                ) : (
                  <Link to="/jobs/$id" params={{ id: batch.on_finish.job_id }}>
                    {batch.on_finish.function}
                  </Link>
                )}
              </Fact>
            )}
          </dl>
        </Section>
      </div>
    </>
  );
}

function Fact({ name, children }: { readonly name: string; readonly children: ReactNode }) {
  return (
    <div className={classes.fact}>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
