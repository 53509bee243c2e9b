/** What every page stands in: the header, the live stream, and the questions that can come at any time. */
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, Outlet } from '@tanstack/react-router';
import { lazy, Suspense, useEffect, useSyncExternalStore, type ReactElement } from 'react';
import { liveQuery, startLive } from '../api/live';
import { subscribeToken, tokenState } from '../api/token';
import { ColorSchemeSwitch } from '../components/color-scheme-switch';
import { CutBanner } from '../components/cut-banner';
import { Logo } from '../components/logo';
import { OutcomeBar } from '../components/outcome-bar';
import { Keyboard } from './keyboard';
import { Nav } from './nav';
import { Warnings } from './warnings';
import classes from './shell.module.css';

/** Most people never see it. */
const TokenDialog = lazy(() => import('./token-dialog'));

export default function Shell(): ReactElement {
  const queryClient = useQueryClient();
  useEffect(() => startLive(queryClient), [queryClient]);
  const { data: live } = useQuery(liveQuery);
  const token = useSyncExternalStore(subscribeToken, tokenState);

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
          <ColorSchemeSwitch />
        </div>
      </header>
      <Warnings />
      <main id="main" className={classes.main} tabIndex={-1}>
        <Outlet />
      </main>
      <Keyboard />
      <OutcomeBar />
      <CutBanner cut={live === 'reconnecting' && !token.asking} />
      {token.asking && (
        <Suspense>
          <TokenDialog refused={token.refused} />
        </Suspense>
      )}
    </>
  );
}
