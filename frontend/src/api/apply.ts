/** Brings patches into every cached query that shows jobs or Fibonacci values. */
import type { Query, QueryClient } from '@tanstack/react-query';
import { functionsQuery } from './functions';
import { fetchJob, JOB_LISTS, JOBS_SHOWN } from './jobs';
import { whenReleased } from './hold';
import { jobLogKey, mergeLines, recentLines } from './log-lines';
import { insertJobs, matches, mergePatches, patchList, type JobFilter, type JobPages } from './patch';
import { patchDetail } from './patch-detail';
import { patchLog } from './patch-log';
import { throttle } from './throttle';
import type { IndexSeen, Job, JobDetail, JobPatch, LogLine } from './types';
import { indicesQuery, valuesQuery } from './values';

/** More unknown jobs than this in one go: reading the list again is cheaper. */
const READ_AT_MOST = 5;
const REREAD_MS = 2000;

export function applyPatches(queryClient: QueryClient, incoming: readonly JobPatch[]): void {
  const patches = new Map<string, JobPatch>();
  for (const patch of incoming) {
    const known = patches.get(patch.id);
    patches.set(patch.id, known === undefined ? patch : mergePatches(known, patch));
  }
  const announced = incoming.filter((patch) => patch.state === 'queued' && patch.input !== undefined);
  notedIndices(queryClient, announced);
  patchLog.record(patches.values());

  const missing = new Set<string>();
  let cut = false;
  for (const [key, pages] of cachedLists(queryClient)) {
    const change = patchList(pages, key[2], patches);
    if (change.pages !== pages) queryClient.setQueryData(key, change.pages);
    for (const id of change.missing) missing.add(id);
    cut ||= change.cut;
  }
  patchShown(queryClient, incoming);
  notedFunctions(queryClient, announced);
  notedLines(queryClient, incoming);

  if (cut || missing.size > READ_AT_MOST) reread(queryClient).lists();
  else for (const id of missing) void readMissing(queryClient, id);
  notedValues(queryClient, patches);
}

/** Puts a job that this page has just read or asked for into every list that it belongs to. */
export function addJob(queryClient: QueryClient, read: Job): void {
  const job = patchLog.job(read);
  for (const [key, pages] of cachedLists(queryClient)) {
    if (key[2].q === undefined && matches(job, key[2])) queryClient.setQueryData(key, insertJobs(pages, [job]));
  }
}

/** A job's own page tells every attempt, so it takes each patch by itself: merged ones have lost what came between. */
function patchShown(queryClient: QueryClient, incoming: readonly JobPatch[]): void {
  for (const [key, shown] of queryClient.getQueriesData<JobDetail>({ queryKey: JOBS_SHOWN })) {
    if (shown === undefined) continue;
    const next = incoming.reduce((job, patch) => (patch.id === job.id ? patchDetail(job, patch) : job), shown);
    if (next !== shown) queryClient.setQueryData(key, next);
    // The stream does not say who did it.
    const byHand = incoming.some(
      (patch) => patch.id === shown.id && (patch.run_again === true || patch.state === 'cancelled'),
    );
    if (byHand) void queryClient.invalidateQueries({ queryKey: key });
  }
}

function notedLines(queryClient: QueryClient, incoming: readonly JobPatch[]): void {
  for (const { id, log_lines: lines } of incoming) {
    if (lines === undefined || lines.length === 0) continue;
    recentLines.record(id, lines);
    queryClient.setQueryData<readonly LogLine[]>(jobLogKey(id), (known) =>
      known === undefined ? undefined : mergeLines(known, lines),
    );
  }
}

/** A job of a function that is not known here tells that a deploy has brought one. */
function notedFunctions(queryClient: QueryClient, announced: readonly JobPatch[]): void {
  const known = queryClient.getQueryData(functionsQuery.queryKey);
  if (known === undefined) return;
  const names = new Set(known.map(({ name }) => name));
  if (announced.some(({ function: name }) => name != null && !names.has(name))) reread(queryClient).functions();
}

type ListKey = readonly [string, string, JobFilter];

function cachedLists(queryClient: QueryClient): [ListKey, JobPages][] {
  return queryClient
    .getQueriesData<JobPages>({ queryKey: JOB_LISTS })
    .flatMap(([key, pages]) => (pages === undefined ? [] : [[key as unknown as ListKey, pages]]));
}

