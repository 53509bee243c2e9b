/** Below a list of which there is more: brings the next part. */
import { Button } from '@mantine/core';
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
  if (!hasNextPage) return null;
  return (
    <div className={classes.more}>
      <Button variant="default" size="md" loading={isFetchingNextPage} onClick={() => void fetchNextPage()}>
        {children}
      </Button>
    </div>
  );
}
