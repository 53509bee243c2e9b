/** The processes that run jobs: which live, which are lost, what each runs and takes of its machine. */
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { ReactElement } from 'react';
import { asApiError } from '../api/problem';
import type { Worker } from '../api/types';
import { jobsOfWorkerQuery, workersQuery } from '../api/workers';
import { Age } from '../components/age';
import { Detail, Details } from '../components/details';
import { Heading } from '../components/heading';
import { Empty, Failed, LoadingRows } from '../components/notice';
import { formatNumber } from '../components/numbers';
import { quoted, searchFor } from './job-search';
import { callText } from './job-text';
import { memoryText, workersText } from './workers/worker-words';
import classes from './workers.module.css';

/** Jobs that are named; the others are a link away. */
const NAMED = 3;

export default function WorkersPage(): ReactElement {
  const workers = useQuery(workersQuery);
  const list = workers.data ?? [];
  const noneAlive = workers.isSuccess && !list.some(({ alive }) => alive);
  return (
    <>
      <Heading title="Workers">
        {list.length === 0 ? 'The processes that run jobs.' : `The processes that run jobs: ${workersText(list)}.`}
      </Heading>
      {noneAlive && list.length > 0 && (
        <p role="alert" className={classes.none}>
          No worker is alive: jobs wait until one is started.
        </p>
      )}
      {list.length > 0 ? (
        <ul className={classes.workers}>
          {list.map((worker) => (
            <WorkerCard key={worker.name} worker={worker} />
          ))}
        </ul>
      ) : (
        <div className={classes.card}>
          {workers.isPending ? (
            <LoadingRows rows={3} what="the workers" />
          ) : workers.isError ? (
            <Failed
              title="The workers could not be read"
              error={asApiError(workers.error)}
              onRetry={() => void workers.refetch()}
            />
          ) : (
            <Empty title="No worker is alive">
              Jobs wait until one is: start it with <code>docker compose up -d worker</code>, or the program <code>worker</code> with
              SPIRAL_REDIS_URL set to the same Redis.
            </Empty>
          )}
        </div>
      )}
      {workers.isRefetchError && (
        <p className={classes.stale} role="status">
          {`These values may be out of date: ${asApiError(workers.error).message}`}
        </p>
      )}
    </>
  );
}

function WorkerCard({ worker }: { readonly worker: Worker }) {
  const { name, alive, held, concurrency } = worker;
  return (
    <li className={classes.worker} aria-label={`Worker ${name}`} data-lost={!alive || undefined}>
      <div className={classes.head}>
        <h2 className={classes.name}>{name}</h2>
        <span className={classes.state} data-lost={!alive || undefined}>
          {alive ? 'Alive' : 'Lost'}
        </span>
      </div>
      {!alive && (
        <p className={classes.lost}>No heartbeat for too long: its jobs go to other workers.</p>
      )}
      <Details>
        <Detail name="Last heartbeat">{worker.heartbeat_at == null ? 'Not yet' : <Age at={worker.heartbeat_at} />}</Detail>
        <Detail name="Slots in use">
          {concurrency == null ? formatNumber(held) : `${formatNumber(held)}, and runs ${formatNumber(concurrency)} at a time`}
        </Detail>
        <Detail name="CPU">{worker.cpu_percent == null ? 'Not reported' : `${formatNumber(worker.cpu_percent)} % of a core`}</Detail>
        <Detail name="Memory">{worker.memory_bytes == null ? 'Not reported' : memoryText(worker.memory_bytes)}</Detail>
        <Detail name="Queues">
          <span className={classes.queues}>
            {worker.queues.map((queue) => (
              <Link key={queue} to="/jobs" search={searchFor({ queue })}>
                {queue}
              </Link>
            ))}
          </span>
        </Detail>
        <Detail name="Started">{worker.started_at == null ? 'Not reported' : <Age at={worker.started_at} />}</Detail>
        <Detail name="Version">{worker.version ?? 'Not reported'}</Detail>
        <Detail name="Process">{worker.pid ?? 'Not reported'}</Detail>
      </Details>
      {held > 0 && <Jobs name={name} held={held} />}
    </li>
  );
}

function Jobs({ name, held }: { readonly name: string; readonly held: number }) {
  const { data: jobs = [] } = useQuery(jobsOfWorkerQuery(name, NAMED));
  return (
    <ul className={classes.jobs} aria-label={`Jobs of ${name}`}>
      {jobs.map((job) => (
        <li key={job.id}>
          <Link to="/jobs/$id" params={{ id: job.id }} data-row>
            {callText(job)}
          </Link>
        </li>
      ))}
      {held > jobs.length && (
        <li>
          <Link to="/jobs" search={searchFor({ state: 'running', q: `worker:${quoted(name)}` })}>
            View all jobs
          </Link>
        </li>
      )}
    </ul>
  );
}
