/** The audit log: who changed what, when, and what became of it, newest first. */
import { useInfiniteQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import type { ReactElement } from 'react';
import { auditQuery } from '../api/audit';
import { asApiError } from '../api/problem';
import type { AuditEntry, AuditOutcome } from '../api/types';
import { Age } from '../components/age';
import { Heading } from '../components/heading';
import { More } from '../components/more';
import { Empty, Failed, LoadingRows } from '../components/notice';
import { formatJobs } from '../components/numbers';
import { AuditFilters } from './audit/audit-filters';
import classes from './audit/audit.module.css';

const route = getRouteApi('/audit');

export default function AuditPage(): ReactElement {
  const filter = route.useSearch();
  const navigate = route.useNavigate();
  const pages = useInfiniteQuery(auditQuery(filter));
  const entries = pages.data?.pages.flatMap((page) => page.entries) ?? [];
  const filtered = Object.keys(filter).length > 0;
  return (
    <>
      <Heading title="Audit">
        Changes made by operators. Function calls are not listed here; see Jobs.
      </Heading>
      <AuditFilters
        key={JSON.stringify(filter)}
        filter={filter}
        onChange={(next) => void navigate({ search: next, replace: true })}
      />
      <div className={classes.card}>
        {entries.length > 0 ? (
          <table className={classes.table} role="table" aria-label="Changes">
            <thead role="rowgroup">
              <tr role="row">
                <th role="columnheader" scope="col">Time</th>
                <th role="columnheader" scope="col">Actor</th>
                <th role="columnheader" scope="col">Action</th>
                <th role="columnheader" scope="col">Target</th>
                <th role="columnheader" scope="col">Outcome</th>
              </tr>
            </thead>
            <tbody role="rowgroup">
              {entries.map((entry) => (
                <Row key={entry.id} entry={entry} />
              ))}
            </tbody>
          </table>
        ) : pages.isPending ? (
          <LoadingRows rows={6} what="the audit log" />
        ) : pages.isError ? (
          <Failed
            title="The audit log could not be read"
            error={asApiError(pages.error)}
            onRetry={() => void pages.refetch()}
          />
        ) : filtered ? (
          <Empty title="No matching changes">No changes match these filters. Remove one to see more.</Empty>
        ) : (
          <Empty title="No changes yet">Pause a queue or create a schedule, and the change is listed here.</Empty>
        )}
      </div>
      <More pages={pages}>Show older changes</More>
    </>
  );
}

function Row({ entry }: { readonly entry: AuditEntry }) {
  return (
    <tr role="row">
      <td role="cell" className={classes.when}>
        <Age at={entry.at} />
      </td>
      <td role="cell">
        {entry.role} <span className={classes.quiet}>{entry.address}</span>
      </td>
      <td role="cell" title={`${entry.method} ${entry.path}`}>
        {actionText(entry.action)}
      </td>
      <td role="cell" className={classes.subject}>
        {entry.subject ?? '–'}
        {entry.detail != null && <span className={classes.quiet}>{` ${detailText(entry.detail)}`}</span>}
      </td>
      <td role="cell" title={`Request ${entry.request_id}`}>
        <span className={classes.outcome} data-outcome={entry.outcome}>
          {OUTCOMES[entry.outcome]}
        </span>
        {entry.status != null && <span className={classes.quiet}>{` ${entry.status}`}</span>}
      </td>
    </tr>
  );
}

const OUTCOMES: Readonly<Record<AuditOutcome, string>> = {
  done: 'Done',
  refused: 'Refused',
  failed: 'Failed',
  unknown: 'Unknown',
};

/** What an action on many jobs was: `retry state:dead (12 jobs)`. */
function detailText(detail: unknown): string {
  if (typeof detail !== 'object' || detail === null) return '';
  const { action, filter, jobs, jobs_are_exact: exact } = detail as Partial<Record<string, unknown>>;
  if (typeof action !== 'string' || typeof filter !== 'string') return JSON.stringify(detail);
  const count = typeof jobs === 'number' ? ` (${exact === false ? 'more than ' : ''}${formatJobs(jobs)})` : '';
  return `${action} ${filter === '' ? 'all' : filter}${count}`;
}

/** `pause_queue` as people say it. */
function actionText(action: string): string {
  const words = action.replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}
