/** The form: an input and how to run it in, a job out. Errors stand at their fields, from here and from the server alike. */
import { Button } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useRef, useState, type SyntheticEvent } from 'react';
import { addJob } from '../../api/apply';
import { callFunction, newIdempotencyKey, type Called } from '../../api/jobs';
import { asApiError } from '../../api/problem';
import { queuesQuery } from '../../api/queues';
import type { FunctionInfo, Job, NewJob } from '../../api/types';
import { draftOf, emptyDraft, readDraft, readFields } from '../input-form/draft';
import { fieldsOf } from '../input-form/fields';
import { focusInvalid } from '../input-form/focus-invalid';
import { FieldInputs, InputForm } from '../input-form/input-form';
import { besideInput, insideInput } from '../input-form/pointers';
import { useMayCall, useSession } from '../access';
import classes from './call-form.module.css';
import { optionFields } from './call-options';

type Errors = Readonly<Record<string, string>>;

interface Props {
  readonly called: FunctionInfo;
  /** The job whose input and options the form begins with. */
  readonly model: Job | null;
  readonly onCalled: (called: Called) => void;
}

export function CallForm({ called, model, onCalled }: Props) {
  const queryClient = useQueryClient();
  const form = useRef<HTMLFormElement>(null);
  const mayCall = useMayCall(called.name);
  // Visitors give an input alone.
  const choosesOptions = useSession()?.role !== 'anybody';
  const { data: queues } = useQuery({ ...queuesQuery, enabled: choosesOptions });
  const fields = fieldsOf(called.input_schema);
  const options = optionFields(called, (queues ?? []).map(({ name }) => name));
  const [draft, setDraft] = useState(() => (model === null ? emptyDraft(fields) : draftOf(fields, model.input)));
  const [texts, setTexts] = useState<Readonly<Record<string, string>>>(() =>
    model === null || !choosesOptions ? {} : optionsOf(model, called),
  );
  const [errors, setErrors] = useState<{ input: Errors; options: Errors }>({ input: {}, options: {} });

  const call = useMutation({
    mutationFn: callFunction,
    // The idempotency key makes a second try harmless.
    retry: (failures, failure) => failures < 2 && asApiError(failure).status === 0,
    onSuccess: (made) => {
      addJob(queryClient, made.job);
      onCalled(made);
    },
    onError: (failure) => {
      const told = asApiError(failure).fieldErrors;
      show({ input: insideInput(told), options: besideInput(told) });
    },
  });

  const show = (next: { input: Errors; options: Errors }) => {
    setErrors(next);
    focusInvalid(form.current);
  };

  const send = (event: SyntheticEvent) => {
    event.preventDefault();
    if (call.isPending) return;
    const input = readDraft(fields, draft);
    const chosen = readFields(options, texts);
    if (!input.ok || !chosen.ok) {
      show({ input: input.ok ? {} : input.errors, options: chosen.ok ? {} : chosen.errors });
      return;
    }
    setErrors({ input: {}, options: {} });
    call.mutate({
      function: called.name,
      input: input.input,
      options: chosen.input as Partial<NewJob>,
      idempotencyKey: newIdempotencyKey(),
    });
  };

  if (!mayCall) return <p>Only admins can call it.</p>;
  const optionErrors = Object.keys(errors.options).length > 0;
  const count = Object.values(texts).filter((text) => text !== '').length;
  return (
    <form ref={form} className={classes.form} onSubmit={send} noValidate>
      <InputForm
        fields={fields}
        draft={draft}
        errors={errors.input}
        onChange={(next) => {
          setDraft(next);
          setErrors({ ...errors, input: {} });
        }}
      />
      {choosesOptions && (
        <details className={classes.options} {...(optionErrors || (model !== null && count > 0) ? { open: true } : {})}>
          <summary className={classes.summary}>{count === 0 ? 'Options' : `Options, ${count} chosen`}</summary>
          <div className={classes.fields}>
            <FieldInputs
              fields={options}
              texts={texts}
              errors={errors.options}
              onChange={(next) => {
                setTexts(next);
                setErrors({ ...errors, options: {} });
              }}
            />
          </div>
        </details>
      )}
      {call.isError && (
        <p className={classes.bad} role="alert">
          {asApiError(call.error).message}
        </p>
      )}
      <Button type="submit" size="md" aria-disabled={call.isPending}>
        {call.isPending ? 'Calling …' : `Call ${called.name}`}
      </Button>
    </form>
  );
}

/** The options of an earlier job, where they are not the function's own. */
function optionsOf(job: Job, called: FunctionInfo): Readonly<Record<string, string>> {
  return {
    ...(job.priority === 5 ? {} : { priority: String(job.priority) }),
    ...(job.queue === called.queue ? {} : { queue: job.queue }),
    ...(job.max_attempts === called.max_attempts ? {} : { max_attempts: String(job.max_attempts) }),
    ...(job.fairness_key == null ? {} : { fairness_key: job.fairness_key }),
    ...(job.tags.length === 0 ? {} : { tags: job.tags.join(' ') }),
  };
}
