import { screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { expect, test } from 'vitest';
import { jobAction } from '../testing/job-actions';
import { id, problem } from '../testing/jobs';
import { open } from '../testing/render';
import { api, server } from '../testing/server';
import { startSpiral } from '../testing/spiral';
import { failure } from '../testing/workers';

test('each kind of error with its counts, and the ways to its jobs', async () => {
  const spiral = startSpiral();
  spiral.failures = [failure('aa01', { jobs: 1200, retrying: 200 }), failure('bb02', { jobs: 1, retrying: 1, message: 'refused' })];
  open('/failures');
  const [first, second] = (await screen.findAllByRole('listitem')).map((item) => within(item));
  const jobs = first?.getByRole('link', { name: '1,200 jobs' });
  const search = new URL(jobs?.getAttribute('href') ?? '', 'http://spiral').searchParams;
  expect(search.get('q')).toBe('failure:aa01 state:dead,retrying');
  expect(first?.getByText('1,000 dead, 200 retrying')).toBeVisible();
  expect(first?.getByRole('link', { name: 'an example' })).toHaveAttribute('href', `/jobs/${id(1)}`);
  // What is not dead can be neither retried nor deleted.
  expect(second?.getAllByRole('button').map((button) => button.textContent)).toEqual(['Cancel']);
});

test('the dead jobs of one kind are retried after the count was named', async () => {
  const spiral = startSpiral();
  spiral.failures = [failure('aa01')];
  const bodies: unknown[] = [];
  server.use(
    api.post('/api/v1/jobs/actions', async ({ request, response }) => {
      const body = await request.json();
      bodies.push(body);
      return body.dry_run === true ? response(200).json({ jobs: 12, exact: true }) : response(202).json(jobAction(5, { total: 12 }));
    }),
  );
  open('/failures');
  const user = userEvent.setup();
  await user.click(await screen.findByRole('button', { name: /^Retry: error/u }));
  const dialog = within(await screen.findByRole('dialog', { name: 'Retry 12 jobs?' }));
  await user.click(dialog.getByRole('button', { name: 'Retry' }));
  expect(await screen.findByText(/^Retrying 12 jobs has begun/u)).toBeVisible();
  expect(bodies[1]).toEqual({ action: 'retry', filter: 'failure:aa01 state:dead' });
});

test('nothing there: says what that means', async () => {
  startSpiral();
  open('/failures');
  expect(await screen.findByText('No failures')).toBeVisible();
});

test('an error is shown, and can be tried again', async () => {
  startSpiral();
  server.use(api.get('/api/v1/failures', ({ response }) => response(503).json(problem(503, { detail: 'Away.' }))));
  open('/failures');
  expect(await screen.findByRole('alert')).toHaveTextContent('Away.');
});