async function readMissing(queryClient: QueryClient, id: string): Promise<void> {
  try {
    const job = await fetchJob(id);
    whenReleased(() => {
      addJob(queryClient, job);
    });
  } catch {
    // It will be there when the list is read again.
  }
}

function readListsAgain(queryClient: QueryClient): void {
  void queryClient.invalidateQueries({ queryKey: JOB_LISTS });
}

/** Lists that are just being read again would move their rows: that is done when they may. Further pages do not move any. */
export function stopRereading(queryClient: QueryClient): void {
  const moves = ({ state }: Query) =>
    state.fetchStatus === 'fetching' && state.data !== undefined && state.fetchMeta?.fetchMore === undefined;
  const queries = queryClient.getQueryCache().findAll({ queryKey: JOB_LISTS, predicate: moves });
  if (queries.length === 0) return;
  const shown = queries.map(({ queryKey, state }) => [queryKey, state.data] as const);
  void queryClient.cancelQueries({ queryKey: JOB_LISTS, predicate: moves }).then(() => {
    // Called off, a query goes back to what it had when it began, without the events since.
    for (const [key, data] of shown) queryClient.setQueryData(key, data);
  });
  whenReleased(() => {
    readListsAgain(queryClient);
  });
}

interface Rereads {
  readonly lists: () => void;
  readonly values: () => void;
  readonly functions: () => void;
}

const rereads = new WeakMap<QueryClient, Rereads>();

/** Reading again is for what cannot be known from patches alone; a burst of those is one reading. */
function reread(queryClient: QueryClient): Rereads {
  const known = rereads.get(queryClient);
  if (known !== undefined) return known;
  const readLists = () => {
    readListsAgain(queryClient);
  };
  const made: Rereads = {
    lists: throttle(REREAD_MS, () => {
      whenReleased(readLists);
    }),
    values: throttle(REREAD_MS, () => void queryClient.invalidateQueries({ queryKey: valuesQuery.queryKey })),
    functions: throttle(REREAD_MS, () => void queryClient.invalidateQueries({ queryKey: functionsQuery.queryKey })),
  };
  rereads.set(queryClient, made);
  return made;
}

function indexOf(input: unknown): number | null {
  const index = typeof input === 'object' && input !== null ? (input as { index?: unknown }).index : undefined;
  return typeof index === 'number' ? index : null;
}

/** "Indices seen": newest asked first. */
function notedIndices(queryClient: QueryClient, announced: readonly JobPatch[]): void {
  queryClient.setQueryData(indicesQuery.queryKey, (seen) => {
    if (seen === undefined) return undefined;
    let next: readonly IndexSeen[] = seen;
    for (const patch of announced) {
      const index = patch.function === 'fibonacci' ? indexOf(patch.input) : null;
      if (index === null) continue;
      const known = next.find((entry) => entry.index === index);
      const entry: IndexSeen = {
        index,
        first_asked_at: known?.first_asked_at ?? patch.at,
        last_asked_at: patch.at,
        times_asked: (known?.times_asked ?? 0) + 1,
      };
      next = [entry, ...next.filter((other) => other.index !== index)];
    }
    return next === seen ? seen : [...next];
  });
}

/** "Values calculated". A finished event does not repeat the input, so the job is looked up in the cached lists. */
function notedValues(queryClient: QueryClient, patches: ReadonlyMap<string, JobPatch>): void {
  const finished = [...patches.values()].filter((patch) => patch.state === 'completed');
  if (finished.length === 0 || queryClient.getQueryData(valuesQuery.queryKey) === undefined) return;
  const jobs = new Map(
    cachedLists(queryClient).flatMap(([, { pages }]) => pages.flatMap((page) => page.jobs.map((job) => [job.id, job]))),
  );
  const values: Record<string, string> = {};
  let unknown = false;
  for (const { id } of finished) {
    const job = jobs.get(id);
    if (job === undefined) unknown = true;
    const index = job?.function === 'fibonacci' ? indexOf(job.input) : null;
    const value = typeof job?.output === 'string' ? job.output : job?.output_preview;
    if (index !== null && value != null) values[index] = value;
  }
  queryClient.setQueryData(valuesQuery.queryKey, (known) => (known === undefined ? undefined : { ...known, ...values }));
  if (unknown) reread(queryClient).values();
}
