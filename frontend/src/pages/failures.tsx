/** What fails: one entry for each kind of error, with how many jobs it stops, and what can be done about all of them at once. */
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { ReactElement } from 'react';
import { failuresQuery } from '../api/failures';
import { asApiError } from '../api/problem';
import type { Failure } from '../api/types';
import { Age } from '../components/age';
import { Heading } from '../components/heading';
import { Empty, Failed, LoadingRows } from '../components/notice';
import { formatJobs, formatNumber } from '../components/numbers';
import { BulkButton } from './bulk/bulk-button';
import { RunningActions } from './bulk/running-actions';
import classes from './failures.module.css';

export default function FailuresPage(): ReactElement {
  const failures = useQuery(failuresQuery);
  return (
    <>
      <Heading title="Failures">
        Dead and retrying jobs, grouped by error. Numbers, ids and quoted texts are ignored.
      </Heading>
      <div className={classes.actions}>
        <RunningActions />
      </div>
      <div className={classes.card}>
        {failures.data !== undefined && failures.data.length > 0 ? (
          <ul className={classes.list}>
            {failures.data.map((failure) => (
              <FailureItem key={failure.fingerprint} failure={failure} />
            ))}
          </ul>
        ) : failures.isPending ? (
          <LoadingRows rows={4} what="the failures" />
        ) : failures.isError ? (
          <Failed
            title="The failures could not be read"
            error={asApiError(failures.error)}
            onRetry={() => void failures.refetch()}
          />
        ) : (
          <Empty title="No failures">
            No job is dead or waiting for a retry. Their errors appear here.
          </Empty>
        )}
      </div>
      {failures.isRefetchError && (
        <p className={classes.stale} role="status">
          {`These counts may be out of date: ${asApiError(failures.error).message}`}
        </p>
      )}
    </>
  );
}

function FailureItem({ failure }: { readonly failure: Failure }) {
  const { fingerprint, message, kind, jobs, retrying } = failure;
  const all = `failure:${fingerprint} state:dead,retrying`;
  const dead = jobs - retrying;
  return (
    <li className={classes.item} aria-label={`${kind}: ${message}`}>
      <div className={classes.what}>
        <p className={classes.kind}>{kind}</p>
        <h2 className={classes.message}>{message}</h2>
        <p className={classes.facts}>
          <Link to="/functions/$name" params={{ name: failure.function }}>
            {failure.function}
          </Link>
          <span>{`queue ${failure.queue}`}</span>
          <span>
            first seen <Age at={failure.first_seen_at} />
          </span>
          <span>
            last <Age at={failure.last_seen_at} />
          </span>
          <Link to="/jobs/$id" params={{ id: failure.example_job_id }}>
            an example
          </Link>
        </p>
      </div>
      <div className={classes.counts}>
        <Link to="/jobs" search={{ q: all }} data-row className={classes.jobs}>
          {formatJobs(jobs)}
        </Link>
        <p className={classes.states}>{statesText(dead, retrying)}</p>
      </div>
      <div className={classes.buttons}>
        {dead > 0 && <BulkButton action="retry" filter={`failure:${fingerprint} state:dead`} name={`Retry: ${kind}: ${message}`} />}
        {retrying > 0 && (
          <BulkButton action="cancel" filter={`failure:${fingerprint} state:retrying`} name={`Cancel: ${kind}: ${message}`} />
        )}
        {dead > 0 && <BulkButton action="delete" filter={`failure:${fingerprint} state:dead`} name={`Delete: ${kind}: ${message}`} />}
      </div>
    </li>
  );
}

function statesText(dead: number, retrying: number): string {
  const words = [];
  if (dead > 0) words.push(`${formatNumber(dead)} dead`);
  if (retrying > 0) words.push(`${formatNumber(retrying)} retrying`);
  return words.join(', ');
}
