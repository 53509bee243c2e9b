/** The fields of a function's input, made from its JSON Schema, or one field for all of it as JSON. */
import { InputBase, NativeSelect, TextInput } from '@mantine/core';
import type { ReactElement } from 'react';
import { formatNumber } from '../../components/numbers';
import { switchMode, type Draft } from './draft';
import type { Field } from './fields';
import classes from './input-form.module.css';
import { pointerText, stepOf } from './pointers';

interface Props {
  readonly fields: readonly Field[] | null;
  readonly draft: Draft;
  readonly onChange: (draft: Draft) => void;
  /** By JSON Pointer into the input. */
  readonly errors: Readonly<Record<string, string>>;
}

export function InputForm({ fields, draft, onChange, errors }: Props): ReactElement {
  const inFields = fields !== null && draft.mode === 'fields';
  return (
    <div className={classes.form} role="group" aria-label="Input">
      {fields !== null && (
        <button
          type="button"
          className={classes.mode}
          onClick={() => {
            onChange(switchMode(fields, draft));
          }}
        >
          {inFields ? 'JSON' : 'Form'}
        </button>
      )}
      {inFields ? (
        <>
          <FieldInputs
            fields={fields}
            texts={draft.texts}
            errors={errors}
            onChange={(texts) => {
              onChange({ ...draft, texts });
            }}
          />
          <Elsewhere errors={errors} fields={fields} />
        </>
      ) : (
        <InputBase
          component="textarea"
          multiline
          rows={8}
          label="Input as JSON"
          classNames={{ input: classes.code ?? '' }}
          spellCheck={false}
          value={draft.json}
          error={allErrors(errors)}
          onChange={(event) => {
            onChange({ ...draft, json: event.currentTarget.value });
          }}
        />
      )}
    </div>
  );
}

/** Where one field stands for all of the input, each error says which part of it is meant. */
function allErrors(errors: Readonly<Record<string, string>>): string | null {
  const told = Object.entries(errors).map(([pointer, message]) => (pointer === '' ? message : `${pointerText(pointer)}: ${message}`));
  return told.length === 0 ? null : told.join(' ');
}

/** What is wrong with the input as a whole, or with a part that has no field. */
function Elsewhere({ errors, fields }: Pick<FieldsProps, 'errors' | 'fields'>) {
  const steps = new Set(fields.map(({ name }) => stepOf(name)));
  const told = Object.entries(errors).filter(([pointer]) => !steps.has(pointer.split('/')[1] ?? ''));
  if (told.length === 0) return null;
  return (
    <p role="alert" className={classes.bad}>
      {allErrors(Object.fromEntries(told))}
    </p>
  );
}

interface FieldsProps {
  readonly fields: readonly Field[];
  readonly texts: Readonly<Record<string, string>>;
  readonly errors: Readonly<Record<string, string>>;
  readonly onChange: (texts: Readonly<Record<string, string>>) => void;
}

export function FieldInputs({ fields, texts, errors, onChange }: FieldsProps): ReactElement {
  return (
    <>
      {fields.map((field) => (
        <FieldInput
          key={field.name}
          field={field}
          text={texts[field.name] ?? ''}
          error={errorOf(errors, field.name)}
          onText={(text) => {
            onChange({ ...texts, [field.name]: text });
          }}
        />
      ))}
    </>
  );
}

/** Also what is wrong inside the field's value: `/headers/accept`. */
function errorOf(errors: Readonly<Record<string, string>>, name: string): string | null {
  const place = `/${stepOf(name)}`;
  const inside = Object.entries(errors).find(([pointer]) => pointer === place || pointer.startsWith(`${place}/`));
  if (inside === undefined) return null;
  const [pointer, message] = inside;
  return pointer === place ? message : `${pointerText(pointer.slice(place.length))}: ${message}`;
}

interface FieldProps {
  readonly field: Field;
  readonly text: string;
  readonly error: string | null;
  readonly onText: (text: string) => void;
}

function FieldInput({ field, text, error, onText }: FieldProps) {
  const { name, kind, required } = field;
  const shared = { label: name, description: descriptionOf(field), error, required, value: text };
  const wrapper = { ...shared, inputWrapperOrder: ['label', 'description', 'input', 'error'] as ['label', 'description', 'input', 'error'] };
  switch (kind) {
    case 'choice':
      return (
        <NativeSelect
          {...wrapper}
          data={[{ value: '', label: presetText(field) }, ...field.choices]}
          onChange={(event) => {
            onText(event.currentTarget.value);
          }}
        />
      );
    case 'flag':
      return (
        <NativeSelect
          {...wrapper}
          data={[
            { value: '', label: presetText(field) },
            { value: 'true', label: 'yes' },
            { value: 'false', label: 'no' },
          ]}
          onChange={(event) => {
            onText(event.currentTarget.value);
          }}
        />
      );
    case 'json':
      return (
        <InputBase
          component="textarea"
          multiline
          rows={3}
          {...wrapper}
          classNames={{ input: classes.code ?? '' }}
          spellCheck={false}
          placeholder={field.preset === undefined ? 'JSON' : JSON.stringify(field.preset)}
          onChange={(event) => {
            onText(event.currentTarget.value);
          }}
        />
      );
    case 'text':
    case 'words':
    case 'time':
    case 'integer':
    case 'number':
      return (
        <TextInput
          {...wrapper}
          {...(kind === 'time' ? { type: 'datetime-local' } : kind === 'text' || kind === 'words' ? {} : { inputMode: 'decimal' as const })}
          autoComplete="off"
          {...(field.preset === undefined ? {} : { placeholder: plain(field.preset) })}
          onChange={(event) => {
            onText(event.currentTarget.value);
          }}
        />
      );
  }
}

/** A text bare, anything else as JSON. */
function plain(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function presetText({ kind, preset, required }: Field): string {
  if (preset === undefined || preset === null) return required ? 'Choose one' : 'Not set';
  const text = kind === 'flag' ? (preset === true ? 'yes' : 'no') : plain(preset);
  return `Default: ${text}`;
}

/** What the schema says, with the limits when it does not name them itself. */
function descriptionOf({ description, kind, minimum, maximum }: Field): string {
  if (kind !== 'integer' && kind !== 'number') return kind === 'json' ? `${description} As JSON.`.trim() : description;
  const limits =
    minimum !== null && maximum !== null
      ? `From ${formatNumber(minimum)} to ${formatNumber(maximum)}.`
      : minimum !== null
        ? `At least ${formatNumber(minimum)}.`
        : maximum !== null
          ? `At most ${formatNumber(maximum)}.`
          : '';
  return `${description} ${limits}`.trim();
}
