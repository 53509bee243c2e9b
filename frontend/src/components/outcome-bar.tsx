/** Says what became of the last thing that somebody did. The region is always there, so that screen readers hear it change. */
import { useSyncExternalStore } from 'react';
import { currentOutcome, subscribeOutcome } from './outcome';
import classes from './outcome-bar.module.css';

export function OutcomeBar() {
  const { text, number } = useSyncExternalStore(subscribeOutcome, currentOutcome);
  return (
    <div className={classes.place} role="status" aria-label="Outcome">
      {text !== '' && (
        <p key={number} className={classes.bar}>
          {text}
        </p>
      )}
    </div>
  );
}
