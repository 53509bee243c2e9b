/** THE list of pages. Each page is a file of its own that is loaded when somebody goes there. */
import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  parseSearchWith,
} from '@tanstack/react-router';
import { reachedAt } from './api/base-path';
import { parseAuditSearch } from './pages/audit-search';
import { parseJobSearch } from './pages/job-search';
import { parseOverviewSearch } from './pages/overview-search';
import { PageError } from './pages/page-error';
import Shell from './pages/shell';

const root = createRootRoute({
  component: Shell,
  notFoundComponent: lazyRouteComponent(() => import('./pages/not-found')),
  errorComponent: PageError,
});

const fibonacci = createRoute({
  getParentRoute: () => root,
  path: '/',
  component: lazyRouteComponent(() => import('./pages/fibonacci')),
});

const overview = createRoute({
  getParentRoute: () => root,
  path: '/overview',
  validateSearch: parseOverviewSearch,
  component: lazyRouteComponent(() => import('./pages/overview')),
});

const jobs = createRoute({
  getParentRoute: () => root,
  path: '/jobs',
  validateSearch: parseJobSearch,
  component: lazyRouteComponent(() => import('./pages/jobs')),
});

const job = createRoute({
  getParentRoute: () => root,
  path: '/jobs/$id',
  component: lazyRouteComponent(() => import('./pages/job')),
});

const failures = createRoute({
  getParentRoute: () => root,
  path: '/failures',
  component: lazyRouteComponent(() => import('./pages/failures')),
});

const workers = createRoute({
  getParentRoute: () => root,
  path: '/workers',
  component: lazyRouteComponent(() => import('./pages/workers')),
});

const functions = createRoute({
  getParentRoute: () => root,
  path: '/functions',
  component: lazyRouteComponent(() => import('./pages/functions')),
});

const calledFunction = createRoute({
  getParentRoute: () => root,
  path: '/functions/$name',
  validateSearch: (search: Record<string, unknown>): { from?: string } =>
    typeof search.from === 'string' ? { from: search.from } : {},
  component: lazyRouteComponent(() => import('./pages/function')),
});

const queues = createRoute({
  getParentRoute: () => root,
  path: '/queues',
  component: lazyRouteComponent(() => import('./pages/queues')),
});

const schedules = createRoute({
  getParentRoute: () => root,
  path: '/schedules',
  component: lazyRouteComponent(() => import('./pages/schedules')),
});

const newSchedule = createRoute({
  getParentRoute: () => root,
  path: '/schedules/new',
  component: lazyRouteComponent(() => import('./pages/new-schedule')),
});

const schedule = createRoute({
  getParentRoute: () => root,
  path: '/schedules/$id',
  component: lazyRouteComponent(() => import('./pages/schedule')),
});

const batches = createRoute({
  getParentRoute: () => root,
  path: '/batches',
  component: lazyRouteComponent(() => import('./pages/batches')),
});

const batch = createRoute({
  getParentRoute: () => root,
  path: '/batches/$id',
  component: lazyRouteComponent(() => import('./pages/batch')),
});

const audit = createRoute({
  getParentRoute: () => root,
  path: '/audit',
  validateSearch: parseAuditSearch,
  component: lazyRouteComponent(() => import('./pages/audit')),
});

const settings = createRoute({
  getParentRoute: () => root,
  path: '/settings',
  component: lazyRouteComponent(() => import('./pages/settings')),
});

const login = createRoute({
  getParentRoute: () => root,
  path: '/login',
  validateSearch: (search: Record<string, unknown>): { from?: string } =>
    typeof search.from === 'string' ? { from: search.from } : {},
  component: lazyRouteComponent(() => import('./pages/login')),
});

const routeTree = root.addChildren([
  fibonacci,
  overview,
  jobs,
  job,
  failures,
  batches,
  batch,
  queues,
  workers,
  schedules,
  newSchedule,
  schedule,
  functions,
  calledFunction,
  audit,
  settings,
  login,
]);

/** A parameter as JSON; what would lose digits as a number stays the text that it is. */
export function parseExactly(text: string): unknown {
  const value: unknown = JSON.parse(text);
  if (typeof value === 'number' && String(value) !== text) throw new SyntaxError('this number is a text');
  return value;
}

/** Strict: what an address carries beyond what its page reads is dropped, not passed on unchecked. */
export function createSpiralRouter() {
  return createRouter({
    routeTree,
    parseSearch: parseSearchWith(parseExactly),
    basepath: reachedAt('/'),
    defaultPreload: 'intent',
    scrollRestoration: true,
    search: { strict: true },
  });
}

declare module '@tanstack/react-router' {
  interface Register {
    router: ReturnType<typeof createSpiralRouter>;
  }
}
