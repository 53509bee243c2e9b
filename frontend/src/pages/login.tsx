/** Signing in with a token, and then back to where one was. The token itself is not kept: the browser gets a session for it. */
import { Button, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { getRouteApi, Link, useRouter } from '@tanstack/react-router';
import { useEffect, useRef, useState, type ReactElement } from 'react';
import { reachedAt } from '../api/base-path';
import { asApiError } from '../api/problem';
import { becomeSomebody, sessionQuery, signIn } from '../api/session';
import { Heading } from '../components/heading';
import classes from './login.module.css';

const route = getRouteApi('/login');

export default function LoginPage(): ReactElement {
  const { from } = route.useSearch();
  const router = useRouter();
  const queryClient = useQueryClient();
  const { data: session } = useQuery(sessionQuery);
  const field = useRef<HTMLInputElement>(null);
  const [token, setToken] = useState('');
  const [missing, setMissing] = useState(false);
  const enter = useMutation({
    mutationFn: signIn,
    onSuccess: async (now) => {
      await becomeSomebody(queryClient, now);
      router.history.push(reachedAt(placeAfter(from)));
    },
    onError: () => {
      field.current?.focus();
      field.current?.select();
    },
  });
  useEffect(() => {
    field.current?.focus();
  }, []);
  const error = missing ? 'Required' : enter.isError ? asApiError(enter.error).message : null;

  if (session?.locked === false) {
    return (
      <Heading title="No login needed">
        No access tokens are set: everybody who can reach this server is an admin. <Link to="/">Continue</Link>
      </Heading>
    );
  }
  return (
    <div className={classes.page}>
      <Heading title="Sign in">
        {session !== undefined && session.role !== 'anybody'
          ? `You are signed in as ${session.role === 'admin' ? 'an admin' : 'a viewer'}. Sign in with another token to switch.`
          : 'Sign in with an access token.'}
      </Heading>
      <form
        className={classes.form}
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          if (enter.isPending) return;
          const given = token.trim();
          setMissing(given === '');
          if (given === '') field.current?.focus();
          else enter.mutate(given);
        }}
      >
        <TextInput
          ref={field}
          type="password"
          label="Access token"
          description="The admin or the viewer token. Ask the operator for one."
          autoComplete="current-password"
          size="md"
          value={token}
          error={error}
          errorProps={{ role: 'alert' }}
          onChange={(event) => {
            setToken(event.currentTarget.value);
            setMissing(false);
          }}
        />
        <Button type="submit" size="md" aria-disabled={enter.isPending}>
          {enter.isPending ? 'Signing in …' : 'Sign in'}
        </Button>
      </form>
    </div>
  );
}

/** A page of this site, never another one: `//evil.example` would be one. */
export function placeAfter(from: string | undefined): string {
  const safe = from !== undefined && /^\/(?![/\\])/u.test(from) && !from.startsWith('/login');
  return safe ? from : '/';
}
