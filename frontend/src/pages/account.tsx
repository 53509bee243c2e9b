/** Who one is, and the way in and out. Nothing where there are no tokens: there everybody is the same. */
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate, useRouterState } from '@tanstack/react-router';
import type { ReactElement } from 'react';
import { asApiError } from '../api/problem';
import { becomeSomebody, sessionQuery, signOut } from '../api/session';
import type { Session } from '../api/types';
import classes from './account.module.css';

export function Account({ session }: { readonly session: Session | undefined }): ReactElement | null {
  const queryClient = useQueryClient();
  const navigate = useNavigate();
  const { href, pathname } = useRouterState({ select: ({ location }) => location });
  const leave = useMutation({
    mutationFn: async () => {
      await signOut();
      return queryClient.query({ ...sessionQuery, staleTime: 0 });
    },
    onSuccess: async (now) => {
      await navigate({ to: '/login' });
      await becomeSomebody(queryClient, now);
    },
  });

  if (session?.locked !== true) return null;
  if (session.role === 'anybody') {
    if (pathname === '/login') return null;
    return (
      <Link to="/login" search={{ from: href }} className={classes.way} data-account>
        Sign in
      </Link>
    );
  }
  return (
    <span className={classes.account} data-account>
      <span className={classes.role}>{session.role === 'admin' ? 'Admin' : 'Viewer'}</span>
      <button
        type="button"
        className={classes.way}
        aria-disabled={leave.isPending}
        onClick={() => {
          if (!leave.isPending) leave.mutate();
        }}
      >
        Sign out
      </button>
      {leave.isError && (
        <span role="alert" className={classes.bad}>
          {`Signing out failed: ${asApiError(leave.error).message}`}
        </span>
      )}
    </span>
  );
}
