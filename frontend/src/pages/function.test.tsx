import { screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { expect, test } from 'vitest';
import { detail, id, job, patch, problem } from '../testing/jobs';
import { open } from '../testing/render';
import { api, server } from '../testing/server';
import { startSpiral } from '../testing/spiral';

/** Answers calls and remembers their bodies. */
function takesCalls(replayed = false) {
  const bodies: unknown[] = [];
  server.use(
    api.post('/api/v1/functions/{name}/jobs', async ({ request, params, response }) => {
      const body = await request.json();
      bodies.push(body);
      const made = job(500 + bodies.length, { function: params.name, input: body.input });
      return response(202).json(made, { headers: replayed ? { 'Idempotent-Replayed': 'true' } : {} });
    }),
  );
  return bodies;
}

test('the list leads to each function, and can be searched', async () => {
  startSpiral();
  open('/functions');
  const link = await screen.findByRole('link', { name: 'fibonacci' });
  expect(link).toHaveAttribute('href', '/functions/fibonacci');
  await userEvent.setup().type(screen.getByLabelText('Find a function'), 'returns');
  expect(screen.queryByRole('link', { name: 'fibonacci' })).toBeNull();
  expect(screen.getByRole('link', { name: 'echo' })).toBeVisible();
});

test('a call is made from the fields, with its options, and its job is live', async () => {
  const spiral = startSpiral();
  spiral.queues = [...spiral.queues, { ...spiral.queues[0], name: 'mail' } as (typeof spiral.queues)[number]];
  const bodies = takesCalls();
  open('/functions/fibonacci');
  const user = userEvent.setup();
  await user.type(await screen.findByRole('textbox', { name: /^index/u }), '90');
  await user.click(screen.getByText('Options'));
  await user.type(screen.getByLabelText('priority'), '1');
  await user.type(screen.getByLabelText('unique_key'), 'customer-17');
  await user.selectOptions(screen.getByLabelText('queue'), 'mail');
  await screen.findByText('Live');
  spiral.jobs = [detail(501, { input: { index: 90 } })];
  await user.click(screen.getByRole('button', { name: 'Call fibonacci' }));
  const called = within(screen.getByRole('region', { name: 'Recent calls' }));
  expect(await called.findByRole('link', { name: 'fibonacci(index: 90)' })).toHaveAttribute('href', `/jobs/${id(501)}`);
  expect(bodies).toEqual([{ input: { index: 90 }, priority: 1, unique_key: 'customer-17', queue: 'mail' }]);
  await waitFor(() => {
    expect(called.getByText('queued')).toBeVisible();
  });
  spiral.send(patch(501, { state: 'completed', output: '2880067194370816120', output_length: 19 }));
  expect(await called.findByText('2880067194370816120')).toBeVisible();
  expect(called.getByRole('status')).toHaveTextContent('fibonacci(index: 90) is completed.');
});

test('what is wrong stands at its field, and nothing is sent', async () => {
  startSpiral();
  const bodies = takesCalls();
  open('/functions/fibonacci');
  const user = userEvent.setup();
  const field = await screen.findByRole('textbox', { name: /^index/u });
  await user.type(field, '1.5{Enter}');
  expect(field).toHaveAccessibleDescription(expect.stringContaining('This must be a whole number.'));
  await waitFor(() => {
    expect(field).toHaveFocus();
  });
  expect(bodies).toEqual([]);
});

test("the server's own errors stand at their fields, those of options in the open", async () => {
  startSpiral();
  server.use(
    api.post('/api/v1/functions/{name}/jobs', ({ response }) =>
      response(422).json(problem(422, { errors: [{ field: '/unique_key', message: 'is not to my taste' }] })),
    ),
  );
  open('/functions/fibonacci');
  const user = userEvent.setup();
  const field = await screen.findByRole('textbox', { name: /^index/u });
  await user.type(field, '13{Enter}');
  await waitFor(() => {
    expect(screen.getByLabelText('unique_key')).toHaveAccessibleDescription(expect.stringContaining('is not to my taste'));
  });
  expect(screen.getByLabelText('unique_key').closest('details')).toHaveAttribute('open');
  expect(field).toBeValid();
});

test('tags are typed with blanks between them; one that is none says so at the field', async () => {
  startSpiral();
  const bodies: unknown[] = [];
  server.use(
    api.post('/api/v1/functions/{name}/jobs', async ({ request, response }) => {
      bodies.push(await request.json());
      return response(422).json(problem(422, { errors: [{ field: '/tags/1', message: 'is not a tag' }] }));
    }),
  );
  open('/functions/fibonacci');
  const user = userEvent.setup();
  await user.type(await screen.findByRole('textbox', { name: /^index/u }), '13');
  await user.click(screen.getByText('Options'));
  await user.type(screen.getByLabelText('tags'), ' customer:17  a,b {Enter}');
  await waitFor(() => {
    expect(screen.getByLabelText('tags')).toHaveAccessibleDescription(expect.stringContaining('1: is not a tag'));
  });
  expect(bodies).toEqual([{ input: { index: 13 }, tags: ['customer:17', 'a,b'] }]);
});

test('a function without fields takes JSON', async () => {
  startSpiral();
  const bodies = takesCalls();
  open('/functions/echo');
  const user = userEvent.setup();
  const field = await screen.findByLabelText('Input as JSON');
  await user.clear(field);
  await user.type(field, '[[1,');
  await user.click(screen.getByRole('button', { name: 'Call echo' }));
  expect(field).toHaveAccessibleDescription(expect.stringContaining('This is not JSON'));
  await user.type(field, ' 2]');
  await user.click(screen.getByRole('button', { name: 'Call echo' }));
  await waitFor(() => {
    expect(bodies).toEqual([{ input: [1, 2] }]);
  });
});

test('called again, the form begins with what the job was given', async () => {
  const spiral = startSpiral();
  spiral.jobs = [detail(510, { input: { index: 77 }, priority: 2, fairness_key: 'tenant-7', tags: ['customer:17', 'nightly'] })];
  open(`/functions/fibonacci?from=${id(510)}`);
  expect(await screen.findByRole('textbox', { name: /^index/u })).toHaveValue('77');
  expect(screen.getByText('Options, 3 chosen')).toBeVisible();
  expect(screen.getByLabelText('priority')).toHaveValue('2');
  expect(screen.getByLabelText('fairness_key')).toHaveValue('tenant-7');
  expect(screen.getByLabelText('tags')).toHaveValue('customer:17 nightly');
});

test('a key that an earlier job has is told', async () => {
  startSpiral();
  takesCalls(true);
  open('/functions/fibonacci');
  await userEvent.setup().type(await screen.findByRole('textbox', { name: /^index/u }), '5{Enter}');
  expect(await screen.findByText('An earlier job holds this key; no new job was created.')).toBeVisible();
});

test('a function that does not exist says so', async () => {
  startSpiral();
  open('/functions/nothing');
  expect(await screen.findByText('Function not found')).toBeVisible();
});

test('in JSON each error says which part is meant; among fields one without a field stands below them', async () => {
  startSpiral();
  const errors = [
    { field: '/input/index', message: 'is too large' },
    { field: '/input/other', message: 'is not known' },
  ];
  server.use(
    api.post('/api/v1/functions/{name}/jobs', ({ response }) => response(422).json(problem(422, { detail: 'It does not fit.', errors }))),
  );
  open('/functions/fibonacci');
  const user = userEvent.setup();
  await user.type(await screen.findByRole('textbox', { name: /^index/u }), '7');
  await user.click(screen.getByRole('button', { name: 'Call fibonacci' }));
  expect(await screen.findByText('is too large')).toBeVisible();
  expect(screen.getByText('other: is not known')).toBeVisible();
  await user.click(screen.getByRole('button', { name: 'JSON' }));
  await user.click(screen.getByRole('button', { name: 'Call fibonacci' }));
  expect(await screen.findByText('index: is too large other: is not known')).toBeVisible();
});
