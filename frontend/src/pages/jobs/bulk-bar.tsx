/** What can be done with the jobs that are selected. It floats, so that no row moves when the first one is. */
import { Button } from '@mantine/core';
import { useEffect, useState, useSyncExternalStore } from 'react';
import { holdLive, holdState, subscribeHold } from '../../api/hold';
import type { BulkAction, Job } from '../../api/types';
import { formatJobs, formatNumber } from '../../components/numbers';
import { BulkButton } from '../bulk/bulk-button';
import { BULK_WORDS, canBeDone } from '../bulk/bulk-words';
import { PickedQuestion } from '../bulk/picked-question';
import classes from './bulk-bar.module.css';

const ACTIONS: readonly BulkAction[] = ['retry', 'cancel', 'delete'];

interface Props {
  readonly jobs: readonly Job[];
  /** The search that finds all jobs of the table, also those that are not loaded. */
  readonly filter: string;
  /** All that are loaded are selected. */
  readonly whole: boolean;
  readonly onClear: () => void;
}

export function BulkBar({ jobs, filter, whole, onClear }: Props) {
  const [all, setAll] = useState(false);
  const [asking, setAsking] = useState<BulkAction | null>(null);
  const { changes } = useSyncExternalStore(subscribeHold, holdState);
  useEffect(holdLive, []);
  const matching = all && whole;
  const clear = () => {
    onClear();
    // The bar goes, and the button with it.
    document.getElementById('main')?.focus();
  };
  return (
    <div className={classes.place}>
      <div className={classes.bar} role="group" aria-label="Selected jobs">
        <p className={classes.count} role="status">
          {matching ? 'All jobs that match' : `${formatJobs(jobs.length)} selected`}
        </p>
        {whole && !matching && (
          <Button
            variant="default"
            size="xs"
            onClick={() => {
              setAll(true);
            }}
          >
            Select all that match
          </Button>
        )}
        {ACTIONS.map((action) =>
          matching ? (
            <BulkButton key={`all ${action}`} action={action} filter={filter} onBegun={clear} />
          ) : (
            <Button
              key={action}
              variant="default"
              size="xs"
              onClick={() => {
                setAsking(action);
              }}
            >
              {`${BULK_WORDS[action].label} ${formatNumber(jobs.filter((job) => canBeDone(action, job)).length)}`}
            </Button>
          ),
        )}
        <Button variant="default" size="xs" onClick={clear}>
          Clear selection
        </Button>
        <p className={classes.held}>
          List paused
          {changes === 0 ? '.' : `: ${formatNumber(changes)} ${changes === 1 ? 'change' : 'changes'}.`}
        </p>
      </div>
      {asking !== null && (
        <PickedQuestion
          action={asking}
          jobs={jobs}
          onClose={() => {
            setAsking(null);
          }}
          onBegun={clear}
        />
      )}
    </div>
  );
}
