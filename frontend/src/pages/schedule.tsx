/** One schedule: what it calls and when, its next runs, and a form to change it. */
import { Button } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router';
import { useState, type ReactElement } from 'react';
import { changeSchedule, putSchedule, scheduleQuery } from '../api/schedules';
import type { CatchUp, Schedule } from '../api/types';
import { Detail, Details } from '../components/details';
import { JsonView } from '../components/json-view';
import { Moment } from '../components/moment';
import { useMayChange } from './access';
import { searchFor } from './job-search';
import classes from './schedule.module.css';
import { DueTimes } from './schedules/due-times';
import { ScheduleActions } from './schedules/schedule-actions';
import { ScheduleForm } from './schedules/schedule-form';
import { Section } from './section';
import { Thing } from './thing';

const route = getRouteApi('/schedules/$id');

const CATCH_UP: Record<CatchUp, string> = {
  skip: 'are skipped',
  once: 'run once',
  all: 'each run',
};

export default function SchedulePage(): ReactElement {
  const { id } = route.useParams();
  const schedule = useQuery(scheduleQuery(id));
  return (
    <Thing
      what="schedule"
      to="/schedules"
      all="schedules"
      query={schedule}
      title={schedule.data?.name ?? 'Schedule'}
      about={schedule.data?.description ?? 'Creates jobs by cron.'}
      rows={5}
      pixels={420}
    >
      {(data) => <Parts key={id} schedule={data} />}
    </Thing>
  );
}

function Parts({ schedule }: { readonly schedule: Schedule }) {
  const queryClient = useQueryClient();
  const navigate = useNavigate();
  const mayChange = useMayChange();
  const [editing, setEditing] = useState(false);
  const { id, paused } = schedule;
  if (editing) {
    return (
      <div className={classes.form}>
        <ScheduleForm
          schedule={schedule}
          save={async (change) => {
            await putSchedule(queryClient, await changeSchedule(id, change));
            setEditing(false);
          }}
          onCancel={() => {
            setEditing(false);
          }}
        />
      </div>
    );
  }
  return (
    <>
      <div className={classes.bar}>
        <ScheduleActions schedule={schedule} onDeleted={() => void navigate({ to: '/schedules' })} />
        {mayChange && (
          <Button
            variant="default"
            size="xs"
            onClick={() => {
              setEditing(true);
            }}
          >
            Edit
          </Button>
        )}
      </div>
      {schedule.error != null && (
        <p className={classes.error} role="alert">
          {schedule.error}
        </p>
      )}
      {schedule.notice != null && <p className={classes.notice}>{schedule.notice}</p>}
      <div className={classes.parts}>
        <div className={classes.column}>
          <Section
            title={paused ? 'Runs if resumed' : 'Next runs'}
            aside={<span className={classes.note}>in your time zone</span>}
            padded
          >
            {paused && <p className={classes.paused}>Paused. If resumed now, it runs:</p>}
            <DueTimes times={schedule.next_times} className={classes.times ?? ''} />
          </Section>
          <Section
            title="Details"
            aside={
              <Link to="/jobs" search={searchFor({ schedule: id })}>
                View jobs
              </Link>
            }
          >
            <Details>
              <Detail name="Cron">
                <code className={classes.code}>{schedule.cron}</code>
              </Detail>
              <Detail name="Time zone">{schedule.time_zone}</Detail>
              <Detail name="Last run">
                {schedule.last_at == null ? (
                  'Not yet'
                ) : (
                  <>
                    <Moment at={schedule.last_at} />
                    {schedule.last_job_id != null && (
                      <>
                        {', '}
                        <Link to="/jobs/$id" params={{ id: schedule.last_job_id }}>
                          its job
                        </Link>
                      </>
                    )}
                  </>
                )}
              </Detail>
              <Detail name="Missed runs">{CATCH_UP[schedule.catch_up]}</Detail>
              <Detail name="Attempts">{schedule.max_attempts ?? 'Function default'}</Detail>
              <Detail name="Changed">
                <Moment at={schedule.updated_at} />
              </Detail>
            </Details>
          </Section>
        </div>
        <Section
          title={`Calls ${schedule.function} with`}
          aside={
            <Link to="/functions/$name" params={{ name: schedule.function }}>
              The function
            </Link>
          }
          padded
        >
          <JsonView value={schedule.input} what="the input" fileName={`${schedule.function}-input.json`} />
        </Section>
      </div>
    </>
  );
}
