/** The page of one thing: the way back, its heading, and what is known of it; or that it is being read, is not there, or cannot be read. */
import type { UseQueryResult } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { ReactElement, ReactNode } from 'react';
import { asApiError } from '../api/problem';
import { Heading } from '../components/heading';
import { Empty, Failed, LoadingRows } from '../components/notice';
import { BackLink } from './back-link';
import type { PAGES } from './page-list';
import classes from './thing.module.css';

interface Props<T> {
  /** What it is, in a sentence: "job". */
  readonly what: string;
  /** Where all of them are, and what they are called there. */
  readonly to: (typeof PAGES)[number]['to'];
  readonly all: string;
  readonly query: UseQueryResult<T>;
  readonly title: string;
  /** The sentence below the title. */
  readonly about: ReactNode;
  /** The room that is kept while it is being read. */
  readonly rows: number;
  readonly pixels: number;
  readonly children: (data: T) => ReactNode;
}

export function Thing<T>({ what, to, all, query, title, about, rows, pixels, children }: Props<T>): ReactElement {
  return (
    <>
      <BackLink to={to}>{`All ${all}`}</BackLink>
      <Heading title={title}>{about}</Heading>
      {query.data !== undefined ? (
        children(query.data)
      ) : (
        <div className={classes.card} style={{ '--least': `${pixels}px` }}>
          {query.isPending ? (
            <LoadingRows rows={rows} what={`the ${what}`} />
          ) : asApiError(query.error).status === 404 ? (
            <Empty title={`There is no ${what} with this id`}>
              It may have been deleted, or the address is mistyped. <Link to={to}>{`See all ${all}`}</Link>
            </Empty>
          ) : (
            <Failed
              title={`The ${what} could not be read`}
              error={asApiError(query.error)}
              onRetry={() => void query.refetch()}
            />
          )}
        </div>
      )}
    </>
  );
}
