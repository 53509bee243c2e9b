/** The limits of a queue, to be changed. An empty field is no limit. */
import { Button } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useRef, useState, type SyntheticEvent } from 'react';
import { asApiError } from '../../api/problem';
import { putQueue, setQueueLimits } from '../../api/queues';
import type { Queue, QueueLimits } from '../../api/types';
import { Dialog } from '../../components/dialog';
import { readFields } from '../input-form/draft';
import { focusInvalid } from '../input-form/focus-invalid';
import { FieldInputs } from '../input-form/input-form';
import { LIMIT_FIELDS } from './limit-fields';
import classes from './queues.module.css';

type Texts = Readonly<Record<string, string>>;

export function LimitsForm({ queue, onClose }: { readonly queue: Queue; readonly onClose: () => void }) {
  const queryClient = useQueryClient();
  const form = useRef<HTMLFormElement>(null);
  const [texts, setTexts] = useState<Texts>(() => textsOf(queue));
  const [errors, setErrors] = useState<Texts>({});
  const set = useMutation({
    mutationFn: (limits: QueueLimits) => setQueueLimits(queue.name, limits),
    onSuccess: async (changed) => {
      await putQueue(queryClient, changed);
      onClose();
    },
    onError: (error) => {
      show(
        Object.fromEntries(
          Object.entries(asApiError(error).fieldErrors).map(([pointer, message]) => [pointer.replace('/rate/', '/'), message]),
        ),
      );
    },
  });

  const show = (next: Texts) => {
    setErrors(next);
    focusInvalid(form.current);
  };

  const save = (event: SyntheticEvent) => {
    event.preventDefault();
    if (set.isPending) return;
    const read = readFields(LIMIT_FIELDS, texts);
    const limits = read.ok ? (read.input as Record<string, number>) : {};
    const missing = rateErrors(limits);
    if (!read.ok || Object.keys(missing).length > 0) {
      show(read.ok ? missing : read.errors);
      return;
    }
    setErrors({});
    const { concurrency = null, jobs, period_seconds: period, burst, backlog_limit = null } = limits;
    set.mutate({
      concurrency,
      backlog_limit,
      rate: jobs === undefined || period === undefined ? null : { jobs, period_seconds: period, ...(burst === undefined ? {} : { burst }) },
    });
  };

  return (
    <Dialog title={`Limits of ${queue.name}`} onClose={onClose}>
      <form ref={form} className={classes.form} onSubmit={save} noValidate>
        <p className={classes.hint}>Apply to all workers together. Empty: no limit.</p>
        <FieldInputs
          fields={LIMIT_FIELDS}
          texts={texts}
          errors={errors}
          onChange={(next) => {
            setTexts(next);
            setErrors({});
          }}
        />
        {set.isError && (
          <p className={classes.bad} role="alert">
            {asApiError(set.error).message}
          </p>
        )}
        <div className={classes.choice}>
          <Button type="submit" size="md" aria-disabled={set.isPending}>
            {set.isPending ? 'Saving …' : 'Save limits'}
          </Button>
          <Button variant="default" size="md" onClick={onClose}>
            Close
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

/** A rate is jobs in a time: one without the other says nothing. */
function rateErrors(limits: Readonly<Record<string, number>>): Texts {
  const { jobs, period_seconds: period, burst } = limits;
  if (jobs === undefined && period === undefined && burst === undefined) return {};
  return {
    ...(jobs === undefined ? { '/jobs': 'Required for a rate.' } : {}),
    ...(period === undefined ? { '/period_seconds': 'Required for a rate.' } : {}),
  };
}

function textsOf({ concurrency, rate, backlog_limit: backlog }: Queue): Texts {
  return {
    ...(concurrency == null ? {} : { concurrency: String(concurrency) }),
    ...(backlog == null ? {} : { backlog_limit: String(backlog) }),
    ...(rate == null
      ? {}
      : { jobs: String(rate.jobs), period_seconds: String(rate.period_seconds), burst: rate.burst === rate.jobs ? '' : String(rate.burst) }),
  };
}
