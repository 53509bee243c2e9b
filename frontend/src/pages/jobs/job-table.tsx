/**
 * The jobs as a table of which only the rows in sight are in the page, however many are loaded. On a narrow screen the
 * least needed columns go; the job's own page has them all.
 */
import { Link } from '@tanstack/react-router';
import { useWindowVirtualizer } from '@tanstack/react-virtual';
import { memo, useCallback, useEffect, useLayoutEffect, useRef, useState, type ReactNode } from 'react';
import type { Job } from '../../api/types';
import { Age } from '../../components/age';
import { JobStateBadge } from '../../components/job-state';
import { formatJobs } from '../../components/numbers';
import { rowPixels } from '../../components/preferences';
import { shortenMiddle } from '../../components/shorten';
import { durationText } from '../../components/time-text';
import { ValueText } from '../../components/value-text';
import { callText, jsonText, outputText } from '../job-text';
import { COLUMNS, type ColumnKey } from './columns';
import classes from './jobs.module.css';
import type { Selection } from './selection';
import { StillNote } from './still-note';
import { useStillness } from './stillness';

/** Rows beyond those in sight, so that the keyboard and a quick wheel find them there. */
const BEYOND = 12;

interface Props {
  readonly jobs: readonly Job[];
  readonly columns: ReadonlySet<ColumnKey>;
  /** `null` for who may do nothing with what is selected. */
  readonly selection: Selection | null;
  /** Called when the last rows come into sight. */
  readonly onEnd: () => void;
}

export function JobTable({ jobs, columns, selection, onEnd }: Props) {
  const table = useRef<HTMLTableElement>(null);
  const [top, setTop] = useState(0);
  useLayoutEffect(() => {
    setTop(table.current?.offsetTop ?? 0);
  }, []);
  const rows = useWindowVirtualizer({
    count: jobs.length,
    estimateSize: rowPixels,
    overscan: BEYOND,
    scrollMargin: top,
    getItemKey: (index) => jobs[index]?.id ?? index,
  });
  const items = rows.getVirtualItems();
  const first = items[0];
  const last = items.at(-1);
  const before = first === undefined ? 0 : first.start - top;
  const after = last === undefined ? 0 : rows.getTotalSize() + top - last.end;

  const atEnd = last !== undefined && last.index >= jobs.length - 1;
  useEffect(() => {
    if (atEnd) onEnd();
  }, [atEnd, jobs.length, onEnd]);

  // The rows are many: what they call must stay the same while the table changes.
  const latest = useRef({ jobs, selection });
  useEffect(() => {
    latest.current = { jobs, selection };
  });
  const onSelect = useCallback((id: string, on: boolean, range: boolean) => {
    latest.current.selection?.select(latest.current.jobs, id, on, range);
  }, []);

  const further = useStillness(table);

  const shown = COLUMNS.filter(({ key }) => columns.has(key));
  return (
    <>
      {/* What is selected says it itself. */}
      {further && (selection?.size ?? 0) === 0 && <StillNote />}
      {/* The roles are said aloud because a narrow screen lays the rows out as blocks, which takes them away. */}
      <table ref={table} className={classes.table} role="table" aria-rowcount={jobs.length + 1}>
        <caption className="visually-hidden">Jobs, newest first</caption>
        <colgroup>
          {selection !== null && <col style={{ width: 48 }} />}
          <col style={{ width: 132 }} />
          {shown.map(({ key, width }) => (
            <col key={key} style={{ width }} />
          ))}
          <col style={{ width: 96 }} />
        </colgroup>
        <thead role="rowgroup">
          <tr role="row" aria-rowindex={1}>
            {selection !== null && (
              <th role="columnheader" scope="col" className={classes.select}>
                <SelectAll jobs={jobs} selection={selection} />
              </th>
            )}
            <Head>State</Head>
            {shown.map(({ key, name }) => (
              <Head key={key} column={key}>
                {name}
              </Head>
            ))}
            <Head>Age</Head>
          </tr>
        </thead>
        <tbody role="rowgroup">
          <Gap pixels={before} />
          {items.map(({ index, key }) => {
            const job = jobs[index];
            return (
              job !== undefined && (
                <Row
                  key={key}
                  job={job}
                  index={index}
                  columns={columns}
                  selected={selection?.has(job.id) ?? false}
                  onSelect={selection === null ? null : onSelect}
                  measure={rows.measureElement}
                />
              )
            );
          })}
          <Gap pixels={after} />
        </tbody>
      </table>
    </>
  );
}

