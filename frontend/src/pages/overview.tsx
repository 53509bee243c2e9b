/** The overview: what is wrong now, how many jobs there are, how it went over time, and who waits for how long. */
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { lazy, Suspense, type ReactElement } from 'react';
import { overviewQuery, statsQuery } from '../api/overview';
import { asApiError } from '../api/problem';
import type { Overview, Stats } from '../api/types';
import { Heading } from '../components/heading';
import { Failed, LoadingRows } from '../components/notice';
import { formatNumber } from '../components/numbers';
import { JobStateMark } from '../components/job-state';
import { JOB_STATES, searchFor } from './job-search';
import { RANGE_KEYS, RANGES } from './overview-search';
import { CHARTS } from './overview/chart-series';
import { PointTable } from './overview/point-table';
import { QueueTable } from './overview/queue-table';
import classes from './overview/overview.module.css';
import { Section } from './section';

const route = getRouteApi('/overview');
const Chart = lazy(() => import('./overview/chart'));

export default function OverviewPage(): ReactElement {
  const overview = useQuery(overviewQuery);
  return (
    <>
      <Heading title="Overview">The queues now, and what happened over time.</Heading>
      {overview.data !== undefined ? (
        <>
          <Troubles overview={overview.data} />
          <Counts overview={overview.data} />
        </>
      ) : overview.isError ? (
        <div className={classes.card}>
          <Failed
            title="The overview could not be read"
            error={asApiError(overview.error)}
            onRetry={() => void overview.refetch()}
          />
        </div>
      ) : (
        <div role="status" aria-label="Loading the overview">
          <section className={classes.now} data-well aria-hidden="true">
            <p>Loading …</p>
          </section>
          <Counts overview={null} />
        </div>
      )}
      {overview.isRefetchError && (
        <p className={classes.stale} role="status">
          {`These numbers may be out of date: ${asApiError(overview.error).message}`}
        </p>
      )}
      <OverTime />
      <Section title="Queues">
        {overview.data === undefined ? <LoadingRows rows={3} what="the queues" /> : <QueueTable queues={overview.data.queues} />}
      </Section>
    </>
  );
}

function Troubles({ overview }: { readonly overview: Overview }) {
  const { troubles } = overview;
  return (
    <section className={classes.now} aria-label="Problems" data-well={troubles.length === 0 || undefined}>
      {troubles.length === 0 ? (
        <p>No problems.</p>
      ) : (
        <ul>
          {troubles.map(({ kind, queue, message }) => (
            <li key={`${kind} ${queue ?? ''} ${kind === 'redis_setting' || kind === 'redis_full' ? message : ''}`} data-kind={kind}>
              {message}{' '}
              {queue != null && <Link to="/queues">Queues</Link>}
              {kind === 'jobs_died' && (
                <Link to="/jobs" search={searchFor({ state: 'dead' })}>
                  Dead jobs
                </Link>
              )}
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

/** Without an overview the same with no numbers, so that nothing moves when they come. */
function Counts({ overview }: { readonly overview: Overview | null }) {
  const workers = overview?.workers;
  return (
    <ul className={classes.counts} aria-label="Jobs by state">
      {JOB_STATES.map((state) => (
        <li key={state}>
          <Link to="/jobs" search={searchFor({ state })}>
            <span className={classes.state}>
              <JobStateMark state={state} />
              {state}
            </span>
            <span className={classes.number}>{overview === null ? '…' : formatNumber(overview.counts[state])}</span>
          </Link>
        </li>
      ))}
      <li className={classes.workers}>
        <span>Workers alive</span>
        <span className={classes.number}>{overview === null ? '…' : workers == null ? 'Unknown' : formatNumber(workers)}</span>
      </li>
    </ul>
  );
}

function OverTime() {
  const { range = '1h' } = route.useSearch();
  const stats = useQuery(statsQuery(RANGES[range].seconds));
  return (
    <section className={classes.time} aria-label="Over time">
      <div className={classes.timeHead}>
        <h2>Over time</h2>
        <nav aria-label="Range" className={classes.ranges}>
          {RANGE_KEYS.map((key) => (
            <Link
              key={key}
              to="/overview"
              search={key === '1h' ? {} : { range: key }}
              activeOptions={{ exact: true }}
              // The router would call the one without a range current as well.
              aria-current={key === range ? 'page' : undefined}
              resetScroll={false}
            >
              {RANGES[key].name}
            </Link>
          ))}
        </nav>
      </div>
      {stats.data !== undefined ? (
        <Charts stats={stats.data} />
      ) : stats.isError ? (
        <div className={classes.card}>
          <Failed title="The numbers could not be read" error={asApiError(stats.error)} onRetry={() => void stats.refetch()} />
        </div>
      ) : (
        <div className={classes.charts} aria-hidden="true">
          {CHARTS.map(({ title }) => (
            <div key={title} className={classes.chart} />
          ))}
        </div>
      )}
    </section>
  );
}

function Charts({ stats }: { readonly stats: Stats }) {
  return (
    <>
      <div className={classes.charts}>
        {CHARTS.map((chart) => (
          <figure key={chart.title} className={classes.chart} aria-label={chart.title}>
            <figcaption>
              <h3>{chart.title}</h3>
              <p>{chart.summary(stats)}</p>
            </figcaption>
            <Suspense fallback={<div className={classes.plot} />}>
              <Chart chart={chart} stats={stats} />
            </Suspense>
          </figure>
        ))}
      </div>
      <details className={classes.details}>
        <summary>Show as a table</summary>
        <PointTable stats={stats} />
      </details>
    </>
  );
}
