/** The filters of the audit page. They live in the address; these controls only show and change it. */
import { Button, NativeSelect, TextInput } from '@mantine/core';
import { useState } from 'react';
import type { AuditFilter } from '../../api/audit';
import { AUDIT_OUTCOMES, parseAuditSearch } from '../audit-search';
import classes from './audit.module.css';

interface Props {
  readonly filter: AuditFilter;
  readonly onChange: (filter: AuditFilter) => void;
}

const TEXTS = [
  { name: 'action', label: 'Action', placeholder: 'pause_queue' },
  { name: 'subject', label: 'Target', placeholder: 'a name or an id' },
  { name: 'address', label: 'Address', placeholder: '192.0.2.7' },
] as const;

export function AuditFilters({ filter, onChange }: Props) {
  const [texts, setTexts] = useState<AuditFilter>(filter);
  return (
    <form
      className={classes.filters}
      role="search"
      aria-label="Filters"
      onSubmit={(event) => {
        event.preventDefault();
        onChange(parseAuditSearch({ ...texts }));
      }}
    >
      <NativeSelect
        label="Outcome"
        value={filter.outcome ?? ''}
        onChange={(event) => {
          onChange(parseAuditSearch({ ...texts, outcome: event.currentTarget.value }));
        }}
        data={[{ value: '', label: 'Any' }, ...AUDIT_OUTCOMES.map((value) => ({ value, label: LABELS[value] }))]}
      />
      {TEXTS.map(({ name, label, placeholder }, place) => (
        <TextInput
          key={name}
          label={label}
          placeholder={placeholder}
          autoComplete="off"
          value={texts[name] ?? ''}
          {...(place === 0 ? { 'data-search': true } : {})}
          onChange={(event) => {
            setTexts({ ...texts, [name]: event.currentTarget.value });
          }}
        />
      ))}
      <Button type="submit" variant="default">
        Filter
      </Button>
    </form>
  );
}

const LABELS = { done: 'Done', refused: 'Refused', failed: 'Failed', unknown: 'Unknown' } as const;
