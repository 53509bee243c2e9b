import { screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { expect, test } from 'vitest';
import { problem } from '../testing/jobs';
import { open } from '../testing/render';
import { api, server } from '../testing/server';
import { ADMIN, NOBODY, VIEWER, VISITOR } from '../testing/sessions';
import { startSpiral, type Spiral } from '../testing/spiral';
import { placeAfter } from './login';

/** Signs in whoever sends the right token. */
function door(spiral: Spiral) {
  const tried: string[] = [];
  server.use(
    api.post('/api/v1/session', async ({ request, response }) => {
      const { token } = await request.json();
      tried.push(token);
      if (tried.length > 3) return response(429).json(problem(429, { detail: 'Too many attempts. Try again in 6 seconds.' }));
      if (token !== 'the right one') return response(401).json(problem(401, { detail: 'That is no token of this Spiral.' }));
      spiral.session = ADMIN;
      return response(200).json(ADMIN);
    }),
    api.delete('/api/v1/session', ({ response }) => {
      spiral.session = NOBODY;
      return response(204).empty();
    }),
  );
  return tried;
}

test('who is not known signs in with the keyboard alone and comes back to where they were', async () => {
  const spiral = startSpiral();
  spiral.session = NOBODY;
  door(spiral);
  const { router } = open('/queues?x=1');
  const field = await screen.findByLabelText('Access token');
  expect(router.state.location.pathname).toBe('/login');
  expect(field).toHaveFocus();
  expect(field).toHaveAttribute('type', 'password');
  const user = userEvent.setup();
  await user.keyboard('the right one{Enter}');
  expect(await screen.findByRole('heading', { name: 'Queues' })).toBeVisible();
  expect(router.state.location.pathname).toBe('/queues');
  expect(screen.getByRole('button', { name: 'Sign out' })).toBeVisible();
  expect(JSON.stringify([Object.entries(sessionStorage), Object.entries(localStorage)])).not.toContain('the right one');
});

test('an answer about who one was, which comes late, changes nothing', async () => {
  const spiral = startSpiral();
  spiral.session = NOBODY;
  door(spiral);
  const { queryClient } = open('/queues');
  await screen.findByLabelText('Access token');
  let answer: () => void = () => undefined;
  const asked = new Promise<void>((resolve) => {
    server.use(
      api.get('/api/v1/session', async ({ response }) => {
        resolve();
        await new Promise<void>((go) => {
          answer = go;
        });
        return response(200).json(NOBODY);
      }),
    );
  });
  void queryClient.invalidateQueries({ queryKey: ['session'] });
  await asked;
  await userEvent.setup().keyboard('the right one{Enter}');
  expect(await screen.findByRole('heading', { name: 'Queues' })).toBeVisible();
  answer();
  await screen.findByText('Live');
  expect(await screen.findByRole('listitem', { name: 'Queue default' })).toBeVisible();
  expect(screen.getByRole('button', { name: 'Sign out' })).toBeVisible();
});

test('a wrong token and too many attempts are told, and the field keeps the focus', async () => {
  const spiral = startSpiral();
  spiral.session = NOBODY;
  door(spiral);
  open('/login');
  const user = userEvent.setup();
  await screen.findByLabelText('Access token');
  await user.keyboard('{Enter}');
  expect(await screen.findByText('Required')).toBeVisible();
  await user.keyboard('wrong{Enter}');
  expect(await screen.findByText('That is no token of this Spiral.')).toBeVisible();
  expect(screen.getByLabelText('Access token')).toHaveFocus();
  for (const again of ['worse', 'worst', 'the right one']) {
    await user.clear(screen.getByLabelText('Access token'));
    await user.type(screen.getByLabelText('Access token'), `${again}{Enter}`);
    await waitFor(() => {
      expect(screen.getByRole('button', { name: 'Sign in' })).toBeVisible();
    });
  }
  expect(await screen.findByText('Too many attempts. Try again in 6 seconds.')).toBeVisible();
});

test('signing out leads to the login', async () => {
  const spiral = startSpiral();
  spiral.session = ADMIN;
  door(spiral);
  const { router } = open('/queues');
  await userEvent.setup().click(await screen.findByRole('button', { name: 'Sign out' }));
  expect(await screen.findByLabelText('Access token')).toBeVisible();
  expect(router.state.location.pathname).toBe('/login');
});

test('a viewer is told why there are no buttons', async () => {
  const spiral = startSpiral();
  spiral.session = VIEWER;
  open('/queues');
  expect(await screen.findByText(/You are a viewer/u)).toBeVisible();
  const queue = await screen.findByRole('listitem', { name: 'Queue default' });
  expect(within(queue).queryByRole('button')).toBeNull();
});

test('in read-only mode an admin is told so', async () => {
  const spiral = startSpiral();
  spiral.session = { ...ADMIN, read_only: true, may_change: false };
  open('/functions/fibonacci');
  expect(await screen.findByText(/Spiral is read-only: nothing can be changed/u)).toBeVisible();
  expect(await screen.findByText('Only admins can call it.')).toBeVisible();
});

test('a visitor calculates and does not get to other pages', async () => {
  const spiral = startSpiral();
  spiral.session = VISITOR;
  const { router } = open('/');
  expect(await screen.findByRole('button', { name: 'Calculate' })).toBeVisible();
  expect(await screen.findByText(/You are a visitor/u)).toBeVisible();
  await userEvent.setup().click(screen.getByRole('link', { name: 'Audit' }));
  expect(await screen.findByLabelText('Access token')).toBeVisible();
  expect(router.state.location.search).toEqual({ from: '/audit' });
});

test('without tokens nobody is asked and nobody signs out', async () => {
  startSpiral();
  open('/login');
  expect(await screen.findByRole('heading', { name: 'No login needed' })).toBeVisible();
  expect(screen.queryByRole('button', { name: 'Sign out' })).toBeNull();
});

test('signing in leads to a page of this site alone', () => {
  expect(placeAfter('/jobs?state=dead')).toBe('/jobs?state=dead');
  for (const bad of [undefined, 'https://evil.example', '//evil.example', String.raw`/\evil.example`, '/login?from=/']) {
    expect(placeAfter(bad)).toBe('/');
  }
});
