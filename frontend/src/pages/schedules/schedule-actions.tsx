/** What can be done with a schedule: run it now, pause and resume it, delete it. */
import { useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { deleteSchedule, dropSchedule, putSchedule, runSchedule, scheduleQuery, setSchedulePaused } from '../../api/schedules';
import type { Job, Schedule } from '../../api/types';
import { Action } from '../action';
import classes from './schedules.module.css';

interface Props {
  readonly schedule: Schedule;
  readonly onDeleted?: () => void;
}

export function ScheduleActions({ schedule: { id, name, paused }, onDeleted }: Props) {
  const queryClient = useQueryClient();
  const [run, setRun] = useState<Job | null>(null);
  return (
    <div className={classes.actions}>
      <Action
        label="Run now"
        name={`Run now: ${name}`}
        busy="Starting …"
        failed="It was not run"
        run={async () => {
          setRun(await runSchedule(id));
          await queryClient.invalidateQueries({ queryKey: scheduleQuery(id).queryKey });
        }}
      />
      <Action
        label={paused ? 'Resume' : 'Pause'}
        name={`${paused ? 'Resume' : 'Pause'} ${name}`}
        busy={paused ? 'Resuming …' : 'Pausing …'}
        failed={paused ? 'It was not resumed' : 'It was not paused'}
        run={async () => putSchedule(queryClient, await setSchedulePaused(id, !paused))}
      />
      <Action
        label="Delete"
        name={`Delete ${name}`}
        busy="Deleting …"
        failed="It was not deleted"
        confirm={{
          title: `Delete ${name}?`,
          text: 'It creates no more jobs. Existing jobs stay.',
        }}
        run={async () => {
          await deleteSchedule(id);
          onDeleted?.();
          await dropSchedule(queryClient, id);
        }}
      />
      <span role="status" className={classes.run}>
        {run !== null && (
          <>
            Runs as{' '}
            <Link to="/jobs/$id" params={{ id: run.id }}>
              a job
            </Link>
          </>
        )}
      </span>
    </div>
  );
}
