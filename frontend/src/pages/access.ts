/** What the one who looks at the page may do. What is not known yet is offered: the API decides in the end. */
import { useQuery } from '@tanstack/react-query';
import { mayCall, sessionQuery } from '../api/session';
import type { Session } from '../api/types';

export function useSession(): Session | undefined {
  return useQuery(sessionQuery).data;
}

/** Buttons that change something are not there for others; the shell says why. */
export function useMayChange(): boolean {
  return useSession()?.may_change ?? true;
}

export function useMayCall(name: string): boolean {
  return mayCall(useSession(), name);
}
