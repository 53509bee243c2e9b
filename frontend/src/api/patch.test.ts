import { expect, test } from 'vitest';
import { completed, id, job, patch, queuedPatch } from '../testing/jobs';
import { insertJobs, jobOf, LIST_LIMIT, mergePatches, patchJob, patchList, type JobPages } from './patch';
import type { Job, JobPatch } from './types';

function pages(...lists: Job[][]): JobPages {
  return {
    pages: lists.map((jobs, page) => ({ jobs, next_cursor: page < lists.length - 1 ? `after-${page}` : null })),
    pageParams: lists.map((_, page) => (page === 0 ? null : `after-${page - 1}`)),
  };
}

function patches(...list: JobPatch[]): Map<string, JobPatch> {
  return new Map(list.map((one) => [one.id, one]));
}

function ids(list: JobPages): string[][] {
  return list.pages.map((page) => page.jobs.map((one) => one.id));
}

test('a patch changes what it names and leaves the rest', () => {
  const running = patchJob(job(1), patch(1, { attempt: 1, started_at: '2026-01-02T03:04:06.000Z' }));
  expect(running).toEqual(job(1, { state: 'running', attempt: 1, started_at: '2026-01-02T03:04:06.000Z' }));
});

test('what belongs to the event does not become part of the job', () => {
  expect(patchJob(job(1), patch(1, { worker: 'w-1' }))).not.toHaveProperty('worker');
  expect(patchJob(job(1), patch(1))).not.toHaveProperty('at');
});

test('a final state never changes: a late event is old news', () => {
  const done = completed(1, '1');
  expect(patchJob(done, patch(1, { state: 'running' }))).toBe(done);
});

test('the error of an earlier attempt goes when a later one succeeds, and the result can be read', () => {
  const retrying = job(1, { state: 'retrying', error: { kind: 'error', message: 'no' } });
  const done = patchJob(retrying, patch(1, { state: 'completed', output: '1' }));
  expect(done.error).toBeNull();
  expect(done.result_url).toBe(`/api/v1/jobs/${id(1)}/result`);
});

test('a patch with function and input is a whole job; one without is not', () => {
  expect(jobOf(queuedPatch(1))).toEqual(job(1));
  expect(jobOf(patch(1))).toBeNull();
});

test('two patches of one job are one, and nothing follows a final state', () => {
  expect(mergePatches(queuedPatch(1), patch(1, { attempt: 1 }))).toMatchObject({
    state: 'running',
    attempt: 1,
    input: { index: 1 },
  });
  expect(mergePatches(patch(1, { state: 'completed' }), patch(1)).state).toBe('completed');
});

test('an unknown job goes to the top', () => {
  const change = patchList(pages([job(2), job(1)]), {}, patches(queuedPatch(3)));
  expect(ids(change.pages)).toEqual([[id(3), id(2), id(1)]]);
  expect(change.missing).toEqual([]);
});

test('several unknown jobs end up newest first, whatever their order in the stream', () => {
  const change = patchList(pages([job(3), job(1)]), {}, patches(queuedPatch(4), queuedPatch(2), queuedPatch(5)));
  expect(ids(change.pages)).toEqual([[id(5), id(4), id(3), id(2), id(1)]]);
});

test('an unknown job without its input must be read', () => {
  const list = pages([job(1)]);
  const change = patchList(list, {}, patches(patch(2)));
  expect(change).toEqual({ pages: list, missing: [id(2)], cut: false });
});

test('a job older than the loaded pages is left to its page', () => {
  const [first] = pages([job(9), job(8)], []).pages;
  if (first === undefined) throw new Error('there is a page');
  const list: JobPages = { pages: [first], pageParams: [null] };
  expect(patchList(list, {}, patches(patch(3), queuedPatch(4)))).toEqual({ pages: list, missing: [], cut: false });
});

test('a row that no longer fits the filter goes, one that fits now comes', () => {
  const running = pages([job(2, { state: 'running' }), job(1, { state: 'running' })]);
  const done = patchList(running, { state: 'running' }, patches(patch(2, { state: 'completed' })));
  expect(ids(done.pages)).toEqual([[id(1)]]);
  const started = patchList(running, { state: 'running' }, patches(patch(3)));
  expect(started.missing).toEqual([id(3)]);
});

test('a job of another function stays out', () => {
  const change = patchList(pages([]), { function: 'fibonacci' }, patches(queuedPatch(1, { function: 'other' })));
  expect(ids(change.pages)).toEqual([[]]);
});

test('a row on a later page is changed in place', () => {
  const change = patchList(pages([job(4)], [job(2), job(1)]), {}, patches(patch(1)));
  expect(change.pages.pages[1]?.jobs[1]?.state).toBe('running');
  expect(change.pages.pages[0]).toBe(change.pages.pages[0]);
});

test('nothing changes, nothing is new: components that show it do not render again', () => {
  const list = pages([completed(1, '1')]);
  expect(patchList(list, {}, patches(patch(1))).pages).toBe(list);
});

test('the list does not grow for ever', () => {
  const many = Array.from({ length: LIST_LIMIT }, (_, number) => job(LIST_LIMIT - number));
  const change = patchList(pages(many, [job(0)]), {}, patches(queuedPatch(LIST_LIMIT + 1)));
  expect(change.cut).toBe(true);
  expect(change.pages.pages).toHaveLength(1);
  expect(change.pages.pages[0]?.jobs).toHaveLength(LIST_LIMIT);
  expect(change.pages.pages[0]?.jobs[0]?.id).toBe(id(LIST_LIMIT + 1));
});

test('a job that the stream has brought already is not put in twice', () => {
  const list = pages([completed(1, '1')]);
  expect(insertJobs(list, [job(1)])).toBe(list);
});
