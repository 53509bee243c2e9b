/** The address of every page, with something on it. */
import { expect, type APIRequestContext } from '@playwright/test';

interface Made {
  readonly id: string;
}

async function post(request: APIRequestContext, path: string, data: unknown): Promise<Made> {
  const answer = await request.post(`/api/v1${path}`, { data });
  // 409: an earlier run has made it.
  expect([200, 201, 202, 409]).toContain(answer.status());
  return (await answer.json()) as Made;
}

/** Something to see on each page; says which addresses there are. */
export async function addresses(request: APIRequestContext): Promise<Record<string, string>> {
  for (const index of [10, 77, 90, 1000, 100_000]) await post(request, '/functions/fibonacci/jobs', { input: { index } });
  const input = { name: 'Ada', roles: ['admin', 'operator'], address: { city: 'London', since: 1833 }, active: true };
  const completed = await post(request, '/functions/echo/jobs?wait=30s', { input });
  const dead = await post(request, '/functions/flaky/jobs?wait=30s', { input: { failures: 9 }, max_attempts: 3 });
  const running = await post(request, '/functions/sleep/jobs', {
    input: { seconds: 600 },
    priority: 2,
    fairness_key: 'tenant-7',
    tags: ['customer:17', 'nightly'],
  });
  await post(request, '/functions/fibonacci/jobs', { input: { index: 3 }, delay_seconds: 3600 });
  const jobs = Array.from({ length: 200 }, (_, index) => ({ function: 'fibonacci', input: { index } }));
  const batch = await post(request, '/batches', {
    jobs: [...jobs, { function: 'flaky', input: { failures: 9, how: 'fatal' } }, { function: 'sleep', input: { seconds: 600 } }],
  });
  const schedules = [
    { name: 'morning numbers', cron: '0 8 * * 1-5', time_zone: 'Europe/Berlin', function: 'fibonacci', input: { index: 90 } },
    { name: 'heartbeat', cron: '@every 1h', function: 'echo', input: 'still here', paused: true },
  ];
  for (const schedule of schedules) await post(request, '/schedules', schedule);
  const listed = await request.get('/api/v1/schedules');
  const [schedule] = ((await listed.json()) as { schedules: Made[] }).schedules.slice(-1);
  return {
    fibonacci: '/',
    overview: '/overview',
    jobs: '/jobs',
    'job-completed': `/jobs/${completed.id}`,
    'job-dead': `/jobs/${dead.id}`,
    'job-running': `/jobs/${running.id}`,
    'jobs-search-wrong': '/jobs?q=state%3Adeaf',
    failures: '/failures',
    workers: '/workers',
    batches: '/batches',
    batch: `/batches/${batch.id}`,
    queues: '/queues',
    schedules: '/schedules',
    schedule: `/schedules/${schedule?.id ?? ''}`,
    'schedule-new': '/schedules/new',
    functions: '/functions',
    'function-http-request': '/functions/http_request',
    'function-echo': '/functions/echo',
    audit: '/audit',
    settings: '/settings',
    'not-found': '/no/such/page',
  };
}
