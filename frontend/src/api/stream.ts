/**
 * Follows a stream of server-sent events for ever: resumes after the last event it saw,
 * waits longer after each failure, and notices a connection that is dead but not closed.
 * It knows nothing of jobs.
 */
import { createParser, type EventSourceMessage } from 'eventsource-parser';

export interface StreamOptions {
  readonly url: string;
  readonly fetch: (request: Request) => Promise<Response>;
  readonly signal: AbortSignal;
  readonly onOpen: () => void;
  /** All events of one chunk together, so that a burst is one change of the page. */
  readonly onEvents: (events: readonly EventSourceMessage[]) => void;
  readonly onCut: () => void;
  /** The server sends a comment every 15 s; silence beyond this means that nobody is there. */
  readonly silenceMs?: number;
  readonly random?: () => number;
}

const LONGEST_WAIT_MS = 15_000;

export async function followStream(options: StreamOptions): Promise<void> {
  const { signal, silenceMs = 40_000, random = Math.random } = options;
  let lastEventId: string | null = null;
  let retryMs = 1000;
  let failures = 0;

  const readOnce = async () => {
    const connection = new AbortController();
    const abort = () => {
      connection.abort();
    };
    let timer = setTimeout(abort, silenceMs);
    signal.addEventListener('abort', abort);
    // Only a hint: a server on this machine answers offline too, so try again at once instead of giving up.
    window.addEventListener('offline', abort);
    try {
      const headers = new Headers({ accept: 'text/event-stream' });
      if (lastEventId !== null) headers.set('Last-Event-ID', lastEventId);
      const response = await options.fetch(
        // What the page shows first comes first.
        new Request(options.url, { headers, cache: 'no-store', priority: 'low', signal: connection.signal }),
      );
      if (!response.ok || response.body === null) throw new Error(`the stream answered ${response.status}`);
      options.onOpen();
      let batch: EventSourceMessage[] = [];
      const parser = createParser({
        onEvent: (event) => {
          if (event.id !== undefined) lastEventId = event.id;
          batch.push(event);
        },
        onRetry: (ms) => {
          retryMs = ms;
        },
      });
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      connection.signal.addEventListener('abort', () => {
        reader.cancel().catch(() => undefined);
      });
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        failures = 0;
        clearTimeout(timer);
        timer = setTimeout(abort, silenceMs);
        parser.feed(value);
        if (batch.length > 0) {
          const events = batch;
          batch = [];
          options.onEvents(events);
        }
      }
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      window.removeEventListener('offline', abort);
    }
  };

  while (!signal.aborted) {
    try {
      await readOnce();
    } catch {
      // Every failure means the same here: the stream is cut.
    }
    if (isAborted(signal)) return;
    options.onCut();
    const wait = Math.min(retryMs * 2 ** failures, LONGEST_WAIT_MS);
    failures += 1;
    await pause(wait * (0.5 + random() / 2), signal);
  }
}

/** A call, so that the type checker does not carry the loop's answer over an await. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}

/** Ends early when the browser says that it is online again, or on abort. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      window.removeEventListener('online', done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    window.addEventListener('online', done);
    signal.addEventListener('abort', done);
  });
}
