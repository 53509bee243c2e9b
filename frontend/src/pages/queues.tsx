/** The queues: how full they are, what they allow, and what is wrong with them, in words. */
import { Button } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState, type ReactElement } from 'react';
import { asApiError } from '../api/problem';
import { liveQueuesQuery, putQueue, setQueuePaused } from '../api/queues';
import type { Queue } from '../api/types';
import { Heading } from '../components/heading';
import { Empty, Failed, LoadingRows } from '../components/notice';
import { formatNumber } from '../components/numbers';
import { useMayChange } from './access';
import { Action } from './action';
import { LimitsForm } from './queues/limits-form';
import { limitsText, remarksOn } from './queues/queue-words';
import classes from './queues/queues.module.css';

export default function QueuesPage(): ReactElement {
  const queues = useQuery(liveQueuesQuery);
  return (
    <>
      <Heading title="Queues">
        All queues with their jobs, workers and limits.
      </Heading>
      {queues.data !== undefined && queues.data.length > 0 ? (
        <ul className={classes.queues}>
          {queues.data.map((queue) => (
            <QueueCard key={queue.name} queue={queue} />
          ))}
        </ul>
      ) : (
        <div className={classes.card}>
          {queues.isPending ? (
            <LoadingRows rows={3} what="the queues" />
          ) : queues.isError ? (
            <Failed title="The queues could not be read" error={asApiError(queues.error)} onRetry={() => void queues.refetch()} />
          ) : (
            <Empty title="No queues">A function names the queue of its jobs, and SPIRAL_QUEUES declares others.</Empty>
          )}
        </div>
      )}
      {queues.isRefetchError && (
        <p className={classes.stale} role="status">
          {`These counts may be out of date: ${asApiError(queues.error).message}`}
        </p>
      )}
    </>
  );
}

function QueueCard({ queue }: { readonly queue: Queue }) {
  const queryClient = useQueryClient();
  const [editing, setEditing] = useState(false);
  const mayChange = useMayChange();
  const { name, paused } = queue;
  return (
    <li className={classes.queue} aria-label={`Queue ${name}`}>
      <div className={classes.head}>
        <h2 className={classes.name}>{name}</h2>
        <span className={classes.state} data-paused={paused || undefined}>
          {paused ? 'Paused' : 'Active'}
        </span>
      </div>
      <dl className={classes.figures}>
        <Figure name="Waiting" value={queue.queued} />
        <Figure name="Running" value={queue.running} />
        <Figure name="Scheduled" value={queue.scheduled} />
        <Figure name="Retrying" value={queue.retrying} />
        <Figure name="Workers" value={queue.workers} />
      </dl>
      <div className={classes.remarks}>
        {remarksOn(queue).map(({ kind, text }) => (
          <p key={text} className={classes.remark} data-kind={kind}>
            {text}
          </p>
        ))}
        <p className={classes.limits}>{`${limitsText(queue)}. Weight ${formatNumber(queue.weight)}.`}</p>
      </div>
      <div className={classes.actions}>
        <Action
          label={paused ? 'Resume' : 'Pause'}
          name={`${paused ? 'Resume' : 'Pause'} the queue ${name}`}
          busy={paused ? 'Resuming …' : 'Pausing …'}
          failed={paused ? 'It was not resumed' : 'It was not paused'}
          run={async () => putQueue(queryClient, await setQueuePaused(name, !paused))}
        />
        {mayChange && (
          <Button
            variant="default"
            size="xs"
            aria-label={`Change the limits of the queue ${name}`}
            onClick={() => {
              setEditing(true);
            }}
          >
            Limits
          </Button>
        )}
      </div>
      {editing && (
        <LimitsForm
          queue={queue}
          onClose={() => {
            setEditing(false);
          }}
        />
      )}
    </li>
  );
}

function Figure({ name, value }: { readonly name: string; readonly value: number }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{formatNumber(value)}</dd>
    </div>
  );
}
