/** Makes a schedule. */
import { useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import type { ReactElement } from 'react';
import { createSchedule, putSchedule } from '../api/schedules';
import { Heading } from '../components/heading';
import { useMayChange } from './access';
import { BackLink } from './back-link';
import classes from './schedule.module.css';
import { ScheduleForm } from './schedules/schedule-form';

export default function NewSchedulePage(): ReactElement {
  const queryClient = useQueryClient();
  const navigate = useNavigate();
  const mayChange = useMayChange();
  return (
    <>
      <BackLink to="/schedules">All schedules</BackLink>
      <Heading title="New schedule">A function, its input, and when to call it.</Heading>
      {mayChange ? (
        <div className={classes.form}>
          <ScheduleForm
            schedule={null}
            save={async (schedule) => {
              const made = await createSchedule(schedule);
              await navigate({ to: '/schedules/$id', params: { id: made.id } });
              await putSchedule(queryClient, made);
            }}
            onCancel={() => void navigate({ to: '/schedules' })}
          />
        </div>
      ) : (
        <p>Only admins can create one.</p>
      )}
    </>
  );
}
