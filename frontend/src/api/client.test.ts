import { http, HttpResponse } from 'msw';
import { expect, test } from 'vitest';
import { job, problem } from '../testing/jobs';
import { api, server } from '../testing/server';
import { client, unwrap } from './client';
import { callFunction, newIdempotencyKey } from './jobs';
import { ApiError } from './problem';
import { onRefusal } from './refusals';

async function failure(call: Promise<unknown>): Promise<ApiError> {
  try {
    await call;
  } catch (error) {
    if (error instanceof ApiError) return error;
    throw error;
  }
  throw new Error('it worked');
}

test('a problem becomes an error with its code, its request and its fields', async () => {
  server.use(
    api.post('/api/v1/functions/{name}/jobs', ({ response }) =>
      response(422).json(
        problem(422, {
          code: 'invalid_input',
          detail: '/index: must be at most 1,000',
          errors: [{ field: '/index', message: 'must be at most 1,000' }],
        }),
      ),
    ),
  );
  const error = await failure(callFunction({ function: 'fibonacci', input: { index: 1001 }, idempotencyKey: 'k' }));
  expect(error).toMatchObject({ status: 422, code: 'invalid_input', requestId: '01REQUEST', temporary: false });
  expect(error.field('/index')).toBe('must be at most 1,000');
  expect(error.field('/other')).toBeNull();
});

test('a proxy that answers in HTML is a temporary error, not a crash', async () => {
  server.use(http.get('*/api/v1/functions', () => new HttpResponse('<h1>Bad gateway</h1>', { status: 502 })));
  const error = await failure(client.GET('/api/v1/functions').then(unwrap));
  expect(error).toMatchObject({ status: 502, temporary: true });
  expect(error.message).toBe('The server answered 502.');
});

test('no answer at all says what to check', async () => {
  server.use(http.get('*/api/v1/functions', () => HttpResponse.error()));
  const error = await failure(client.GET('/api/v1/functions').then(unwrap));
  expect(error).toMatchObject({ status: 0, code: 'unreachable', temporary: true });
});

test('sends the idempotency key, and no two are the same', async () => {
  const keys: (string | null)[] = [];
  server.use(
    api.post('/api/v1/functions/{name}/jobs', ({ request, response }) => {
      keys.push(request.headers.get('Idempotency-Key'));
      return response(202).json(job(1));
    }),
  );
  const idempotencyKey = newIdempotencyKey();
  await callFunction({ function: 'fibonacci', input: { index: 1 }, idempotencyKey });
  expect(keys).toEqual([idempotencyKey]);
  expect(newIdempotencyKey()).not.toBe(idempotencyKey);
});

test('tells when the API wants to know who one is, and not of other refusals', async () => {
  let told = 0;
  const stop = onRefusal(() => {
    told += 1;
  });
  for (const status of [403, 401]) {
    server.use(http.get('*/api/v1/functions', () => HttpResponse.json(problem(status), { status })));
    const error = await failure(client.GET('/api/v1/functions').then(unwrap));
    expect(error.status).toBe(status);
  }
  stop();
  expect(told).toBe(1);
});
