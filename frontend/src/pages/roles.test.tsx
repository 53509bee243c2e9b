/** Every page as everybody who may come to it: what they are offered to do, what not, and what they are told instead. */
import { screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { expect, test } from 'vitest';
import type { Session } from '../api/types';
import { BATCH, JOBS, SCHEDULE, startEverything } from '../testing/everything';
import { open, routeNames } from '../testing/render';
import { ADMIN, EVERYBODY, NOBODY, VIEWER, VISITOR } from '../testing/sessions';
import { PAGES } from './page-list';

const READ_ONLY: Session = { ...ADMIN, read_only: true, may_change: false };

/** What the line below the header says to those who may not change anything. */
const NOTES = {
  viewer: 'You are a viewer: you can see everything and change nothing.',
  visitor: 'You are a visitor: you can call public functions and see their jobs. Sign in for more.',
  'read-only': 'Spiral is read-only: nothing can be changed.',
} as const;

interface Page {
  /** The route's name in the router. */
  readonly route: string;
  readonly address: string;
  readonly heading: string;
  /** What is offered to who may do everything. */
  readonly admin: readonly string[];
  /** The same for visitors; `null` where they are asked who they are. */
  readonly visitor: readonly string[] | null;
  /** What stands on the page for viewers, and for everybody in read-only mode, beside the line below the header. */
  readonly instead?: string;
  /** Offered to everybody: it changes who one is, and nothing else. */
  readonly always?: readonly string[];
}

const CALL_FIBONACCI = ['Call fibonacci', 'JSON'];
const FAILURE = 'error: timed out after <number> s';

const ALL: readonly Page[] = [
  { route: '/', address: '/', heading: 'Fibonacci, to the last digit', admin: ['Calculate'], visitor: ['Calculate'] },
  { route: '/overview', address: '/overview', heading: 'Overview', admin: [], visitor: null },
  {
    route: '/jobs',
    address: '/jobs',
    heading: 'Jobs',
    admin: [
      'Select all that are loaded: 3 jobs',
      'Select the job fibonacci(index: 1)',
      'Select the job fibonacci(index: 2)',
      'Select the job fibonacci(index: 3)',
    ],
    visitor: null,
  },
  {
    route: '/jobs/$id',
    address: `/jobs/${JOBS.ended}`,
    heading: 'fibonacci(index: 3)',
    admin: ['Delete', 'Edit and replay', 'Retry'],
    visitor: ['Edit and replay'],
  },
  {
    route: '/jobs/$id',
    address: `/jobs/${JOBS.waits}`,
    heading: 'fibonacci(index: 2)',
    admin: ['Cancel job', 'Edit and replay', 'Edit input', 'Run now'],
    visitor: ['Edit and replay'],
  },
  {
    route: '/jobs/$id',
    address: `/jobs/${JOBS.runs}`,
    heading: 'fibonacci(index: 1)',
    admin: ['Cancel job', 'Edit and replay'],
    visitor: ['Edit and replay'],
  },
  {
    route: '/failures',
    address: '/failures',
    heading: 'Failures',
    admin: [`Cancel: ${FAILURE}`, `Delete: ${FAILURE}`, `Retry: ${FAILURE}`],
    visitor: null,
  },
  { route: '/batches', address: '/batches', heading: 'Batches', admin: [], visitor: null },
  { route: '/batches/$id', address: `/batches/${BATCH}`, heading: 'Batch of 2 jobs', admin: ['Cancel batch'], visitor: null },
  {
    route: '/queues',
    address: '/queues',
    heading: 'Queues',
    admin: ['Change the limits of the queue default', 'Pause the queue default'],
    visitor: null,
  },
  { route: '/workers', address: '/workers', heading: 'Workers', admin: [], visitor: null },
  {
    route: '/schedules',
    address: '/schedules',
    heading: 'Schedules',
    admin: ['Delete schedule 20', 'New schedule', 'Pause schedule 20', 'Run now: schedule 20'],
    visitor: null,
  },
  {
    route: '/schedules/new',
    address: '/schedules/new',
    heading: 'New schedule',
    admin: ['Create schedule'],
    visitor: null,
    instead: 'Only admins can create one.',
  },
  {
    route: '/schedules/$id',
    address: `/schedules/${SCHEDULE}`,
    heading: 'schedule 20',
    admin: ['Delete schedule 20', 'Edit', 'Pause schedule 20', 'Run now: schedule 20'],
    visitor: null,
  },
  { route: '/functions', address: '/functions', heading: 'Functions', admin: [], visitor: [] },
  {
    route: '/functions/$name',
    address: '/functions/fibonacci',
    heading: 'fibonacci',
    admin: CALL_FIBONACCI,
    visitor: CALL_FIBONACCI,
    instead: 'Only admins can call it.',
  },
  // Not public.
  {
    route: '/functions/$name',
    address: '/functions/echo',
    heading: 'echo',
    admin: ['Call echo'],
    visitor: null,
    instead: 'Only admins can call it.',
  },
  { route: '/audit', address: '/audit', heading: 'Audit', admin: [], visitor: null },
  { route: '/settings', address: '/settings', heading: 'Settings', admin: [], visitor: [] },
  { route: '/login', address: '/login', heading: 'Sign in', admin: [], visitor: [], always: ['Sign in'] },
];

/** Buttons that change nothing on the server. */
const LOOKS: readonly RegExp[] = [
  /^(?:Copy|Download) /u,
  /^(?:Raw|Search|Filter|Back)$/u,
  // An example for the field.
  /^Index [\d,]+$/u,
  // A part of a tree that folds.
  /\d+ (?:field|item)s?$/u,
];

/** Links that lead to a form for something that they may not do are no less an offer than the button. */
const OFFERING_LINKS = ['New schedule', 'Make one', 'Edit and replay'];

function offered(): string[] {
  const main = within(screen.getByRole('main'));
  const name = (element: HTMLElement) => element.getAttribute('aria-label') ?? element.textContent;
  const buttons = main.queryAllByRole('button').map(name).filter((each) => !LOOKS.some((look) => look.test(each)));
  const boxes = main.queryAllByRole('checkbox', { name: /^Select /u }).map(name);
  const links = main.queryAllByRole('link').map(name).filter((each) => OFFERING_LINKS.includes(each));
  return [...buttons, ...boxes, ...links].sort();
}

/** The page when everything that it asks for is there, among it who one is. */
async function arrive(session: Session, { address, heading }: Page) {
  startEverything().session = session;
  const { router } = open(address);
  expect(await screen.findByRole('heading', { level: 1, name: heading })).toBeVisible();
  await screen.findByText('Live');
  await waitFor(() => {
    expect(screen.queryAllByRole('status', { name: /^Loading/u })).toEqual([]);
  });
  return router;
}

test('the table below has every page that there is', () => {
  expect([...new Set(ALL.map(({ route }) => route))].sort()).toEqual(routeNames().sort());
  expect(ALL.map(({ address }) => address)).toEqual(expect.arrayContaining(PAGES.map(({ to }) => to)));
});

test.each(ALL)('an admin at $address', async (page) => {
  await arrive(ADMIN, page);
  await waitFor(() => {
    expect(offered()).toEqual([...page.admin, ...(page.always ?? [])]);
  });
  expect(screen.queryByRole('complementary', { name: 'Your permissions' })).toBeNull();
  expect(screen.getByText('Admin')).toBeVisible();
  if (page.instead !== undefined) expect(screen.queryByText(page.instead)).toBeNull();
});

test.each(ALL.filter(({ route }) => route !== '/login'))('everybody at $address, where there are no tokens', async (page) => {
  await arrive(EVERYBODY, page);
  await waitFor(() => {
    expect(offered()).toEqual(page.admin);
  });
  expect(screen.queryByRole('button', { name: 'Sign out' })).toBeNull();
});

const LOOKERS = [
  { who: 'viewer', session: VIEWER },
  { who: 'read-only', session: READ_ONLY },
] as const;

for (const { who, session } of LOOKERS) {
  test.each(ALL)(`${who} at $address`, async (page) => {
    await arrive(session, page);
    await waitFor(() => {
      expect(offered()).toEqual(page.always ?? []);
    });
    if (page.instead !== undefined) expect(screen.getByText(page.instead)).toBeVisible();
    const note = screen.queryByRole('complementary', { name: 'Your permissions' });
    if (page.route === '/login') expect(note).toBeNull();
    else expect(note).toHaveTextContent(NOTES[who]);
  });
}

test.each(ALL)('a visitor at $address', async (page) => {
  if (page.visitor === null) {
    await expectTheLogin(VISITOR, page);
    return;
  }
  await arrive(VISITOR, page);
  await waitFor(() => {
    expect(offered()).toEqual([...(page.visitor ?? []), ...(page.always ?? [])]);
  });
  if (page.route !== '/login') {
    expect(screen.getByRole('complementary', { name: 'Your permissions' })).toHaveTextContent(NOTES.visitor);
  }
});

test.each(ALL.filter(({ route }) => route !== '/login' && route !== '/settings'))('nobody that is known at $address', async (page) => {
  await expectTheLogin(NOBODY, page);
});

async function expectTheLogin(session: Session, { address }: Page): Promise<void> {
  startEverything().session = session;
  const { router } = open(address);
  expect(await screen.findByLabelText('Access token')).toBeVisible();
  expect(screen.getByText('Sign in with an access token.')).toBeVisible();
  expect(router.state.location.pathname).toBe('/login');
  expect(router.state.location.search).toEqual({ from: address });
  expect(offered()).toEqual(['Sign in']);
}

test.each([
  { who: 'an admin', session: ADMIN, may: true },
  { who: 'a viewer', session: VIEWER, may: false },
  { who: 'read-only', session: READ_ONLY, may: false },
])('the palette of $who', async ({ session, may }) => {
  startEverything().session = session;
  open('/overview');
  await screen.findByText('Live');
  await userEvent.setup().keyboard('{Control>}k{/Control}');
  const palette = within(await screen.findByRole('dialog', { name: 'Command palette' }));
  expect(await palette.findByRole('option', { name: /^Jobs of the queue default/u })).toBeVisible();
  expect(palette.queryAllByRole('option', { name: /^Pause the queue/u })).toHaveLength(may ? 1 : 0);
});
