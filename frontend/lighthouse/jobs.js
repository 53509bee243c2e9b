/** Something to see on each page: jobs that ended well, that ended badly, that wait and that run. */
const BATCH = 400;
const WAIT_MS = 120_000;

async function ask(url, path, body) {
  const answer = await fetch(new URL(`/api/v1${path}`, url), {
    ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`);
  return answer.json();
}

export async function prepare(url) {
  const jobs = Array.from({ length: BATCH }, (_, index) => ({ function: 'fibonacci', input: { index } }));
  await ask(url, '/batches', { jobs });
  const input = { name: 'Ada', roles: ['admin', 'operator'], active: true };
  await ask(url, '/functions/echo/jobs?wait=30s', { input });
  await ask(url, '/functions/flaky/jobs?wait=30s', { input: { failures: 9, how: 'fatal' } });
  await ask(url, '/functions/fibonacci/jobs', { input: { index: 3 }, delay_seconds: 3600 });
  await ask(url, '/functions/sleep/jobs', { input: { seconds: 3600 } });
  const end = Date.now() + WAIT_MS;
  for (;;) {
    const { counts } = await ask(url, '/overview');
    if (counts.completed > BATCH && counts.running === 1) return;
    if (Date.now() > end) throw new Error('the jobs do not come to an end');
    await new Promise((resolve) => {
      setTimeout(resolve, 200);
    });
  }
}
