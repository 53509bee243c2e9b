/** The tags of a job; each leads to all jobs that have it. */
import { Link } from '@tanstack/react-router';
import { Fragment, type ReactElement } from 'react';

export function TagLinks({ tags }: { readonly tags: readonly string[] }): ReactElement {
  return (
    <>
      {tags.map((tag, place) => (
        <Fragment key={tag}>
          {place > 0 && ', '}
          <Link to="/jobs" search={{ q: `tag:${tag}` }}>
            {tag}
          </Link>
        </Fragment>
      ))}
    </>
  );
}
