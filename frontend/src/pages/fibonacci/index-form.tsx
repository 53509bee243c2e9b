/** The form: an index in, a job out. Errors stand at the field, from the check here and from the server alike. */
import { Button, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useRef, useState, type SyntheticEvent } from 'react';
import { addJob } from '../../api/apply';
import { functionsQuery } from '../../api/functions';
import { wholeNumberField } from '../../api/input-schema';
import { callFunction, newIdempotencyKey } from '../../api/jobs';
import { asApiError } from '../../api/problem';
import { formatNumber } from '../../components/numbers';
import { useMayCall } from '../access';
import classes from './index-form.module.css';
import { parseIndex, rangeText } from './index-input';

const EXAMPLES = [10, 90, 1000, 100_000, 1_000_000];

interface Props {
  readonly text: string;
  readonly onText: (text: string) => void;
  /** The index that is typed at the moment, as soon as it is a good one; null when the field is empty. */
  readonly onIndex: (index: number | null) => void;
  readonly onAsked: (jobId: string) => void;
}

export function IndexForm({ text, onText, onIndex, onAsked }: Props) {
  const queryClient = useQueryClient();
  const field = useRef<HTMLInputElement>(null);
  const [error, setError] = useState<string | null>(null);
  const { data: functions } = useQuery(functionsQuery);
  const schema = functions?.find(({ name }) => name === 'fibonacci')?.input_schema;
  const limits = wholeNumberField(schema, 'index');
  const typed = parseIndex(text, limits);
  const mayCall = useMayCall('fibonacci');

  const enqueue = useMutation({
    mutationFn: callFunction,
    // The idempotency key makes a second try harmless.
    retry: (failures, failure) => failures < 2 && asApiError(failure).status === 0,
    onSuccess: ({ job }) => {
      addJob(queryClient, job);
      onAsked(job.id);
    },
    onError: (failure) => {
      setError(asApiError(failure).field('/input/index'));
      field.current?.focus();
    },
  });
  const failure = enqueue.isError && error === null ? asApiError(enqueue.error) : null;

  const change = (next: string) => {
    onText(next);
    if (enqueue.isError) enqueue.reset();
    const { index, error: mistake } = parseIndex(next, limits);
    // While somebody types, an error that stands there may go or change; a new one waits for Enter.
    if (error !== null) setError(next.trim() === '' ? null : mistake);
    if (index !== null || next.trim() === '') onIndex(index);
  };

  const ask = (event: SyntheticEvent) => {
    event.preventDefault();
    if (!mayCall) return;
    if (typed.index === null) {
      setError(typed.error);
      field.current?.focus();
      return;
    }
    setError(null);
    onIndex(typed.index);
    enqueue.mutate({ function: 'fibonacci', input: { index: typed.index }, idempotencyKey: newIdempotencyKey() });
  };

  return (
    <form className={classes.form} onSubmit={ask} noValidate>
      <div className={classes.line}>
        <TextInput
          ref={field}
          className={classes.field}
          classNames={{ input: classes.input ?? '', label: classes.label ?? '' }}
          label="Index"
          description={schema === undefined ? 'A whole number' : `${rangeText(limits)}.`}
          inputWrapperOrder={['label', 'description', 'input', 'error']}
          // The field's description for a screen reader; for the eye it stands below, where there is room for it.
          errorProps={{ className: 'visually-hidden' }}
          name="index"
          data-search
          inputMode="numeric"
          autoComplete="off"
          placeholder="90"
          size="lg"
          value={text}
          error={error}
          onChange={(event) => {
            change(event.currentTarget.value);
          }}
        />
        {mayCall && (
          <Button type="submit" size="lg" className={classes.button ?? ''} loading={enqueue.isPending}>
            {typed.index === null ? 'Calculate' : `Calculate F(${formatNumber(typed.index)})`}
          </Button>
        )}
      </div>
      <div className={classes.below}>
        {error !== null || failure !== null ? (
          <p className={classes.error} role="alert">
            {error ?? failure?.message}
          </p>
        ) : (
          <p className={classes.examples}>
            <span>Try</span>
            {EXAMPLES.filter((index) => limits.maximum === null || index <= limits.maximum).map((index) => (
              <button
                key={index}
                type="button"
                className={classes.example}
                aria-label={`Index ${formatNumber(index)}`}
                onClick={() => {
                  change(String(index));
                  field.current?.focus();
                }}
              >
                {formatNumber(index)}
              </button>
            ))}
          </p>
        )}
      </div>
    </form>
  );
}