/** All rows that are loaded, or none. */
function SelectAll({ jobs, selection }: { readonly jobs: readonly Job[]; readonly selection: Selection }) {
  const chosen = jobs.filter(({ id }) => selection.has(id)).length;
  const name = `Select all that are loaded: ${formatJobs(jobs.length)}`;
  return (
    <label className={classes.all}>
      <input
        type="checkbox"
        aria-label={name}
        checked={chosen > 0 && chosen === jobs.length}
        ref={(box) => {
          if (box !== null) box.indeterminate = chosen > 0 && chosen < jobs.length;
        }}
        onChange={(event) => {
          if (event.currentTarget.checked) selection.selectAll(jobs);
          else selection.clear();
        }}
      />
      {/* Where the head of the table is not there to say it. */}
      <span aria-hidden="true">{name}</span>
    </label>
  );
}

/** Stands for the rows that are not there. */
function Gap({ pixels }: { readonly pixels: number }) {
  return pixels <= 0 ? null : <tr role="presentation" className={classes.gap} style={{ height: pixels }} />;
}

/** What a narrow screen has room for as well. */
const NARROW: ReadonlySet<ColumnKey> = new Set(['function', 'input', 'output']);

function Head({ column, children }: { readonly column?: ColumnKey; readonly children: ReactNode }) {
  return (
    <th role="columnheader" scope="col" className={column === undefined || NARROW.has(column) ? undefined : classes.wide}>
      {children}
    </th>
  );
}

interface RowProps {
  readonly job: Job;
  readonly index: number;
  readonly columns: ReadonlySet<ColumnKey>;
  readonly selected: boolean;
  /** `range`: and all rows between it and the one before. */
  readonly onSelect: ((id: string, on: boolean, range: boolean) => void) | null;
  readonly measure: (row: Element | null) => void;
}

const Row = memo(function Row({ job, index, columns, selected, onSelect, measure }: RowProps) {
  const cell = (column: ColumnKey, content: ReactNode, name?: string) =>
    columns.has(column) && (
      <td role="cell" className={name ?? classes.wide}>
        {content}
      </td>
    );
  // Without the column, the state is what leads to the job.
  const state = <JobStateBadge state={job.state} />;
  return (
    <tr role="row" ref={measure} data-index={index} aria-rowindex={index + 2} data-selected={selected || undefined}>
      {onSelect !== null && (
        <td role="cell" className={classes.select}>
          <input
            type="checkbox"
            data-select
            aria-label={`Select the job ${callText(job)}`}
            checked={selected}
            onChange={({ currentTarget, nativeEvent }) => {
              onSelect(job.id, currentTarget.checked, nativeEvent instanceof MouseEvent && nativeEvent.shiftKey);
            }}
          />
        </td>
      )}
      <td role="cell" className={classes.state}>
        {columns.has('input') ? (
          state
        ) : (
          <Link to="/jobs/$id" params={{ id: job.id }} data-row>
            {state}
          </Link>
        )}
      </td>
      {cell('function', job.function, classes.function)}
      {cell(
        'input',
        <Link to="/jobs/$id" params={{ id: job.id }} data-row>
          {shortenMiddle(job.input_preview ?? jsonText(job.input), 20).text}
        </Link>,
        classes.input,
      )}
      {cell('output', <Output job={job} />, classes.output)}
      {cell('queue', job.queue)}
      {cell('priority', job.priority)}
      {cell('fairness_key', job.fairness_key ?? '–')}
      {cell('tags', job.tags.length === 0 ? '–' : job.tags.join(', '))}
      {cell('attempts', `${job.attempt} of ${job.max_attempts}`)}
      {cell('waited', waited(job))}
      {cell(
        'duration',
        job.started_at != null && job.finished_at != null ? durationText(job.started_at, job.finished_at) : '–',
      )}
      <td role="cell" className={classes.age}>
        <Age at={job.created_at} />
      </td>
    </tr>
  );
});

/** Only the first attempt follows the creation; what a later one waited for is its backoff. */
function waited({ attempt, created_at: created, started_at: started, run_at: asked }: Job): string {
  if (attempt !== 1 || started == null) return '–';
  return durationText(asked != null && asked > created && asked <= started ? asked : created, started);
}

function Output({ job }: { readonly job: Job }) {
  if (job.error != null && job.state !== 'completed') {
    return <span className={classes.bad}>{shortenMiddle(job.error.message, 40).text}</span>;
  }
  const text = outputText(job);
  return text === null ? <>–</> : <ValueText text={text} length={job.output_length ?? text.length} keep={13} />;
}
