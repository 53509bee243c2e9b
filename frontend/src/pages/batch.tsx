/** One batch: how its jobs stand, live, and calling it off. */
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import type { ReactElement } from 'react';
import { batchQuery, cancelBatch, putBatch, unfinishedOf } from '../api/batches';
import type { Batch, JobState } from '../api/types';
import { Detail, Details } from '../components/details';
import { Moment } from '../components/moment';
import { formatJobs, formatNumber } from '../components/numbers';
import { durationText } from '../components/time-text';
import { Action } from './action';
import { BatchBar, BatchFigures, doneText } from './batches/batch-progress';
import { searchFor } from './job-search';
import classes from './batches/batches.module.css';
import { Section } from './section';
import { Thing } from './thing';

const route = getRouteApi('/batches/$id');

export default function BatchPage(): ReactElement {
  const { id } = route.useParams();
  const batch = useQuery(batchQuery(id));
  return (
    <Thing
      what="batch"
      to="/batches"
      all="batches"
      query={batch}
      title={batch.data === undefined ? 'Batch' : `Batch of ${formatJobs(batch.data.total)}`}
      about={<span className={classes.id}>{id}</span>}
      rows={4}
      pixels={320}
    >
      {(data) => <Parts key={id} batch={data} />}
    </Thing>
  );
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
            label="Cancel batch"
            busy="Cancelling …"
            failed="The batch was not fully cancelled"
            confirm={{
              title: `Cancel ${formatJobs(unfinished)}?`,
              text: 'Waiting jobs are cancelled at once, running jobs within a second. Finished jobs stay as they are.',
            }}
            run={async () => putBatch(queryClient, await cancelBatch(id))}
          />
        )}
        <Link to="/jobs" search={searchFor({ batch: id })}>
          View jobs
        </Link>
        {LISTED.filter((state) => counts[state] > 0).map((state) => (
          <Link key={state} to="/jobs" search={searchFor({ batch: id, state })}>
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
        <Section title="Details">
          <Details long>
            <Detail name="Created">
              <Moment at={batch.created_at} />
            </Detail>
            <Detail name="Finished">
              {batch.finished_at == null ? (
                'Not yet'
              ) : (
                <>
                  <Moment at={batch.finished_at} />
                  {`, after ${durationText(batch.created_at, batch.finished_at)}`}
                </>
              )}
            </Detail>
            {batch.duplicates > 0 && (
              <Detail name="Skipped duplicates">{`${formatJobs(batch.duplicates)}: earlier jobs hold their unique keys`}</Detail>
            )}
            {batch.on_finish != null && (
              <Detail name="On finish">
                {batch.on_finish.job_id == null ? (
                  batch.on_finish.function
                ) : (
                  <Link to="/jobs/$id" params={{ id: batch.on_finish.job_id }}>
                    {batch.on_finish.function}
                  </Link>
                )}
              </Detail>
            )}
          </Details>
        </Section>
      </div>
    </>
  );
}
