/** The question before an action on jobs that were picked by hand. It runs on the server, as that on all of a search. */
import { Button } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { beginJobAction, putJobAction } from '../../api/job-actions';
import { asApiError } from '../../api/problem';
import type { BulkAction, Job } from '../../api/types';
import { Dialog } from '../../components/dialog';
import { formatJobs, formatNumber } from '../../components/numbers';
import { BULK_WORDS, canBeDone, questionOf } from './bulk-words';
import classes from './bulk.module.css';

/** What the server takes in one action. */
const MOST = 1000;

interface Props {
  readonly action: BulkAction;
  /** All that are selected, also those to which it cannot be done. */
  readonly jobs: readonly Job[];
  readonly onClose: () => void;
  readonly onBegun: () => void;
}

export function PickedQuestion({ action, jobs, onClose, onBegun }: Props) {
  const queryClient = useQueryClient();
  // What is asked is what is done, also when jobs change meanwhile.
  const [fit] = useState(() => jobs.filter((job) => canBeDone(action, job)));
  const begin = useMutation({
    mutationFn: () => beginJobAction(action, { ids: fit.map(({ id }) => id) }),
    onSuccess: async (begun) => {
      onClose();
      onBegun();
      await putJobAction(queryClient, begun);
    },
  });
  const words = BULK_WORDS[action];
  const rest = jobs.length - fit.length;
  const ready = fit.length > 0 && fit.length <= MOST;
  return (
    <Dialog title={fit.length === 0 ? 'No jobs to change' : questionOf(action, formatJobs(fit.length))} onClose={onClose}>
      <div className={classes.question}>
        {ready && <p className={classes.soft}>{words.text}</p>}
        {rest > 0 && (
          <p className={classes.soft}>
            {`${formatJobs(rest)} of the selection cannot be ${words.done}: ${action === 'cancel' ? 'they have finished' : 'they have not finished'}.`}
          </p>
        )}
        {fit.length > MOST && (
          <p className={classes.soft}>
            {`At most ${formatNumber(MOST)} jobs can be selected one by one. Select fewer, or all that match a search.`}
          </p>
        )}
        {begin.isError && <p role="alert" className={classes.bad}>{`It was not started: ${asApiError(begin.error).message}`}</p>}
        <div className={classes.choice}>
          {ready && (
            <Button
              size="md"
              aria-disabled={begin.isPending}
              onClick={() => {
                if (!begin.isPending) begin.mutate();
              }}
            >
              {begin.isPending ? 'Starting …' : words.label}
            </Button>
          )}
          <Button variant="default" size="md" onClick={onClose}>
            Keep
          </Button>
        </div>
      </div>
    </Dialog>
  );
}
