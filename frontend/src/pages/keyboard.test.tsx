import { screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { expect, test } from 'vitest';
import { job } from '../testing/jobs';
import { open } from '../testing/render';
import { startSpiral } from '../testing/spiral';

test('rows are walked with j and k, and Enter opens one', async () => {
  const spiral = startSpiral();
  spiral.jobs = [job(3), job(2), job(1)];
  open('/jobs');
  await screen.findByRole('link', { name: '{"index":3}' });
  const user = userEvent.setup();
  await user.keyboard('jj');
  expect(screen.getByRole('link', { name: '{"index":2}' })).toHaveFocus();
  await user.keyboard('k');
  expect(screen.getByRole('link', { name: '{"index":3}' })).toHaveFocus();
  await user.keyboard('{Enter}');
  expect(await screen.findByRole('heading', { name: 'fibonacci(index: 3)' })).toBeVisible();
});

test('g and a letter go to a page, and / to its search', async () => {
  startSpiral();
  const { router } = open('/jobs');
  await screen.findByText('No jobs yet');
  const user = userEvent.setup();
  await user.keyboard('gu');
  const field = await screen.findByLabelText('Find a function');
  expect(router.state.location.pathname).toBe('/functions');
  await user.keyboard('/');
  expect(field).toHaveFocus();
  // Somebody who types is not going anywhere.
  await user.keyboard('gj?');
  expect(field).toHaveValue('gj?');
  expect(router.state.location.pathname).toBe('/functions');
  expect(screen.queryByRole('dialog')).toBeNull();
});

test('? tells the keys, and turns them off and on', async () => {
  startSpiral();
  const { router } = open('/jobs');
  await screen.findByText('No jobs yet');
  const user = userEvent.setup();
  await user.keyboard('?');
  const dialog = within(await screen.findByRole('dialog', { name: 'Keyboard' }));
  expect(dialog.getByText('Functions')).toBeVisible();
  await user.click(dialog.getByRole('checkbox', { name: 'Single-key shortcuts' }));
  await user.click(dialog.getByRole('button', { name: 'Close' }));
  await user.keyboard('gu');
  expect(router.state.location.pathname).toBe('/jobs');
  await user.keyboard('?');
  await user.click(await screen.findByRole('checkbox', { name: 'Single-key shortcuts' }));
  await user.click(screen.getByRole('button', { name: 'Close' }));
  await user.keyboard('gu');
  await waitFor(() => {
    expect(router.state.location.pathname).toBe('/functions');
  });
});

test('the menu of a narrow screen opens, and closes with Escape', async () => {
  startSpiral();
  open('/jobs');
  await screen.findByText('No jobs yet');
  const user = userEvent.setup();
  const menu = screen.getByRole('button', { name: 'Menu' });
  await user.click(menu);
  expect(menu).toHaveAttribute('aria-expanded', 'true');
  await user.tab();
  await user.keyboard('{Escape}');
  expect(menu).toHaveAttribute('aria-expanded', 'false');
  expect(menu).toHaveFocus();
});
