/** What the job's function logged, live. Stays at the end while somebody reads there; no live region: it would chatter. */
import { useQuery } from '@tanstack/react-query';
import { useLayoutEffect, useRef } from 'react';
import { jobLogQuery } from '../../api/log-lines';
import { isFinal } from '../../api/patch';
import { asApiError } from '../../api/problem';
import type { Job } from '../../api/types';
import { CopyButton } from '../../components/copy-button';
import { Empty, Failed, LoadingRows } from '../../components/notice';
import { clockTime, exactTime } from '../../components/time-text';
import { Section } from '../section';
import classes from './log.module.css';

export function Log({ job }: { readonly job: Job }) {
  const log = useQuery(jobLogQuery(job.id));
  const box = useRef<HTMLOListElement>(null);
  const atEnd = useRef(true);
  const lines = log.data ?? [];
  const attempts = new Set(lines.map(({ attempt }) => attempt)).size;

  useLayoutEffect(() => {
    if (atEnd.current && box.current !== null) box.current.scrollTop = box.current.scrollHeight;
  }, [lines.length]);

  return (
    <Section
      title="Log"
      aside={
        lines.length > 0 && (
          <CopyButton what="the log" load={() => lines.map(({ at, text }) => `${at} ${text}`).join('\n')} />
        )
      }
    >
      {log.isPending ? (
        <LoadingRows rows={1} what="the log" />
      ) : log.isError ? (
        <Failed title="The log could not be read" error={asApiError(log.error)} onRetry={() => void log.refetch()} />
      ) : lines.length === 0 ? (
        <Empty title={isFinal(job.state) ? 'The function logged nothing' : 'Nothing logged yet'}>
          Lines that the function writes with context.log(…) appear here live.
        </Empty>
      ) : (
        <ol
          ref={box}
          className={classes.lines}
          tabIndex={0}
          aria-label="Log lines"
          onScroll={({ currentTarget: { scrollTop, scrollHeight, clientHeight } }) => {
            atEnd.current = scrollHeight - scrollTop - clientHeight < 24;
          }}
        >
          {lines.map(({ attempt, number, at, text }) => (
            <li key={`${attempt}:${number}`} className={classes.line}>
              <time className={classes.time} dateTime={at} title={exactTime(at)}>
                {clockTime(at)}
              </time>
              {attempts > 1 && <span className={classes.attempt}>{`attempt ${attempt}`}</span>}
              <span className={classes.text}>{text}</span>
            </li>
          ))}
        </ol>
      )}
    </Section>
  );
}
