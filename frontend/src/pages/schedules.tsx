/** Every schedule: what it calls and when, in plain words, its next and its last run, and what can be done with it. */
import { Button } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { ReactElement } from 'react';
import { asApiError } from '../api/problem';
import { schedulesQuery } from '../api/schedules';
import type { Schedule } from '../api/types';
import { Age } from '../components/age';
import { Heading } from '../components/heading';
import { More } from '../components/more';
import { Empty, Failed, LoadingRows } from '../components/notice';
import { callText } from './job-text';
import { useMayChange } from './access';
import { ScheduleActions } from './schedules/schedule-actions';
import classes from './schedules/schedules.module.css';

export default function SchedulesPage(): ReactElement {
  const mayChange = useMayChange();
  const pages = useInfiniteQuery(schedulesQuery);
  const schedules = pages.data?.pages.flatMap((page) => page.schedules) ?? [];
  return (
    <>
      <div className={classes.top}>
        <Heading title="Schedules">Jobs created by cron, once per due time, however many processes run.</Heading>
        {mayChange && (
          <Button component={Link} to="/schedules/new" size="md">
            New schedule
          </Button>
        )}
      </div>
      <div className={classes.card}>
        {schedules.length > 0 ? (
          <ul className={classes.list}>
            {schedules.map((schedule) => (
              <ScheduleItem key={schedule.id} schedule={schedule} />
            ))}
          </ul>
        ) : pages.isPending ? (
          <LoadingRows rows={4} what="the schedules" />
        ) : pages.isError ? (
          <Failed title="The schedules could not be read" error={asApiError(pages.error)} onRetry={() => void pages.refetch()} />
        ) : (
          <Empty title="No schedules yet">
            {mayChange ? <Link to="/schedules/new">Create one</Link> : 'An admin can create one'}: a function, its input, and when to
            call it.
          </Empty>
        )}
      </div>
      <More pages={pages}>Show more schedules</More>
    </>
  );
}

function ScheduleItem({ schedule }: { readonly schedule: Schedule }) {
  const { id, name, description, paused, next_at: next, last_at: last, last_job_id: job } = schedule;
  return (
    <li className={classes.item} aria-label={name}>
      <div className={classes.what}>
        <Link to="/schedules/$id" params={{ id }} className={classes.name} data-row>
          {name}
        </Link>
        <p>{description}</p>
        <p className={classes.call}>{callText(schedule)}</p>
      </div>
      <div className={classes.when}>
        {paused ? (
          <p className={classes.paused}>Paused</p>
        ) : (
          <p>{next == null ? 'No further runs' : <>Next <Age at={next} ahead /></>}</p>
        )}
        <p className={classes.quiet}>
          {last == null ? (
            'Has not run yet'
          ) : job == null ? (
            <>Last <Age at={last} /></>
          ) : (
            <Link to="/jobs/$id" params={{ id: job }}>
              Last <Age at={last} />
            </Link>
          )}
        </p>
      </div>
      <ScheduleActions schedule={schedule} />
      {schedule.error != null && <p className={classes.error}>{schedule.error}</p>}
      {schedule.notice != null && <p className={classes.notice}>{schedule.notice}</p>}
    </li>
  );
}
