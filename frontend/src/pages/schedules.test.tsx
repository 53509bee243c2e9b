import { screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { HttpResponse } from 'msw';
import { expect, test } from 'vitest';
import type { Schedule } from '../api/types';
import { id, job, problem } from '../testing/jobs';
import { open } from '../testing/render';
import { schedule } from '../testing/schedules';
import { api, server } from '../testing/server';
import { startSpiral } from '../testing/spiral';

/** A Spiral with these schedules, which pause, resume and go away. */
function withSchedules(...first: Schedule[]) {
  startSpiral();
  const state = { schedules: first };
  const change = (id: string, changes: Partial<Schedule>) => {
    state.schedules = state.schedules.map((each) => (each.id === id ? { ...each, ...changes } : each));
    return state.schedules.find((each) => each.id === id) ?? schedule(0);
  };
  server.use(
    api.get('/api/v1/schedules', ({ response }) => response(200).json({ schedules: state.schedules, next_cursor: null })),
    // Before the one with an id, which would take it for one.
    api.get('/api/v1/schedules/preview', ({ request, response }) => {
      const cron = new URL(request.url).searchParams.get('cron') ?? '';
      return cron === '0 9 * * *'
        ? response(200).json({ cron, time_zone: 'UTC', description: 'Every day at 09:00 UTC', next_times: ['2099-01-02T09:00:00.000Z'] })
        : response(400).json(problem(400, { detail: 'cron: has too few fields' }));
    }),
    api.get('/api/v1/schedules/{id}', ({ params, response }) => {
      const found = state.schedules.find((each) => each.id === params.id);
      return found === undefined ? response(404).json(problem(404)) : response(200).json(found);
    }),
    api.post('/api/v1/schedules/{id}/pause', ({ params, response }) => response(200).json(change(params.id, { paused: true }))),
    api.delete('/api/v1/schedules/{id}', ({ params, response }) => {
      state.schedules = state.schedules.filter((each) => each.id !== params.id);
      return response(204).empty();
    }),
  );
  return state;
}

test('each schedule in plain words, with its error', async () => {
  withSchedules(schedule(1), schedule(2, { paused: true, error: 'There is no function "gone" any more.' }));
  open('/schedules');
  const first = within(await screen.findByRole('listitem', { name: 'schedule 1' }));
  expect(first.getByText('Every day at 08:00 UTC')).toBeVisible();
  expect(first.getByText('fibonacci(index: 1)')).toBeVisible();
  expect(first.getByText('Has not run yet')).toBeVisible();
  const second = within(screen.getByRole('listitem', { name: 'schedule 2' }));
  expect(second.getByText('Paused')).toBeVisible();
  expect(second.getByText('There is no function "gone" any more.')).toBeVisible();
});

test('run now leads to the job', async () => {
  withSchedules(schedule(1));
  server.use(api.post('/api/v1/schedules/{id}/run', ({ response }) => response(202).json(job(77))));
  open('/schedules');
  await userEvent.setup().click(await screen.findByRole('button', { name: 'Run now: schedule 1' }));
  expect(await screen.findByRole('link', { name: 'a job' })).toHaveAttribute('href', `/jobs/${id(77)}`);
});

test('it is paused, and deleted after a question', async () => {
  withSchedules(schedule(1));
  open('/schedules');
  const user = userEvent.setup();
  await user.click(await screen.findByRole('button', { name: 'Pause schedule 1' }));
  expect(await screen.findByRole('button', { name: 'Resume schedule 1' })).toBeVisible();
  await user.click(screen.getByRole('button', { name: 'Delete schedule 1' }));
  const dialog = within(screen.getByRole('dialog', { name: 'Delete schedule 1?' }));
  await user.click(dialog.getByRole('button', { name: 'Keep' }));
  expect(screen.queryByRole('dialog')).toBeNull();
  await waitFor(() => {
    expect(screen.getByRole('button', { name: 'Delete schedule 1' })).toHaveFocus();
  });
  await user.click(screen.getByRole('button', { name: 'Delete schedule 1' }));
  await user.click(within(screen.getByRole('dialog')).getByRole('button', { name: 'Delete' }));
  expect(await screen.findByText('No schedules yet')).toBeVisible();
  expect(screen.getByRole('main')).toHaveFocus();
});

test('a new one is explained while it is typed, and made', async () => {
  const state = withSchedules();
  const bodies: unknown[] = [];
  server.use(
    api.post('/api/v1/schedules', async ({ request, response }) => {
      bodies.push(await request.json());
      state.schedules = [schedule(9, { name: 'numbers' })];
      return response(201).json(schedule(9, { name: 'numbers' }));
    }),
  );
  open('/schedules/new');
  const user = userEvent.setup();
  await user.selectOptions(await screen.findByRole('combobox', { name: 'function' }), await screen.findByRole('option', { name: 'fibonacci' }));
  await user.type(screen.getByRole('textbox', { name: /^name/u }), 'numbers');
  const cron = screen.getByRole('textbox', { name: /^cron/u });
  await user.type(cron, '0 9');
  const meaning = within(screen.getByRole('status', { name: 'What it means' }));
  expect(await meaning.findByText('cron: has too few fields')).toBeVisible();
  await user.type(cron, ' * * *');
  expect(await meaning.findByText('Every day at 09:00 UTC')).toBeVisible();
  // What changes by the second is not read out.
  expect(within(screen.getByRole('list', { name: 'In your time zone' })).getByRole('listitem')).toBeVisible();
  expect(meaning.queryByRole('list')).toBeNull();
  await user.type(screen.getByRole('textbox', { name: /^index/u }), '90');
  await user.click(screen.getByRole('button', { name: 'Create schedule' }));
  expect(await screen.findByRole('heading', { name: 'numbers' })).toBeVisible();
  expect(bodies).toEqual([
    { name: 'numbers', cron: '0 9 * * *', function: 'fibonacci', input: { index: 90 }, max_attempts: null },
  ]);
});

test('a change begins with what is there, and errors of the input stand at its field', async () => {
  withSchedules(schedule(3, { max_attempts: 4 }));
  const bodies: unknown[] = [];
  server.use(
    api.patch('/api/v1/schedules/{id}', async ({ request, response }) => {
      bodies.push(await request.json());
      return bodies.length === 1
        ? response(422).json(problem(422, { errors: [{ field: '/input/index', message: 'is too large' }] }))
        : response(200).json(schedule(3, { name: 'renamed' }));
    }),
  );
  open(`/schedules/${id(3)}`);
  const user = userEvent.setup();
  await user.click(await screen.findByRole('button', { name: 'Edit' }));
  const index = await screen.findByRole('textbox', { name: /^index/u });
  expect(index).toHaveValue('3');
  await user.click(screen.getByRole('button', { name: 'Save changes' }));
  await waitFor(() => {
    expect(index).toHaveAccessibleDescription(expect.stringContaining('is too large'));
  });
  await user.clear(screen.getByRole('textbox', { name: /^max_attempts/u }));
  await user.click(screen.getByRole('button', { name: 'Save changes' }));
  expect(await screen.findByRole('heading', { name: 'renamed' })).toBeVisible();
  expect(bodies[1]).toMatchObject({ name: 'schedule 3', max_attempts: null, input: { index: 3 }, catch_up: 'once' });
});

test('a field that is emptied is changed to what it stands for', async () => {
  withSchedules(schedule(5, { time_zone: 'Europe/Berlin', catch_up: 'all', max_attempts: 4 }));
  const bodies: unknown[] = [];
  server.use(
    api.patch('/api/v1/schedules/{id}', async ({ request, response }) => {
      bodies.push(await request.json());
      return response(200).json(schedule(5));
    }),
  );
  open(`/schedules/${id(5)}`);
  const user = userEvent.setup();
  await user.click(await screen.findByRole('button', { name: 'Edit' }));
  await user.clear(await screen.findByRole('textbox', { name: /^time_zone/u }));
  await user.selectOptions(screen.getByRole('combobox', { name: /^catch_up/u }), '');
  await user.clear(screen.getByRole('textbox', { name: /^max_attempts/u }));
  await user.click(screen.getByRole('button', { name: 'Save changes' }));
  expect(await screen.findByRole('button', { name: 'Edit' })).toBeVisible();
  expect(bodies).toEqual([expect.objectContaining({ time_zone: 'UTC', catch_up: 'once', max_attempts: null })]);
});

test('one that does not exist says so', async () => {
  withSchedules();
  open(`/schedules/${id(4)}`);
  expect(await screen.findByText('There is no schedule with this id')).toBeVisible();
});

test('schedules that cannot be read say so', async () => {
  withSchedules();
  server.use(api.get('/api/v1/schedules', ({ response }) => response.untyped(HttpResponse.json(problem(503, { detail: 'Away.' }), { status: 503 }))));
  open('/schedules');
  expect(await screen.findByRole('alert')).toHaveTextContent('Away.');
});
