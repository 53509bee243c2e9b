/** The actions on many jobs that go on now, whoever has begun them, each with a way to stop it. */
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef } from 'react';
import { holdState } from '../../api/hold';
import { jobActionsQuery, putJobAction, stopJobAction } from '../../api/job-actions';
import type { JobAction } from '../../api/types';
import { tellOutcome } from '../../components/outcome';
import { ProgressBar } from '../../components/progress-bar';
import { Action } from '../action';
import { BULK_WORDS, endOf, progressOf, whichJobs } from './bulk-words';
import classes from './bulk.module.css';

export function RunningActions() {
  const queryClient = useQueryClient();
  const { data: actions } = useQuery(jobActionsQuery);
  const seen = useRef<ReadonlySet<string>>(new Set());

  // What was seen to run and no longer does has ended: its jobs are read anew.
  useEffect(() => {
    if (actions === undefined) return;
    const ended = actions.filter(({ id, state }) => state !== 'running' && seen.current.has(id));
    seen.current = new Set(actions.flatMap(({ id, state }) => (state === 'running' ? [id] : [])));
    if (ended.length === 0) return;
    tellOutcome(ended.map(endOf).join(' '));
    // Rows must not move under somebody's hands; the stream has them read when the hold is over.
    if (holdState().held) return;
    for (const queryKey of [['jobs'], ['failures']]) void queryClient.invalidateQueries({ queryKey });
  }, [actions, queryClient]);

  const running = (actions ?? []).filter(({ state }) => state === 'running');
  if (running.length === 0) return null;
  return (
    <ul className={classes.actions} aria-label="Running bulk actions">
      {running.map((action) => (
        <Running key={action.id} action={action} />
      ))}
    </ul>
  );
}

function Running({ action }: { readonly action: JobAction }) {
  const queryClient = useQueryClient();
  const { going } = BULK_WORDS[action.action];
  return (
    <li className={classes.running}>
      <span className={classes.what}>
        {`${going}: ${progressOf(action)} `}
        <code className={classes.filter}>{whichJobs(action)}</code>
      </span>
      <ProgressBar share={action.total === 0 ? 0 : action.seen / action.total} label={`${going}: progress`} />
      <Action
        label="Stop"
        name={`Stop ${going.toLowerCase()}`}
        busy="Stopping …"
        failed="It was not stopped"
        run={async () => {
          await putJobAction(queryClient, await stopJobAction(action.id));
        }}
      />
    </li>
  );
}
