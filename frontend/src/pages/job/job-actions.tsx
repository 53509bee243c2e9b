/** What can be done to one job in the state that it is in. */
import { useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { holdLive } from '../../api/hold';
import { dropJobs, putJob } from '../../api/job-answers';
import { cancelJob, deleteJob, retryJob, runJobNow } from '../../api/jobs';
import { isFinal } from '../../api/patch';
import type { Job } from '../../api/types';
import { tellOutcome } from '../../components/outcome';
import { useMayCall, useMayChange } from '../access';
import { Action } from '../action';
import classes from '../job.module.css';
import { EditInput } from './edit-input';

export function JobActions({ job }: { readonly job: Job }) {
  const queryClient = useQueryClient();
  const navigate = useNavigate();
  const mayChange = useMayChange();
  const mayCall = useMayCall(job.function);
  const ended = isFinal(job.state);
  const waits = job.state === 'scheduled' || job.state === 'retrying';

  const answered = (now: Job, text: string) => {
    putJob(queryClient, job, now);
    tellOutcome(text);
  };
  return (
    <div className={classes.actions} role="group" aria-label="Actions">
      {ended && (
        <Action
          key="retry"
          label="Retry"
          busy="Starting …"
          failed="It was not retried"
          run={async () => {
            answered(await retryJob(job.id), 'The job is queued again.');
          }}
        />
      )}
      {waits && (
        <Action
          key="now"
          label="Run now"
          busy="Starting …"
          failed="It was not started"
          run={async () => {
            answered(await runJobNow(job.id), 'The job is queued to run now.');
          }}
        />
      )}
      {mayChange && (waits || job.state === 'queued') && <EditInput key="edit" job={job} />}
      {!ended && (
        <Action
          key="cancel"
          label="Cancel job"
          busy="Cancelling …"
          failed="It was not cancelled"
          // Nothing is lost that cannot be retried, so it does not ask twice.
          run={async () => {
            const now = await cancelJob(job.id);
            answered(now, now.state === 'cancelled' ? 'The job is cancelled.' : 'Cancel requested. The job stops within a second.');
          }}
        />
      )}
      {ended && (
        <Action
          key="delete"
          label="Delete"
          busy="Deleting …"
          failed="It was not deleted"
          confirm={{
            title: 'Delete this job?',
            text: 'Its attempts, log and output are deleted too. This cannot be undone.',
          }}
          run={async () => {
            // The stream tells of it before the answer is here: the page would read a job that is gone.
            const release = holdLive();
            try {
              await deleteJob(job.id);
              await navigate({ to: '/jobs' });
              dropJobs(queryClient, new Set([job.id]));
              tellOutcome('The job is deleted.');
            } finally {
              release();
            }
          }}
        />
      )}
      {mayCall && (
        <Link to="/functions/$name" params={{ name: job.function }} search={{ from: job.id }} className={classes.again}>
          Edit and replay
        </Link>
      )}
    </div>
  );
}
