/** Another input for a job that waits: the form of its function in a dialog. */
import { Button } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useRef, useState, type SyntheticEvent } from 'react';
import { functionsQuery } from '../../api/functions';
import { putJob } from '../../api/job-answers';
import { editJob } from '../../api/jobs';
import { asApiError } from '../../api/problem';
import type { Job } from '../../api/types';
import { Dialog } from '../../components/dialog';
import { LoadingRows } from '../../components/notice';
import { tellOutcome } from '../../components/outcome';
import { draftOf, readDraft } from '../input-form/draft';
import { fieldsOf } from '../input-form/fields';
import { focusInvalid } from '../input-form/focus-invalid';
import { InputForm } from '../input-form/input-form';
import { insideInput } from '../input-form/pointers';
import classes from './edit-input.module.css';

export function EditInput({ job }: { readonly job: Job }) {
  const [open, setOpen] = useState(false);
  const close = () => {
    setOpen(false);
  };
  return (
    <>
      <Button
        variant="default"
        size="xs"
        onClick={() => {
          setOpen(true);
        }}
      >
        Edit input
      </Button>
      {open && (
        <Dialog title="Edit input" onClose={close}>
          <Form job={job} onDone={close} />
        </Dialog>
      )}
    </>
  );
}

function Form({ job, onDone }: { readonly job: Job; readonly onDone: () => void }) {
  const functions = useQuery(functionsQuery);
  if (functions.isPending) return <LoadingRows rows={3} what="the function" />;
  const schema = functions.data?.find(({ name }) => name === job.function)?.input_schema;
  return <Fields job={job} schema={schema} onDone={onDone} />;
}

interface FieldsProps {
  readonly job: Job;
  readonly schema: unknown;
  readonly onDone: () => void;
}

function Fields({ job, schema, onDone }: FieldsProps) {
  const queryClient = useQueryClient();
  const form = useRef<HTMLFormElement>(null);
  const fields = fieldsOf(schema);
  // Only the first input counts: what somebody types does not change under their hands.
  const [draft, setDraft] = useState(() => draftOf(fields, job.input));
  const [errors, setErrors] = useState<Readonly<Record<string, string>>>({});
  const show = (next: Readonly<Record<string, string>>) => {
    setErrors(next);
    focusInvalid(form.current);
  };
  const edit = useMutation({
    mutationFn: (input: unknown) => editJob(job.id, input),
    onSuccess: (now) => {
      putJob(queryClient, job, now);
      onDone();
      tellOutcome('Input saved.');
    },
    onError: (failure) => {
      show(insideInput(asApiError(failure).fieldErrors));
    },
  });
  const send = (event: SyntheticEvent) => {
    event.preventDefault();
    if (edit.isPending) return;
    const read = readDraft(fields, draft);
    if (!read.ok) {
      show(read.errors);
      return;
    }
    setErrors({});
    edit.mutate(read.input);
  };
  return (
    <form ref={form} className={classes.form} onSubmit={send} noValidate>
      <InputForm
        fields={fields}
        draft={draft}
        errors={errors}
        onChange={(next) => {
          setDraft(next);
          setErrors({});
        }}
      />
      {edit.isError && (
        <p role="alert" className={classes.bad}>
          {`It was not changed: ${asApiError(edit.error).message}`}
        </p>
      )}
      <div className={classes.choice}>
        <Button type="submit" size="md" aria-disabled={edit.isPending}>
          {edit.isPending ? 'Saving …' : 'Save input'}
        </Button>
        <Button variant="default" size="md" onClick={onDone}>
          Keep
        </Button>
      </div>
    </form>
  );
}
