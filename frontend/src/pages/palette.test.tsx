import { screen, waitFor } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { expect, test } from 'vitest';
import { id, job } from '../testing/jobs';
import { queue } from '../testing/queues';
import { open } from '../testing/render';
import { api, server } from '../testing/server';
import { startSpiral } from '../testing/spiral';
import { PAGES } from './page-list';
import { entriesOf } from './palette/entries';

const OFFERED = { pages: PAGES, functions: ['fibonacci', 'echo'], queues: [{ name: 'mail', paused: true }], mayChange: true };

function names(text: string): string[] {
  return entriesOf(text, OFFERED).map(({ name }) => name);
}

test('what begins with the text comes first, and a search is always there', () => {
  expect(names('f')[0]).toBe('Fibonacci');
  expect(names('call ec')).toEqual(['Call echo', 'Search the jobs for call ec']);
  expect(names('mail')).toEqual(['Jobs of the queue mail', 'Resume the queue mail', 'Search the jobs for mail']);
  expect(names('')).not.toContain('Search the jobs for ');
});

test('who may change nothing is offered nothing that changes', () => {
  const offered = entriesOf('mail', { ...OFFERED, mayChange: false }).map(({ name }) => name);
  expect(offered).toEqual(['Jobs of the queue mail', 'Search the jobs for mail']);
});

test('an id is a job, however it is written', () => {
  expect(entriesOf(id(1).toLowerCase(), OFFERED)[0]).toMatchObject({ name: `Job ${id(1)}`, does: { kind: 'job', id: id(1) } });
  expect(names('01JD')[0]).toBe('Search the jobs for 01JD');
});

test('Ctrl-K opens it, also while somebody types; arrows and Enter go there', async () => {
  startSpiral();
  const { router } = open('/jobs');
  await screen.findByText('No jobs yet');
  const user = userEvent.setup();
  await user.keyboard('/{Control>}k{/Control}');
  const field = await screen.findByRole('combobox', { name: /^Page, function/u });
  field.focus();
  await user.keyboard('call');
  await screen.findByRole('option', { name: /^Call fibonacci/u });
  expect(screen.getByRole('option', { name: /^Call echo/u })).toHaveAttribute('aria-selected', 'true');
  await user.keyboard('{ArrowDown}');
  expect(field).toHaveAttribute('aria-activedescendant', screen.getByRole('option', { name: /^Call fibonacci/u }).id);
  await user.keyboard('{Enter}');
  await waitFor(() => {
    expect(router.state.location.pathname).toBe('/functions/fibonacci');
  });
  expect(screen.queryByRole('dialog')).toBeNull();
});

test('a job is found by its id', async () => {
  const spiral = startSpiral();
  spiral.jobs = [job(1300)];
  open('/');
  await screen.findByText('Live');
  const user = userEvent.setup();
  await user.keyboard('{Control>}k{/Control}');
  (await screen.findByRole('combobox', { name: /^Page, function/u })).focus();
  await user.keyboard(`${id(1300)}{Enter}`);
  expect(await screen.findByRole('heading', { name: 'fibonacci(index: 1300)' })).toBeVisible();
});

test('a queue is paused from anywhere, and the outcome is told', async () => {
  const spiral = startSpiral();
  spiral.queues = [queue('mail')];
  server.use(api.post('/api/v1/queues/{name}/pause', ({ response }) => response(200).json(queue('mail', { paused: true }))));
  open('/functions');
  await screen.findByText('Live');
  const user = userEvent.setup();
  await user.keyboard('{Control>}k{/Control}');
  await user.click(await screen.findByRole('option', { name: /^Pause the queue mail/u }));
  expect(await screen.findByText('The queue mail is paused.')).toBeVisible();
});

test('Escape closes it and gives the focus back', async () => {
  startSpiral();
  open('/jobs');
  const before = await screen.findByRole('combobox', { name: 'Search the jobs' });
  const user = userEvent.setup();
  before.focus();
  await user.keyboard('{Control>}k{/Control}');
  (await screen.findByRole('combobox', { name: /^Page, function/u })).focus();
  await user.keyboard('{Escape}');
  expect(screen.queryByRole('dialog')).toBeNull();
  expect(before).toHaveFocus();
});

test('the help tells the build that answers', async () => {
  startSpiral();
  open('/functions');
  await screen.findByText('Live');
  await userEvent.setup().keyboard('?');
  expect(await screen.findByText('Spiral 1.2.3, commit 0123456789ab')).toBeVisible();
});
