/** Does one thing to all jobs of a search: says how many there are before it begins. */
import { Button } from '@mantine/core';
import { useState } from 'react';
import type { BulkAction } from '../../api/types';
import { useMayChange } from '../access';
import { BulkQuestion } from './bulk-question';
import { BULK_WORDS } from './bulk-words';

interface Props {
  readonly action: BulkAction;
  /** The search. */
  readonly filter: string;
  /** Where many rows have the same button. Begins with the label. */
  readonly name?: string;
  readonly onBegun?: () => void;
}

export function BulkButton({ action, filter, name, onBegun }: Props) {
  const [asking, setAsking] = useState(false);
  const mayChange = useMayChange();
  if (!mayChange) return null;
  return (
    <>
      <Button
        variant="default"
        size="xs"
        {...(name === undefined ? {} : { 'aria-label': name })}
        onClick={() => {
          setAsking(true);
        }}
      >
        {BULK_WORDS[action].label}
      </Button>
      {asking && (
        <BulkQuestion
          action={action}
          filter={filter}
          onClose={() => {
            setAsking(false);
          }}
          {...(onBegun === undefined ? {} : { onBegun })}
        />
      )}
    </>
  );
}
