/** The question before an action on jobs that were picked by hand, and then how far it is: they are asked for one by one. */
import { Button } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';
import { eachJob, type EachProgress } from '../../api/each-job';
import type { BulkAction, Job } from '../../api/types';
import { Dialog } from '../../components/dialog';
import { formatJobs, formatNumber } from '../../components/numbers';
import { tellOutcome } from '../../components/outcome';
import { ProgressBar } from '../../components/progress-bar';
import { BULK_WORDS, canBeDone, questionOf } from './bulk-words';
import classes from './bulk.module.css';

interface Props {
  readonly action: BulkAction;
  /** All that are selected, also those to which it cannot be done. */
  readonly jobs: readonly Job[];
  readonly onClose: () => void;
  readonly onDone: () => void;
}

export function BulkEach({ action, jobs, onClose, onDone }: Props) {
  const queryClient = useQueryClient();
  // What is asked is what is done, also when jobs change meanwhile.
  const [fit] = useState(() => jobs.filter((job) => canBeDone(action, job)));
  const [progress, setProgress] = useState<EachProgress | null>(null);
  const stop = useRef(new AbortController());
  // Of the run that goes on when the dialog goes away, not of the one that there was at the beginning.
  useEffect(() => () => {
    stop.current.abort();
  }, []);
  const words = BULK_WORDS[action];
  const rest = jobs.length - fit.length;

  const run = async () => {
    stop.current = new AbortController();
    const end = await eachJob(queryClient, action, fit, stop.current.signal, setProgress);
    const told = `${formatJobs(end.changed)} ${words.done}${end.stopped ? ', then stopped' : ''}.`;
    tellOutcome(end.failed === 0 ? told : `${told} ${formatJobs(end.failed)} could not be.`);
    if (end.failed > 0) return;
    onClose();
    onDone();
  };
  const title = fit.length === 0 ? 'There is nothing to do' : questionOf(action, formatJobs(fit.length));
  const running = progress !== null && !progress.ended;
  return (
    <Dialog title={title} onClose={running ? () => { stop.current.abort(); } : onClose}>
      <div className={classes.question}>
        {fit.length > 0 && <p className={classes.soft}>{words.text}</p>}
        {rest > 0 && <p className={classes.soft}>{`${formatJobs(rest)} of the selected cannot be ${words.done}: ${action === 'cancel' ? 'they have ended' : 'they have not ended'}.`}</p>}
        {progress !== null && (
          <ProgressBar share={(progress.changed + progress.failed) / fit.length} label={`${words.going}: progress`} />
        )}
        {progress !== null && progress.failed > 0 && (
          <p role="alert" className={classes.bad}>{`${formatNumber(progress.failed)} could not be ${words.done}: ${progress.reason}`}</p>
        )}
        <div className={classes.choice}>
          {fit.length > 0 && progress?.ended !== true && (
            <Button
              size="md"
              aria-disabled={running}
              onClick={() => {
                if (!running) void run();
              }}
            >
              {running ? `${words.going} …` : words.label}
            </Button>
          )}
          <Button
            variant="default"
            size="md"
            onClick={() => {
              if (running) stop.current.abort();
              else onClose();
            }}
          >
            {running ? 'Stop' : progress?.ended === true ? 'Close' : 'Leave it'}
          </Button>
        </div>
      </div>
    </Dialog>
  );
}
