/** Who one is to this Spiral, and what that is good for. */
import { queryOptions, type QueryClient } from '@tanstack/react-query';
import { client, unwrap } from './client';
import { liveQuery } from './live';
import { asApiError, problemOf } from './problem';
import type { Session } from './types';

export const sessionQuery = queryOptions({
  queryKey: ['session'],
  queryFn: async ({ signal }) => unwrap(await client.GET('/api/v1/session', { signal })),
  staleTime: Infinity,
  // Nothing is followed until it is known: while the API is away it is asked again and again.
  retry: (_, error) => asApiError(error).temporary,
});

export async function signIn(token: string): Promise<Session> {
  return unwrap(await client.POST('/api/v1/session', { body: { token } }));
}

export async function signOut(): Promise<void> {
  const { response, error } = await client.DELETE('/api/v1/session');
  if (!response.ok) throw problemOf(response.status, error);
}

/** Somebody else now: what the one before has read is not theirs to see. */
export async function becomeSomebody(queryClient: QueryClient, session: Session): Promise<void> {
  queryClient.removeQueries({
    predicate: ({ queryKey: [name] }) => name !== sessionQuery.queryKey[0] && name !== liveQuery.queryKey[0],
    type: 'inactive',
  });
  // An answer that is still on its way tells who one was before.
  await queryClient.cancelQueries({ queryKey: sessionQuery.queryKey });
  queryClient.setQueryData(sessionQuery.queryKey, session);
  await queryClient.invalidateQueries({
    predicate: ({ queryKey: [name] }) => name !== sessionQuery.queryKey[0] && name !== liveQuery.queryKey[0],
  });
}

/** May call this function. What is not known yet is tried: the API decides. */
export function mayCall(session: Session | undefined, name: string): boolean {
  if (session === undefined) return true;
  return session.may_change || (!session.read_only && session.public_functions.includes(name));
}

/** Follows what happens: everything, or the public functions. */
export function mayFollow(session: Session | undefined): boolean {
  return session !== undefined && (session.may_read || session.public_functions.length > 0);
}

const ALWAYS = /^\/(?:login|settings)\/?$/u;
const JOB = /^\/jobs\/[^/]+\/?$/u;

/** Asks the API for nothing but the session, so it can be shown before that is known. */
export function isForEverybody(path: string): boolean {
  return ALWAYS.test(path);
}

/** Whether a page has something to show to this one. Visitors get what belongs to the public functions. */
export function mayOpen(session: Session, path: string): boolean {
  if (session.may_read || isForEverybody(path)) return true;
  if (session.public_functions.length === 0) return false;
  if (path === '/') return session.public_functions.includes('fibonacci');
  const [, called] = /^\/functions\/([^/]+)\/?$/u.exec(path) ?? [];
  return (
    JOB.test(path) ||
    /^\/functions\/?$/u.test(path) ||
    (called !== undefined && session.public_functions.includes(decodeURIComponent(called)))
  );
}
