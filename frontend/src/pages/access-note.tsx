/** A line below the header for those who may not do everything: why some buttons are not there. */
import { Link, useRouterState } from '@tanstack/react-router';
import type { ReactElement } from 'react';
import type { Session } from '../api/types';
import classes from './access-note.module.css';

export function AccessNote({ session }: { readonly session: Session | undefined }): ReactElement | null {
  const { href, pathname } = useRouterState({ select: ({ location }) => location });
  if (session === undefined || session.may_change || pathname === '/login') return null;
  return (
    <aside className={classes.strip} aria-label="Your permissions">
      <p className={classes.text}>
        {session.read_only ? (
          'Spiral is read-only: nothing can be changed.'
        ) : session.role === 'viewer' ? (
          'You are a viewer: you can see everything and change nothing.'
        ) : (
          <>
            You are a visitor: you can call public functions and see their jobs.{' '}
            <Link to="/login" search={{ from: href }}>
              Sign in
            </Link>{' '}
            for more.
          </>
        )}
      </p>
    </aside>
  );
}
