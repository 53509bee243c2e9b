import { screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { expect, test } from 'vitest';
import { AT, completed, id, job, patch, problem, queuedPatch } from '../testing/jobs';
import { open } from '../testing/render';
import { api, server } from '../testing/server';
import { startSpiral } from '../testing/spiral';

function latest() {
  return within(screen.getByRole('region', { name: 'Latest jobs' }));
}

async function typeIndex(text: string) {
  const user = userEvent.setup();
  const field = await screen.findByRole('textbox', { name: 'Index' });
  await screen.findByText('A whole number from 0 to 10,000,000.');
  await user.clear(field);
  if (text !== '') await user.type(field, text);
  return { user, field };
}

/** Answers the form's request: the number is part of the id, the index is what was asked for. */
function takesJobs() {
  const asked: unknown[] = [];
  server.use(
    api.post('/api/v1/functions/{name}/jobs', async ({ request, response }) => {
      const { input } = await request.json();
      asked.push(input);
      return response(202).json(job(200 + asked.length, { input }));
    }),
  );
  return asked;
}

test('a job appears at once and moves through its states', async () => {
  const spiral = startSpiral();
  const asked = takesJobs();
  open('/');
  const { user } = await typeIndex('90');
  expect(screen.getByRole('button', { name: 'Calculate F(90)' })).toBeEnabled();
  await user.keyboard('{Enter}');

  expect(await latest().findByText('queued')).toBeVisible();
  expect(asked).toEqual([{ index: 90 }]);
  spiral.send(patch(201, { attempt: 1, started_at: AT }));
  expect(await latest().findByText('running')).toBeVisible();
  spiral.send(
    patch(201, {
      state: 'completed',
      started_at: AT,
      finished_at: '2026-01-02T03:04:05.042Z',
      output: '2880067194370816120',
      output_length: 19,
      output_preview: '2880067194370816120',
    }),
  );
  expect(await latest().findByText('2880067194370816120')).toBeVisible();
  expect(latest().getByText('19 digits in 42 ms')).toBeVisible();
  expect(screen.getByTestId('announcement')).toHaveTextContent('F(90) is 2880067194370816120.');
  expect(latest().getByRole('link', { name: 'Download F(90)' })).toHaveAttribute(
    'href',
    `/api/v1/jobs/${id(201)}/result?download=1`,
  );
});

test("somebody else's job appears too, and is not read aloud", async () => {
  const spiral = startSpiral();
  open('/');
  await screen.findByText('No jobs yet');
  await screen.findByText('Live');
  spiral.send(queuedPatch(210));
  expect(await latest().findByText('F(210)')).toBeVisible();
  expect(await screen.findByRole('button', { name: /^210/u })).toBeVisible();
  expect(screen.getByTestId('announcement')).toBeEmptyDOMElement();
});

test.each([
  ['-1', 'there is nothing before it'],
  ['1.5', 'without a fraction'],
  ['abc', 'not a number'],
  ['10000001', 'The largest index is 10,000,000'],
  ['', 'Type an index first'],
])('%j is refused at the field, and nothing is sent', async (text, message) => {
  startSpiral();
  const asked = takesJobs();
  open('/');
  const { user, field } = await typeIndex(text);
  expect(field).toBeValid();
  await user.click(screen.getByRole('button', { name: 'Calculate' }));
  expect(field).toBeInvalid();
  expect(field).toHaveAccessibleDescription(expect.stringContaining(message));
  expect(field).toHaveFocus();
  expect(asked).toEqual([]);
});

test('the error goes as soon as the input is right', async () => {
  startSpiral();
  open('/');
  const { user, field } = await typeIndex('1.');
  await user.keyboard('{Enter}');
  expect(field).toBeInvalid();
  await user.clear(field);
  await user.type(field, '15');
  expect(field).toBeValid();
});

test("the server's own check stands at the field as well", async () => {
  startSpiral();
  server.use(
    api.post('/api/v1/functions/{name}/jobs', ({ response }) =>
      response(422).json(problem(422, { errors: [{ field: '/input/index', message: 'is not to my taste' }] })),
    ),
  );
  open('/');
  const { user, field } = await typeIndex('13');
  await user.keyboard('{Enter}');
  await waitFor(() => {
    expect(field).toHaveAccessibleDescription(expect.stringContaining('is not to my taste'));
  });
});

test('a server that is busy says so under the form', async () => {
  startSpiral();
  server.use(
    api.post('/api/v1/functions/{name}/jobs', ({ response }) =>
      response(503).json(problem(503, { detail: 'Redis does not answer. Try again in a few seconds.' })),
    ),
  );
  open('/');
  const { user } = await typeIndex('13');
  await user.keyboard('{Enter}');
  expect(await screen.findByRole('alert')).toHaveTextContent('Redis does not answer');
});

test('the drawing follows what is typed', async () => {
  startSpiral();
  open('/');
  const { user, field } = await typeIndex('7');
  expect(screen.getByRole('img')).toHaveAccessibleName(
    'Spiral of 7 squares; the side of the outermost is F(7).',
  );
  expect(screen.getByText('F(7) = 8 + 5 = 13')).toBeVisible();
  await user.type(field, '00');
  expect(screen.getByRole('img')).toHaveAccessibleName(
    'Spiral of 12 squares, the largest of 700; the side of the outermost is F(700).',
  );
  await user.type(field, 'x');
  expect(screen.getByRole('img')).toHaveAccessibleName(/F\(700\)/u);
});

test('a large value is shortened and says how long it is', async () => {
  const spiral = startSpiral();
  const preview = `${'1'.repeat(100)}…${'9'.repeat(100)}`;
  spiral.jobs = [
    completed(220, preview, { input: { index: 100_000 }, output: null, output_length: 20_899, output_preview: preview }),
  ];
  open('/');
  expect(await screen.findByText(`${'1'.repeat(18)}…${'9'.repeat(18)}`)).toBeVisible();
  expect(screen.getByText('20,899 digits in 42 ms')).toBeVisible();
});

test('a dead job shows why', async () => {
  const spiral = startSpiral();
  spiral.jobs = [job(221, { state: 'dead', error: { kind: 'timeout', message: 'took longer than 60 s' } })];
  open('/');
  expect(await screen.findByText('took longer than 60 s')).toBeVisible();
});

test('indices and values are listed, and an index goes back into the form', async () => {
  const spiral = startSpiral();
  spiral.indices = [{ index: 42, first_asked_at: AT, last_asked_at: AT, times_asked: 3 }];
  spiral.values = { '42': '267914296' };
  open('/');
  const user = userEvent.setup();
  await user.click(await screen.findByRole('button', { name: /^42/u }));
  expect(screen.getByRole('textbox', { name: 'Index' })).toHaveValue('42');
  expect(screen.getByText('267914296')).toBeVisible();
});

test('values stand in the order in which they were asked for', async () => {
  const spiral = startSpiral();
  spiral.indices = [30, 10, 20].map((index) => ({ index, first_asked_at: AT, last_asked_at: AT, times_asked: 1 }));
  spiral.values = { '10': '55', '20': '6765', '30': '832040', '40': '102334155', '50': '12586269025' };
  open('/');
  const values = within(await screen.findByRole('region', { name: 'Values calculated' }));
  expect(await values.findByText('832040')).toBeVisible();
  expect(values.getAllByRole('term').map((name) => name.textContent)).toEqual([
    'F(30)',
    'F(10)',
    'F(20)',
    'F(50)',
    'F(40)',
  ]);
});

test('lists that cannot be read say so, and can be read again', async () => {
  const spiral = startSpiral();
  let broken = true;
  server.use(
    api.get('/api/values/all', ({ response }) =>
      broken
        ? response(503).json(problem(503, { detail: 'The database does not answer.' }))
        : response(200).json({ indices: spiral.indices }),
    ),
  );
  open('/');
  const alert = await screen.findByRole('alert');
  expect(alert).toHaveTextContent('The database does not answer.');
  broken = false;
  await userEvent.setup().click(within(alert).getByRole('button', { name: 'Try again' }));
  expect(await screen.findByText(/Requested indices appear here/u)).toBeVisible();
});

test('when the stream is cut a banner says so; when it is back everything is read again', async () => {
  const spiral = startSpiral();
  open('/');
  await screen.findByText('Live');
  await screen.findByText('No jobs yet');
  spiral.send(queuedPatch(230));
  await latest().findByText('F(230)');
  spiral.jobs = [completed(231, '1'), completed(230, '2')];
  spiral.cut();
  expect(await screen.findByText(/Reconnecting/u)).toBeVisible();
  expect(await latest().findByText('F(231)')).toBeVisible();
  expect(screen.queryByText(/Reconnecting/u)).toBeNull();
  expect(spiral.resumed).toEqual([null, 'default:1-0']);
});

test('a refresh from the server reads the lists again', async () => {
  const spiral = startSpiral();
  open('/');
  await screen.findByText('Live');
  await screen.findByText('No jobs yet');
  spiral.jobs = [completed(240, '1')];
  spiral.refresh();
  expect(await latest().findByText('F(240)')).toBeVisible();
});
