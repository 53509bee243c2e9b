/** Calls off a job that has not ended. Nothing is lost that cannot be called again, so it does not ask twice. */
import { Button } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import type { ReactElement } from 'react';
import { cancelJob, jobKey } from '../api/jobs';
import { asApiError } from '../api/problem';
import type { Job, JobDetail } from '../api/types';
import { useMayChange } from './access';
import classes from './job.module.css';

export function CancelJob({ job }: { readonly job: Job }): ReactElement | null {
  const queryClient = useQueryClient();
  const cancel = useMutation({
    mutationFn: () => cancelJob(job.id),
    onSuccess: (now) => {
      queryClient.setQueryData<JobDetail>(jobKey(job.id), (known) => (known === undefined ? undefined : { ...known, ...now }));
    },
  });
  const mayChange = useMayChange();
  if (!mayChange) return null;
  const stopping = cancel.isPending || cancel.isSuccess;
  return (
    <span className={classes.cancel}>
      <Button
        variant="default"
        size="xs"
        // Not `disabled`: that would take the focus away from who has just pressed it.
        aria-disabled={stopping}
        onClick={() => {
          if (!stopping) cancel.mutate();
        }}
      >
        {stopping ? 'Cancelling …' : 'Cancel this job'}
      </Button>
      {cancel.isError && (
        <span role="alert" className={classes.bad}>
          {`It was not cancelled: ${asApiError(cancel.error).message}`}
        </span>
      )}
    </span>
  );
}
