/** A button that changes something on the server: it says that it works, and what went wrong. What cannot be undone is confirmed
 * first. It is not there for who may not do it; the shell says why. */
import { Button } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useLayoutEffect, useRef, useState, type ReactElement, type ReactNode } from 'react';
import { asApiError } from '../api/problem';
import { Dialog } from '../components/dialog';
import { useMayChange } from './access';
import classes from './action.module.css';

interface Props {
  readonly label: string;
  /** While it works: "Pausing …". */
  readonly busy: string;
  /** Before the reason when it fails: "It was not paused". */
  readonly failed: string;
  readonly run: () => Promise<unknown>;
  /** Where many rows have the same button: "Pause the queue mail". Begins with the label, for who says it aloud to press it. */
  readonly name?: string;
  readonly confirm?: { readonly title: string; readonly text: ReactNode };
}

export function Action({ label, busy, failed, run, name, confirm }: Props): ReactElement | null {
  const [asking, setAsking] = useState(false);
  const action = useMutation({ mutationFn: run });
  const place = useRef<HTMLSpanElement>(null);

  // Some actions end what they can be done to: a focus that goes with the button would start again at the top.
  useLayoutEffect(() => {
    const element = place.current;
    return () => {
      if (element?.contains(document.activeElement) === true) document.getElementById('main')?.focus();
    };
  }, []);

  const mayChange = useMayChange();
  if (!mayChange) return null;

  const start = () => {
    if (!action.isPending) action.mutate();
  };
  return (
    <span ref={place} className={classes.action}>
      <Button
        variant="default"
        size="xs"
        // Not `disabled`: that would take the focus away from who has just pressed it.
        aria-disabled={action.isPending}
        {...(name === undefined ? {} : { 'aria-label': name })}
        onClick={() => {
          if (confirm === undefined) start();
          else setAsking(true);
        }}
      >
        {action.isPending ? busy : label}
      </Button>
      {action.isError && (
        <span role="alert" className={classes.bad}>
          {`${failed}: ${asApiError(action.error).message}`}
        </span>
      )}
      {asking && confirm !== undefined && (
        <Dialog
          title={confirm.title}
          onClose={() => {
            setAsking(false);
          }}
        >
          <p className={classes.text}>{confirm.text}</p>
          <div className={classes.choice}>
            <Button
              size="md"
              onClick={() => {
                setAsking(false);
                start();
              }}
            >
              {label}
            </Button>
            <Button
              variant="default"
              size="md"
              onClick={() => {
                setAsking(false);
              }}
            >
              Keep
            </Button>
          </div>
        </Dialog>
      )}
    </span>
  );
}
