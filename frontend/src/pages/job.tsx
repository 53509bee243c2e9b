/** One job: where it stands, when what happened, what went in and what came out. */
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import type { ReactElement, ReactNode } from 'react';
import { jobQuery } from '../api/jobs';
import { isFinal } from '../api/patch';
import { asApiError } from '../api/problem';
import type { Job } from '../api/types';
import { Age } from '../components/age';
import { Heading } from '../components/heading';
import { JobStateBadge } from '../components/job-state';
import { Empty, Failed, LoadingRows } from '../components/notice';
import { formatNumber } from '../components/numbers';
import { durationText, exactTime } from '../components/time-text';
import { ValueText } from '../components/value-text';
import { CancelJob } from './cancel-job';
import { callText, jsonText, outputText } from './job-text';
import classes from './job.module.css';
import { OutputActions } from './output-actions';

const route = getRouteApi('/jobs/$id');

export default function JobPage(): ReactElement {
  const { id } = route.useParams();
  const job = useQuery(jobQuery(id));
  return (
    <>
      <Link to="/jobs" className={classes.back}>
        All jobs
      </Link>
      <Heading title={job.data === undefined ? 'Job' : callText(job.data)}>
        <span className={classes.id}>{id}</span>
      </Heading>
      <div className={classes.card}>
        {job.isPending ? (
          <LoadingRows rows={6} what="the job" />
        ) : job.isError ? (
          asApiError(job.error).status === 404 ? (
            <Empty title="There is no job with this id">
              It may have been deleted, or the address is mistyped. <Link to="/jobs">See all jobs</Link>
            </Empty>
          ) : (
            <Failed title="The job could not be read" error={asApiError(job.error)} onRetry={() => void job.refetch()} />
          )
        ) : (
          <Facts job={job.data} />
        )}
      </div>
    </>
  );
}

function Facts({ job }: { readonly job: Job }) {
  const output = outputText(job);
  return (
    <dl className={classes.facts}>
      <Fact name="State">
        <span className={classes.state}>
          <JobStateBadge state={job.state} />
          {!isFinal(job.state) && <CancelJob key={job.id} job={job} />}
        </span>
      </Fact>
      <Fact name="Attempts">{`${job.attempt} of ${job.max_attempts}, in the queue “${job.queue}”`}</Fact>
      <Fact name="Created">
        <Moment at={job.created_at} />
      </Fact>
      {job.run_at != null && (
        <Fact name="Runs at">
          <Moment at={job.run_at} />
        </Fact>
      )}
      <Fact name="Started">{job.started_at == null ? 'Not yet' : <Moment at={job.started_at} />}</Fact>
      <Fact name="Finished">
        {job.finished_at == null ? (
          'Not yet'
        ) : (
          <>
            <Moment at={job.finished_at} />
            {job.started_at != null && `, after ${durationText(job.started_at, job.finished_at)}`}
          </>
        )}
      </Fact>
      <Fact name="Input">
        <code className={classes.code}>{jsonText(job.input)}</code>
      </Fact>
      {job.error != null && (
        <Fact name="Error">
          <span className={classes.bad}>{`${job.error.kind}: ${job.error.message}`}</span>
        </Fact>
      )}
      {output !== null && (
        <Fact name="Output">
          <div className={classes.output}>
            <ValueText text={output} length={job.output_length ?? output.length} keep={100} />
            <span className={classes.actions}>
              {job.output_length != null && <span>{`${formatNumber(job.output_length)} characters`}</span>}
              <OutputActions job={job} what="the output" />
            </span>
          </div>
        </Fact>
      )}
    </dl>
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

function Moment({ at }: { readonly at: string }) {
  return (
    <>
      {exactTime(at)} (<Age at={at} ahead />)
    </>
  );
}
