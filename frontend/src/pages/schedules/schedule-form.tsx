/** A new schedule, or changes of one: what to call, with which input, and when, explained while it is typed. */
import { Button, NativeSelect } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useRef, useState, type SyntheticEvent } from 'react';
import { functionsQuery } from '../../api/functions';
import { asApiError } from '../../api/problem';
import type { NewSchedule, Schedule } from '../../api/types';
import { draftOf, emptyDraft, readDraft, readFields, type Draft } from '../input-form/draft';
import { fieldsOf } from '../input-form/fields';
import { focusInvalid } from '../input-form/focus-invalid';
import { FieldInputs, InputForm } from '../input-form/input-form';
import { insideInput, underInput } from '../input-form/pointers';
import { CronPreview } from './cron-preview';
import classes from './schedule-form.module.css';
import { NAME_FIELD, POLICY_FIELDS, PRESETS, textsOf, WHEN_FIELDS, type ScheduleOptions, type ScheduleTexts } from './schedule-fields';

interface Props {
  readonly schedule: Schedule | null;
  readonly save: (schedule: NewSchedule) => Promise<unknown>;
  readonly onCancel: () => void;
}

const ALL_FIELDS = [NAME_FIELD, ...WHEN_FIELDS, ...POLICY_FIELDS];

export function ScheduleForm({ schedule, save, onCancel }: Props) {
  const form = useRef<HTMLFormElement>(null);
  const { data: functions = [] } = useQuery(functionsQuery);
  const [texts, setTexts] = useState<ScheduleTexts>(() => (schedule === null ? {} : textsOf(schedule)));
  const [chosen, setChosen] = useState(schedule?.function ?? '');
  const name = chosen === '' ? (functions[0]?.name ?? '') : chosen;
  const fields = fieldsOf(functions.find((each) => each.name === name)?.input_schema);
  // Until somebody types, the draft follows the function, whose fields may still be on their way.
  const [typed, setTyped] = useState<Draft | null>(null);
  const draft = typed ?? (schedule?.function === name ? draftOf(fields, schedule.input) : emptyDraft(fields));
  const [errors, setErrors] = useState<Readonly<Record<string, string>>>({});
  const [cron] = useDebouncedValue(texts.cron ?? '', 300);
  const [zone] = useDebouncedValue(texts.time_zone ?? '', 300);

  const mutation = useMutation({
    mutationFn: save,
    onError: (error) => {
      show(asApiError(error).fieldErrors);
    },
  });

  const show = (next: Readonly<Record<string, string>>) => {
    setErrors(next);
    focusInvalid(form.current);
  };

  const submit = (event: SyntheticEvent) => {
    event.preventDefault();
    if (mutation.isPending) return;
    const options = readFields(ALL_FIELDS, texts);
    const input = readDraft(fields, draft);
    if (!options.ok || !input.ok) {
      show({ ...(options.ok ? {} : options.errors), ...(input.ok ? {} : underInput(input.errors)) });
      return;
    }
    setErrors({});
    mutation.mutate({
      // What a change leaves out stays as it was, but an emptied field has said that it shall not.
      ...(schedule === null ? { max_attempts: null } : PRESETS),
      ...(options.input as ScheduleOptions),
      function: name,
      input: input.input,
    });
  };

  const change = (next: ScheduleTexts) => {
    setTexts(next);
    setErrors({});
  };

  return (
    <form ref={form} className={classes.form} onSubmit={submit} noValidate>
      <FieldInputs fields={[NAME_FIELD]} texts={texts} errors={errors} onChange={change} />
      <div className={classes.pair}>
        <FieldInputs fields={WHEN_FIELDS} texts={texts} errors={errors} onChange={change} />
      </div>
      <CronPreview cron={cron} timeZone={zone} />
      <NativeSelect
        label="function"
        description="What to call."
        error={errors['/function'] ?? null}
        value={name}
        data={functions.map((each) => each.name)}
        onChange={(event) => {
          setChosen(event.currentTarget.value);
          setTyped(null);
        }}
      />
      <InputForm
        fields={fields}
        draft={draft}
        errors={insideInput(errors)}
        onChange={(next) => {
          setTyped(next);
          setErrors({});
        }}
      />
      <div className={classes.pair}>
        <FieldInputs fields={POLICY_FIELDS} texts={texts} errors={errors} onChange={change} />
      </div>
      {mutation.isError && (
        <p className={classes.bad} role="alert">
          {asApiError(mutation.error).message}
        </p>
      )}
      <div className={classes.choice}>
        <Button type="submit" size="md" aria-disabled={mutation.isPending}>
          {mutation.isPending ? 'Saving …' : schedule === null ? 'Create schedule' : 'Save changes'}
        </Button>
        <Button variant="default" size="md" onClick={onCancel}>
          {schedule === null ? 'Back' : 'Close'}
        </Button>
      </div>
    </form>
  );
}
