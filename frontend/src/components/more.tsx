/** Below a list of which there is more: brings the next part. */
import { Button } from '@mantine/core';
import { useEffect, useRef, useState } from 'react';
import classes from './more.module.css';

interface Props {
  /** The query of the list. */
  readonly pages: {
    readonly hasNextPage: boolean;
    readonly isFetchingNextPage: boolean;
    readonly fetchNextPage: () => Promise<unknown>;
  };
  /** "Show older jobs". */
  readonly children: string;
}

export function More({ pages: { hasNextPage, isFetchingNextPage, fetchNextPage }, children }: Props) {
  const [asked, setAsked] = useState(false);
  const end = useRef<HTMLParagraphElement>(null);
  // The button goes with the last part: what stands in its place takes its focus.
  useEffect(() => {
    if (asked && !hasNextPage && document.activeElement === document.body) end.current?.focus();
  }, [asked, hasNextPage]);

  if (!hasNextPage) {
    if (!asked) return null;
    return (
      <p ref={end} tabIndex={-1} className={classes.end}>
        End of list.
      </p>
    );
  }
  return (
    <div className={classes.more}>
      <Button
        variant="default"
        size="md"
        // Not `disabled`: that would take the focus away from who has just pressed it.
        aria-disabled={isFetchingNextPage}
        onClick={() => {
          setAsked(true);
          if (!isFetchingNextPage) void fetchNextPage();
        }}
      >
        {isFetchingNextPage ? 'Loading …' : children}
      </Button>
    </div>
  );
}
