import { screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { expect, test } from 'vitest';
import { id, job, problem, queuedPatch } from '../testing/jobs';
import { queue } from '../testing/queues';
import { open } from '../testing/render';
import { api, server } from '../testing/server';
import { startSpiral } from '../testing/spiral';

test('names and values are completed with the keyboard, and Enter searches', async () => {
  const spiral = startSpiral();
  spiral.queues = [queue('default'), queue('mail')];
  const { router } = open('/jobs');
  await screen.findByText('No jobs yet');
  await screen.findByRole('option', { name: 'mail' });
  const user = userEvent.setup();
  await user.keyboard('/');
  const box = screen.getByRole('combobox', { name: 'Search the jobs' });
  expect(box).toHaveFocus();
  await user.keyboard('que');
  expect(box).toHaveAttribute('aria-expanded', 'true');
  await user.keyboard('{ArrowDown}');
  const option = screen.getByRole('option', { name: /^queue:/u });
  expect(option).toHaveAttribute('aria-selected', 'true');
  expect(box).toHaveAttribute('aria-activedescendant', option.id);
  await user.keyboard('{Enter}');
  expect(box).toHaveValue('queue:');
  await user.keyboard('{ArrowDown}{ArrowDown}{Enter}');
  expect(box).toHaveValue('queue:mail ');
  expect(box).toHaveAttribute('aria-expanded', 'false');
  await user.keyboard('sta{Escape}');
  expect(box).toHaveAttribute('aria-expanded', 'false');
  expect(box).toHaveValue('queue:mail sta');
  // Once more takes back what was not searched for.
  await user.keyboard('{Escape}');
  expect(box).toHaveValue('');
  await user.keyboard('index>3{Enter}');
  await waitFor(() => {
    expect(router.state.location.search).toEqual({ q: 'index>3' });
  });
  expect(box).toHaveFocus();
});

test('a tag is completed with those that begin with what is typed', async () => {
  startSpiral();
  const asked: (string | null)[] = [];
  server.use(
    api.get('/api/v1/tags', ({ request, response }) => {
      const prefix = new URL(request.url).searchParams.get('prefix');
      asked.push(prefix);
      return response(200).json({ tags: ['customer:17', 'customer:18', 'nightly'].filter((tag) => tag.startsWith(prefix ?? '')) });
    }),
  );
  open('/jobs');
  await screen.findByText('No jobs yet');
  const user = userEvent.setup();
  const box = screen.getByRole('combobox', { name: 'Search the jobs' });
  await user.type(box, 'state:dead tag:c');
  expect(await screen.findByRole('option', { name: 'customer:18' })).toBeVisible();
  expect(screen.queryByRole('option', { name: 'nightly' })).toBeNull();
  await user.keyboard('{ArrowDown}{Enter}');
  expect(box).toHaveValue('state:dead tag:customer:17 ');
  expect(asked.at(-1)).toBe('c');
});

test('a search is sent as it is, and a link back takes it out of the box', async () => {
  startSpiral();
  const asked: (string | null)[] = [];
  server.use(
    api.get('/api/v1/jobs', ({ request, response }) => {
      asked.push(new URL(request.url).searchParams.get('q'));
      return response(200).json({ jobs: [], next_cursor: null });
    }),
  );
  // As the router writes a text that would read as JSON.
  const { router } = open(`/jobs?q=${encodeURIComponent(JSON.stringify('"timed out"'))}`);
  const box = await screen.findByRole('combobox', { name: 'Search the jobs' });
  expect(box).toHaveValue('"timed out"');
  await screen.findByText('No jobs match these filters');
  expect(asked).toEqual(['"timed out"']);
  await userEvent.setup().click(screen.getByRole('button', { name: 'Clear' }));
  await waitFor(() => {
    expect(router.state.location.search).toEqual({});
  });
  expect(box).toHaveValue('');
  expect(box).toHaveFocus();
});

test('what is wrong with a search stands at its place', async () => {
  startSpiral();
  server.use(
    api.get('/api/v1/jobs', ({ response }) =>
      response(400).json(problem(400, { errors: [{ field: 'q', message: 'character 7: there is no state "deaf"' }] })),
    ),
  );
  open('/jobs?q=state:deaf');
  expect(await screen.findByRole('alert')).toHaveTextContent('At character 7: there is no state "deaf".');
  expect(document.querySelector('mark')).toHaveTextContent('d');
  const box = screen.getByRole('combobox', { name: 'Search the jobs' });
  expect(box).toHaveAttribute('aria-invalid', 'true');
  expect(box).toHaveAccessibleDescription(/character 7/u);
  expect(screen.getByText('The search cannot be read')).toBeVisible();
});

test('a queue is a filter, and what comes live must fit it', async () => {
  const spiral = startSpiral();
  spiral.queues = [queue('default'), queue('mail')];
  spiral.jobs = [job(1100, { queue: 'mail' })];
  const { router } = open('/jobs');
  const user = userEvent.setup();
  await screen.findByRole('option', { name: 'mail' });
  await user.selectOptions(screen.getByRole('combobox', { name: 'Queue' }), 'mail');
  await waitFor(() => {
    expect(router.state.location.search).toEqual({ q: 'queue:mail' });
  });
  await screen.findByText('Live');
  await screen.findByRole('link', { name: '{"index":1100}' });
  spiral.send(queuedPatch(1101, { queue: 'default' }));
  spiral.send(queuedPatch(1102, { queue: 'mail' }));
  expect(await screen.findByRole('link', { name: '{"index":1102}' })).toBeVisible();
  expect(screen.queryByRole('link', { name: '{"index":1101}' })).toBeNull();
});

test('what a search finds is asked for again when jobs change', async () => {
  const spiral = startSpiral();
  let found = [job(1110)];
  server.use(api.get('/api/v1/jobs', ({ response }) => response(200).json({ jobs: found, next_cursor: null })));
  open('/jobs?q=index%3E3');
  await screen.findByRole('link', { name: '{"index":1110}' });
  await screen.findByText('Live');
  found = [job(1111), job(1110)];
  spiral.send(queuedPatch(1111));
  expect(await screen.findByRole('link', { name: '{"index":1111}' })).toHaveAttribute('href', `/jobs/${id(1111)}`);
});

test('the tabs change the term that is typed, and what they say is never said twice', async () => {
  startSpiral();
  const asked: string[] = [];
  server.use(
    api.get('/api/v1/jobs', ({ request, response }) => {
      asked.push(new URL(request.url).searchParams.toString());
      return response(200).json({ jobs: [], next_cursor: null });
    }),
  );
  const { router } = open('/jobs?q=state:dead%20index%3E3');
  const states = within(await screen.findByRole('navigation', { name: 'State' }));
  expect(states.getByRole('link', { name: 'dead' })).toHaveAttribute('aria-current', 'page');
  const user = userEvent.setup();
  await user.click(states.getByRole('link', { name: 'completed' }));
  const box = screen.getByRole('combobox', { name: 'Search the jobs' });
  await waitFor(() => {
    expect(box).toHaveValue('state:completed index>3');
  });
  expect(states.getByRole('link', { name: 'completed' })).toHaveAttribute('aria-current', 'page');
  await user.clear(box);
  await user.type(box, 'state:dead{Enter}');
  await waitFor(() => {
    expect(states.getByRole('link', { name: 'dead' })).toHaveAttribute('aria-current', 'page');
  });
  await user.click(states.getByRole('link', { name: 'all' }));
  await waitFor(() => {
    expect(router.state.location.search).toEqual({});
  });
  expect(box).toHaveValue('');
  await waitFor(() => {
    expect(asked).toEqual([
      'limit=50&q=state%3Adead+index%3E3',
      'limit=50&q=state%3Acompleted+index%3E3',
      'limit=50&state=dead',
      'limit=50',
    ]);
  });
});

test('the mark of what is wrong takes a whole character', async () => {
  startSpiral();
  server.use(
    api.get('/api/v1/jobs', ({ response }) =>
      response(400).json(problem(400, { errors: [{ field: 'q', message: 'character 4: a blank is missing after the quotes' }] })),
    ),
  );
  open(`/jobs?q=${encodeURIComponent('"a"👩‍👧 x')}`);
  await screen.findByText(/At character 4/u);
  expect(document.querySelector('mark')).toHaveTextContent('👩‍👧');
});
