/** What a part of a page shows instead of its content: nothing there yet, or something went wrong. Both say what to do next. */
import { Button } from '@mantine/core';
import type { ReactNode } from 'react';
import classes from './notice.module.css';

export function Empty({ title, children }: { readonly title: string; readonly children: ReactNode }) {
  return (
    <div className={classes.notice}>
      <p className={classes.title}>{title}</p>
      <p>{children}</p>
    </div>
  );
}

interface FailedProps {
  readonly title: string;
  readonly error: Error & { readonly requestId?: string | null };
  readonly onRetry: () => void;
}

export function Failed({ title, error, onRetry }: FailedProps) {
  return (
    <div className={classes.notice} role="alert" data-failed>
      <p className={classes.title}>{title}</p>
      <p>{error.message}</p>
      {error.requestId != null && <p className={classes.request}>Request {error.requestId}</p>}
      <Button size="sm" mt={8} onClick={onRetry}>
        Try again
      </Button>
    </div>
  );
}

/** Holds the place of rows that are being read, so that nothing moves when they arrive. */
export function LoadingRows({ rows, what }: { readonly rows: number; readonly what: string }) {
  return (
    <div className={classes.rows} role="status" aria-label={`Loading ${what}`}>
      {Array.from({ length: rows }, (_, row) => (
        <div key={row} className={classes.row} />
      ))}
    </div>
  );
}
