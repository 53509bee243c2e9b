import { QueryClient } from '@tanstack/react-query';
import { expect, test, vi } from 'vitest';
import { AT, detail, id, job, patch, queuedPatch } from '../testing/jobs';
import { startSpiral } from '../testing/spiral';
import { addJob, applyPatches } from './apply';
import { jobKey, jobListQuery, jobQuery } from './jobs';
import { jobLogQuery } from './log-lines';
import type { JobPages } from './patch';
import type { Job, JobDetail } from './types';
import { indicesQuery, valuesQuery } from './values';

const FIBONACCI = jobListQuery({ function: 'fibonacci' }).queryKey;

function cacheWith(...jobs: Job[]): QueryClient {
  const queryClient = new QueryClient();
  queryClient.setQueryData<JobPages>(FIBONACCI, { pages: [{ jobs, next_cursor: null }], pageParams: [null] });
  queryClient.setQueryData(indicesQuery.queryKey, []);
  queryClient.setQueryData(valuesQuery.queryKey, {});
  return queryClient;
}

function listed(queryClient: QueryClient): Job[] {
  return queryClient.getQueryData<JobPages>(FIBONACCI)?.pages[0]?.jobs ?? [];
}

test('the states of one job in one burst end in its last', () => {
  const queryClient = cacheWith();
  applyPatches(queryClient, [
    queuedPatch(101),
    patch(101, { attempt: 1 }),
    patch(101, { state: 'completed', output: '573147844013817084101', output_length: 21 }),
  ]);
  expect(listed(queryClient)).toMatchObject([{ id: id(101), state: 'completed', output: '573147844013817084101' }]);
});

test('an unknown id without input is read and put in', async () => {
  const spiral = startSpiral();
  spiral.jobs = [job(102, { state: 'running', attempt: 1 })];
  const queryClient = cacheWith(job(100));
  applyPatches(queryClient, [patch(102, { attempt: 1 })]);
  await vi.waitFor(() => {
    expect(listed(queryClient).map((one) => one.id)).toEqual([id(102), id(100)]);
  });
});

test('a single job that is shown follows too', () => {
  const queryClient = new QueryClient();
  queryClient.setQueryData(jobKey(id(103)), detail(103));
  applyPatches(queryClient, [patch(103)]);
  expect(queryClient.getQueryData<JobDetail>(jobKey(id(103)))?.state).toBe('running');
  applyPatches(queryClient, [patch(104)]);
  expect(queryClient.getQueryData(jobKey(id(104)))).toBeUndefined();
});

test('an index that is asked for again moves to the front and counts', () => {
  const queryClient = cacheWith();
  applyPatches(queryClient, [queuedPatch(105), queuedPatch(106)]);
  applyPatches(queryClient, [queuedPatch(107, { input: { index: 105 }, at: '2026-01-02T03:05:00.000Z' })]);
  expect(queryClient.getQueryData(indicesQuery.queryKey)).toMatchObject([
    { index: 105, times_asked: 2, last_asked_at: '2026-01-02T03:05:00.000Z' },
    { index: 106, times_asked: 1 },
  ]);
});

test('a value appears when its job is completed, also one that is only a preview', () => {
  const queryClient = cacheWith(job(108), job(109));
  applyPatches(queryClient, [
    patch(108, { state: 'completed', output: '16641027750620563662096' }),
    patch(109, { state: 'completed', output_preview: '12…89', output_length: 20_899 }),
  ]);
  expect(queryClient.getQueryData(valuesQuery.queryKey)).toEqual({
    108: '16641027750620563662096',
    109: '12…89',
  });
});

test('a job that was asked for here does not undo what the stream has said already', () => {
  const queryClient = cacheWith();
  applyPatches(queryClient, [queuedPatch(110), patch(110, { state: 'completed', output: '1' })]);
  addJob(queryClient, job(110));
  expect(listed(queryClient)).toMatchObject([{ id: id(110), state: 'completed' }]);
});

test('a list that is read while SQL is behind the stream shows what the stream has said', async () => {
  const spiral = startSpiral();
  spiral.jobs = [job(112, { state: 'running' })];
  const queryClient = new QueryClient();
  applyPatches(queryClient, [patch(112, { state: 'completed', output: '1' })]);
  await queryClient.infiniteQuery(jobListQuery({ function: 'fibonacci' }));
  expect(listed(queryClient)).toMatchObject([{ id: id(112), state: 'completed' }]);
  const one = await queryClient.query(jobQuery(id(112)));
  expect(one.state).toBe('completed');
});

test('every attempt of one burst is told on the page of its job', () => {
  const queryClient = new QueryClient();
  queryClient.setQueryData(jobKey(id(113)), detail(113));
  applyPatches(queryClient, [
    patch(113, { attempt: 1, started_at: AT }),
    patch(113, { state: 'retrying', attempt: 1, error: { kind: 'error', message: 'broken' } }),
    patch(113, { attempt: 2, started_at: AT }),
  ]);
  expect(queryClient.getQueryData<JobDetail>(jobKey(id(113)))).toMatchObject({
    state: 'running',
    attempts: [
      { number: 1, error: { message: 'broken' } },
      { number: 2, finished_at: null },
    ],
  });
});

test('lines of one burst are all there, also those that came while the log was read', async () => {
  const spiral = startSpiral();
  const line = (number: number) => ({ attempt: 1, number, at: AT, text: `line ${number}` });
  spiral.logs = { [id(114)]: [line(1)] };
  const queryClient = new QueryClient();
  applyPatches(queryClient, [patch(114, { log_lines: [line(2)] })]);
  await queryClient.query(jobLogQuery(id(114)));
  applyPatches(queryClient, [patch(114, { log_lines: [line(3)] }), patch(114, { log_lines: [line(4)] })]);
  expect(queryClient.getQueryData(jobLogQuery(id(114)).queryKey)).toEqual([line(1), line(2), line(3), line(4)]);
});
