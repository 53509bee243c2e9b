/** Says that the list stands still, how much waits, and leads back to the newest. It floats, so that no row moves. */
import { Button } from '@mantine/core';
import { useSyncExternalStore } from 'react';
import { holdState, subscribeHold } from '../../api/hold';
import { formatNumber } from '../../components/numbers';
import classes from './still-note.module.css';

export function StillNote() {
  const { changes } = useSyncExternalStore(subscribeHold, holdState);
  if (changes === 0) return null;
  return (
    <div className={classes.place}>
      <div className={classes.note} role="group" aria-label="List paused">
        <p>{`Paused while you read: ${formatNumber(changes)} new ${changes === 1 ? 'change' : 'changes'}.`}</p>
        <Button
          variant="default"
          size="xs"
          onClick={() => {
            window.scrollTo({ top: 0 });
            // The note goes, and the button with it.
            document.getElementById('main')?.focus({ preventScroll: true });
          }}
        >
          Show newest
        </Button>
      </div>
    </div>
  );
}
