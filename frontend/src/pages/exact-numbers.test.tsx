/** What a job was given is shown, and written back, to the last digit. */
import { screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { HttpResponse } from 'msw';
import { expect, test } from 'vitest';
import { ExactNumber } from '../exact-json';
import { completed, detail, id, patch } from '../testing/jobs';
import { open } from '../testing/render';
import { schedule } from '../testing/schedules';
import { api, server } from '../testing/server';
import { startSpiral } from '../testing/spiral';

const EXACT = '{"tweet_id":1970670598291982290,"price":1.50,"size":1e2,"many":12345678901234567890123}';

/** The body as the API sends it: with the exact input where another one stands. */
function withExact(body: object, field = 'input'): HttpResponse<string> {
  const text = JSON.stringify({ ...body, [field]: 'HERE' }).replace('"HERE"', EXACT);
  return new HttpResponse(text, { headers: { 'Content-Type': 'application/json' } });
}

test('a job shows the digits of its input and output', async () => {
  startSpiral();
  const made = { ...detail(1, { ...completed(1, ''), function: 'echo' }), output_preview: EXACT, output_length: null, input: 0 };
  server.use(api.get('/api/v1/jobs/{id}', ({ response }) => response.untyped(withExact(made, 'output'))));
  open(`/jobs/${id(1)}`);
  const output = within(await screen.findByRole('group', { name: 'the output' }));
  for (const number of ['1970670598291982290', '1.50', '1e2', '12345678901234567890123']) {
    expect(output.getByText(number)).toBeVisible();
  }
});

test('an input that is edited keeps the digits of what stays', async () => {
  startSpiral();
  const sent: string[] = [];
  const waiting = detail(2, { state: 'queued', function: 'echo' });
  server.use(
    api.get('/api/v1/jobs/{id}', ({ response }) => response.untyped(withExact(waiting))),
    api.patch('/api/v1/jobs/{id}', async ({ request, response }) => {
      sent.push(await (request as Request).text());
      return response.untyped(withExact(waiting));
    }),
  );
  open(`/jobs/${id(2)}`);
  const user = userEvent.setup();
  await user.click(await screen.findByRole('button', { name: 'Edit input' }));
  const dialog = within(screen.getByRole('dialog'));
  const field = await dialog.findByLabelText<HTMLTextAreaElement>('Input as JSON');
  expect(field.value).toContain('"tweet_id": 1970670598291982290');
  await user.click(dialog.getByRole('button', { name: 'Save input' }));
  await waitFor(() => {
    expect(sent).toEqual([`{"input":${EXACT}}`]);
  });
});

test('a call like an earlier one sends the same digits', async () => {
  startSpiral();
  const sent: string[] = [];
  const earlier = detail(3, { function: 'echo' });
  server.use(
    api.get('/api/v1/jobs/{id}', ({ response }) => response.untyped(withExact(earlier))),
    api.post('/api/v1/functions/{name}/jobs', async ({ request, response }) => {
      sent.push(await (request as Request).text());
      return response.untyped(withExact(detail(4, { function: 'echo' })));
    }),
  );
  open(`/functions/echo?from=${id(3)}`);
  await userEvent.setup().click(await screen.findByRole('button', { name: 'Call echo' }));
  await waitFor(() => {
    expect(sent).toEqual([`{"input":${EXACT}}`]);
  });
});

test('a schedule that is changed keeps the digits of its input', async () => {
  startSpiral();
  const sent: string[] = [];
  const made = schedule(5, { function: 'echo' });
  server.use(
    api.get('/api/v1/schedules/{id}', ({ response }) => response.untyped(withExact(made))),
    api.patch('/api/v1/schedules/{id}', async ({ request, response }) => {
      sent.push(await (request as Request).text());
      return response.untyped(withExact(made));
    }),
  );
  open(`/schedules/${id(5)}`);
  const user = userEvent.setup();
  await user.click(await screen.findByRole('button', { name: 'Edit' }));
  await user.click(await screen.findByRole('button', { name: 'Save changes' }));
  await waitFor(() => {
    expect(sent[0]).toContain(`"input":${EXACT}`);
  });
});

test('an event brings the digits to a page that is open', async () => {
  const spiral = startSpiral();
  open('/jobs');
  await screen.findByText('Live');
  spiral.send(patch(6, { state: 'queued', function: 'echo', max_attempts: 1, input: new ExactNumber('1970670598291982290') }));
  expect(await screen.findByRole('link', { name: '1970670598291982290' })).toBeVisible();
});
