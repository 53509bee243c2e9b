/** The question before an action on all jobs of a search: it counts them, names the count, and begins only then. */
import { Button } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { beginJobAction, jobCountQuery, putJobAction } from '../../api/job-actions';
import { asApiError } from '../../api/problem';
import type { BulkAction } from '../../api/types';
import { Dialog } from '../../components/dialog';
import { formatJobs, formatNumber } from '../../components/numbers';
import { tellOutcome } from '../../components/outcome';
import { BULK_WORDS, questionOf } from './bulk-words';
import classes from './bulk.module.css';

interface Props {
  readonly action: BulkAction;
  readonly filter: string;
  readonly onClose: () => void;
  readonly onBegun?: () => void;
}

export function BulkQuestion({ action, filter, onClose, onBegun }: Props) {
  const queryClient = useQueryClient();
  const count = useQuery(jobCountQuery(action, filter));
  const begin = useMutation({
    mutationFn: () => beginJobAction(action, { filter }),
    onSuccess: async (begun) => {
      onClose();
      onBegun?.();
      tellOutcome(`${BULK_WORDS[action].going} ${formatJobs(begun.total)} has begun. It continues if you leave this page.`);
      await putJobAction(queryClient, begun);
    },
  });
  const words = BULK_WORDS[action];
  const jobs = count.data?.jobs ?? 0;
  const counted = count.data?.exact === false ? `more than ${formatNumber(jobs)} jobs` : formatJobs(jobs);
  const ready = count.isSuccess && jobs > 0;
  return (
    <Dialog title={ready ? questionOf(action, counted) : count.isSuccess ? 'No jobs to change' : questionOf(action, 'these jobs')} onClose={onClose}>
      <div className={classes.question}>
        <p role="status" className={classes.soft}>
          {count.isPending
            ? 'Counting the jobs …'
            : count.isSuccess && jobs === 0
              ? `No matching job can be ${words.none}.`
              : ready
                ? words.text
                : ''}
        </p>
        <p className={classes.soft}>
          {filter === '' ? 'All jobs.' : 'Jobs that match '}
          {filter !== '' && <code className={classes.filter}>{filter}</code>}
        </p>
        {count.isError && (
          <p role="alert" className={classes.bad}>{`The jobs could not be counted: ${asApiError(count.error).message}`}</p>
        )}
        {begin.isError && <p role="alert" className={classes.bad}>{`It was not started: ${asApiError(begin.error).message}`}</p>}
        <div className={classes.choice}>
          {(ready || count.isPending) && (
            <Button
              size="md"
              aria-disabled={!ready || begin.isPending}
              onClick={() => {
                if (ready && !begin.isPending) begin.mutate();
              }}
            >
              {begin.isPending ? 'Starting …' : words.label}
            </Button>
          )}
          {count.isError && (
            <Button size="md" onClick={() => void count.refetch()}>
              Count again
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
