/**
 * Writes the event stream into the query cache, and nothing else: components read the cache only.
 * After a reconnect, or when the server says `refresh`, everything on the page is read again.
 */
import { queryOptions, type QueryClient } from '@tanstack/react-query';
import type { EventSourceMessage } from 'eventsource-parser';
import { applyPatches, stopRereading } from './apply';
import { apiFetch, apiUrl } from './client';
import { parseJobPatch } from './event';
import { holdState, noteHeld, subscribeHold } from './hold';
import { asApiError } from './problem';
import type { StreamOptions } from './stream';
import { throttle } from './throttle';
import type { JobPatch, LiveStatus } from './types';

/** A burst changes the page at most this often. */
const FLUSH_MS = 100;
/** `refresh` can come many times a second while somebody enqueues in bulk. */
const REFRESH_MS = 1000;
/** A tab that nobody looks at gives its connection back: a browser has only six to one origin on HTTP/1.1. */
const HIDDEN_MS = 60_000;
/** Changes that wait are kept, and made when somebody looks again; of more than this, everything is read anew. */
const HELD_PATCHES = 2000;
/** Between two tries to load the reader of the stream. */
const LOAD_AGAIN_MS = 2000;

export const liveQuery = queryOptions({
  queryKey: ['live'],
  queryFn: (): LiveStatus => 'connecting',
  initialData: 'connecting',
  staleTime: Infinity,
  gcTime: Infinity,
});

export function refreshAll(queryClient: QueryClient): void {
  for (const queryKey of [['jobs'], ['values']]) void queryClient.invalidateQueries({ queryKey });
}

/** What could not be read while the API was away can be read now. What was refused would be refused again. */
function rereadFailed(queryClient: QueryClient): void {
  void queryClient.invalidateQueries({
    predicate: ({ state: { status, error } }) => status === 'error' && asApiError(error).temporary,
  });
}

/** What another build of the API may answer: a deploy cuts the stream. */
function rereadDeployed(queryClient: QueryClient): void {
  for (const queryKey of [['functions'], ['queues'], ['health'], ['session']]) {
    void queryClient.invalidateQueries({ queryKey });
  }
}

function isHidden(): boolean {
  return document.visibilityState === 'hidden';
}

/** Nobody looks, or somebody is choosing among what they see. */
function waits(): boolean {
  return isHidden() || holdState().held;
}

/** The reader of the stream is loaded after the page: nothing that is shown first needs it. */
async function follow(options: StreamOptions): Promise<void> {
  while (!options.signal.aborted) {
    try {
      const { followStream } = await import('./stream');
      await followStream(options);
      return;
    } catch {
      // The server is away, or a deploy has just replaced the file.
      options.onCut();
      await new Promise((resolve) => setTimeout(resolve, LOAD_AGAIN_MS));
    }
  }
}

/** Starts following; the function it returns stops. */
export function startLive(queryClient: QueryClient): () => void {
  let waiting: JobPatch[] = [];
  let refreshLater = false;
  const flush = throttle(FLUSH_MS, () => {
    // It may have been asked for just before.
    if (waits()) return;
    const patches = waiting;
    waiting = [];
    applyPatches(queryClient, patches);
  });
  const refreshNow = throttle(REFRESH_MS, () => {
    if (waits()) refreshLater = true;
    else refreshAll(queryClient);
  });
  const refresh = () => {
    if (waits()) refreshLater = true;
    else refreshNow();
  };
  const showHeld = () => {
    if (waits()) return;
    if (waiting.length > 0) flush();
    const anew = refreshLater;
    refreshLater = false;
    if (anew) refreshNow();
  };
  const setStatus = (status: LiveStatus) => {
    queryClient.setQueryData(liveQuery.queryKey, status);
  };

  const onEvents = (events: readonly EventSourceMessage[]) => {
    let changes = 0;
    for (const event of events) {
      if (event.event === 'refresh') refresh();
      if (event.event !== 'job') continue;
      const patch = parseJobPatch(event.data);
      if (patch === null) continue;
      waiting.push(patch);
      changes += 1;
    }
    noteHeld(changes);
    if (!waits()) {
      if (waiting.length > 0) flush();
    } else if (waiting.length > HELD_PATCHES) {
      waiting = [];
      refreshLater = true;
    }
  };

  let opened = false;
  let stop: AbortController | null = null;
  const start = () => {
    stop = new AbortController();
    void follow({
      url: apiUrl('/api/v1/events'),
      fetch: apiFetch,
      signal: stop.signal,
      onEvents,
      onOpen: () => {
        setStatus('open');
        rereadFailed(queryClient);
        if (opened) {
          refresh();
          rereadDeployed(queryClient);
        }
        opened = true;
      },
      onCut: () => {
        setStatus('reconnecting');
      },
    });
  };

  let hideTimer: ReturnType<typeof setTimeout> | undefined;
  const onVisibility = () => {
    clearTimeout(hideTimer);
    if (isHidden()) {
      hideTimer = setTimeout(() => {
        stop?.abort();
        stop = null;
      }, HIDDEN_MS);
    } else {
      showHeld();
      if (stop === null) start();
    }
  };
  document.addEventListener('visibilitychange', onVisibility);
  let held = holdState().held;
  const unsubscribe = subscribeHold(() => {
    const before = held;
    held = holdState().held;
    if (!held) showHeld();
    else if (!before) stopRereading(queryClient);
  });
  start();

  return () => {
    document.removeEventListener('visibilitychange', onVisibility);
    unsubscribe();
    clearTimeout(hideTimer);
    stop?.abort();
  };
}
