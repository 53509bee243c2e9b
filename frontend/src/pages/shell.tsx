/** What every page stands in: the header, the live stream, and the questions that can come at any time. */
import { ActionIcon } from '@mantine/core';
import { IconSettings } from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, Navigate, Outlet, useRouterState } from '@tanstack/react-router';
import { useEffect, type ReactElement } from 'react';
import { liveQuery, startLive } from '../api/live';
import { onRefusal } from '../api/refusals';
import { isForEverybody, mayFollow, mayOpen, sessionQuery } from '../api/session';
import { ColorSchemeSwitch } from '../components/color-scheme-switch';
import { CutBanner } from '../components/cut-banner';
import { Logo } from '../components/logo';
import { OutcomeBar } from '../components/outcome-bar';
import { AccessNote } from './access-note';
import { Account } from './account';
import { Keyboard } from './keyboard';
import { Nav } from './nav';
import { SessionWait } from './session-wait';
import { Warnings } from './warnings';
import classes from './shell.module.css';

export default function Shell(): ReactElement {
  const queryClient = useQueryClient();
  const { data: session } = useQuery(sessionQuery);
  const { data: live } = useQuery(liveQuery);
  const { href, pathname } = useRouterState({ select: ({ location }) => location });
  // The page before stays until the next one is loaded, also when it is one that this person may not see.
  const shown = useRouterState({ select: ({ matches }) => matches.at(-1)?.pathname }) ?? pathname;
  const follows = mayFollow(session);
  const role = session?.role;
  // Somebody else's stream is another one.
  useEffect(() => (follows ? startLive(queryClient) : undefined), [queryClient, follows, role]);
  // A refusal may mean that the session is over: the API knows.
  useEffect(() => onRefusal(() => void queryClient.invalidateQueries({ queryKey: sessionQuery.queryKey })), [queryClient]);

  return (
    <>
      <a className={classes.skip} href="#main">
        Skip to the content
      </a>
      <header className={classes.header}>
        <div className={classes.bar}>
          <Link to="/" className={classes.brand} aria-label="Spiral, home">
            <Logo />
            <span>Spiral</span>
          </Link>
          <Nav />
          <span className={classes.live} data-live={live}>
            <span className={classes.liveDot} aria-hidden="true" />
            <span className={classes.liveWord}>{live === 'open' ? 'Live' : 'Not live'}</span>
          </span>
          <Account session={session} />
          <ColorSchemeSwitch />
          <ActionIcon component={Link} to="/settings" size={40} title="Settings" aria-label="Settings">
            <IconSettings size={20} stroke={1.6} />
          </ActionIcon>
        </div>
      </header>
      <AccessNote session={session} />
      {/* The overview says it among what else is wrong. */}
      {session !== undefined && pathname !== '/overview' && <Warnings />}
      <main id="main" className={classes.main} tabIndex={-1}>
        {session !== undefined && !mayOpen(session, pathname) ? (
          <Navigate to="/login" search={{ from: href }} replace />
        ) : (session === undefined ? isForEverybody(shown) : mayOpen(session, shown)) ? (
          <Outlet />
        ) : (
          <SessionWait />
        )}
      </main>
      <Keyboard />
      <OutcomeBar />
      <CutBanner cut={live === 'reconnecting' && follows} />
    </>
  );
}
