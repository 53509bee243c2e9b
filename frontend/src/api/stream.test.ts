import type { EventSourceMessage } from 'eventsource-parser';
import { http, HttpResponse } from 'msw';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { server } from '../testing/server';
import { followStream } from './stream';

const encoder = new TextEncoder();

/** Answers each request for the stream with the next script; the last one is repeated. */
function givenStreams(...scripts: (string | number)[]) {
  const lastIds: (string | null)[] = [];
  server.use(
    http.get('*/events', ({ request }) => {
      const script = scripts[Math.min(lastIds.length, scripts.length - 1)] ?? '';
      lastIds.push(request.headers.get('Last-Event-ID'));
      if (typeof script === 'number') return new HttpResponse(null, { status: script });
      const open = script.endsWith('…');
      const body = new ReadableStream({
        start: (controller) => {
          controller.enqueue(encoder.encode(open ? script.slice(0, -1) : script));
          if (!open) controller.close();
        },
      });
      return new HttpResponse(body, { headers: { 'content-type': 'text/event-stream' } });
    }),
  );
  return lastIds;
}

let stop: AbortController;
let log: string[];

beforeEach(() => {
  stop = new AbortController();
  log = [];
});

afterEach(() => {
  stop.abort();
});

function follow(silenceMs = 60_000) {
  void followStream({
    url: `${window.location.origin}/events`,
    fetch: (request) => fetch(request),
    signal: stop.signal,
    random: () => 0,
    silenceMs,
    onOpen: () => log.push('open'),
    onCut: () => log.push('cut'),
    onEvents: (events: readonly EventSourceMessage[]) => {
      log.push(events.map(({ event, data }) => `${event ?? ''}:${data}`).join(' '));
    },
  });
}

test('events of one chunk come together', async () => {
  givenStreams('event: job\ndata: 1\n\nevent: job\ndata: 2\n\n…');
  follow();
  await vi.waitFor(() => {
    expect(log).toEqual(['open', 'job:1 job:2']);
  });
});

test('resumes after the last event that it saw', async () => {
  const lastIds = givenStreams('retry: 1\n\nid: a:1-0\ndata: 1\n\n', 'id: a:2-0\ndata: 2\n\n…');
  follow();
  await vi.waitFor(() => {
    expect(log).toEqual(['open', ':1', 'cut', 'open', ':2']);
  });
  expect(lastIds).toEqual([null, 'a:1-0']);
});

test('goes on trying when the server refuses', async () => {
  givenStreams('retry: 1\n\n', 503, 503, 'data: back\n\n…');
  follow();
  await vi.waitFor(() => {
    expect(log).toEqual(['open', 'cut', 'cut', 'cut', 'open', ':back']);
  });
});

test('waits longer after each failure', async () => {
  const timer = vi.spyOn(globalThis, 'setTimeout');
  givenStreams('retry: 2\n\n', 503, 503, 503, 'data: back\n\n…');
  follow();
  await vi.waitFor(() => {
    expect(log).toContain(':back');
  });
  const waits = timer.mock.calls.map(([, ms]) => ms ?? 0).filter((ms) => ms < 50);
  // Half of 2, 4, 8, 16 ms: the least that the jitter leaves. (50 ms and more are others' timers.)
  expect(waits).toEqual([1, 2, 4, 8]);
});

test('a connection that says nothing for too long is dead', async () => {
  const lastIds = givenStreams('retry: 1\n\n…');
  follow(30);
  await vi.waitFor(() => {
    expect(lastIds.length).toBeGreaterThan(1);
  });
  expect(log.slice(0, 3)).toEqual(['open', 'cut', 'open']);
});

test('when it is stopped, it says nothing more', async () => {
  givenStreams('data: 1\n\n…');
  follow();
  await vi.waitFor(() => {
    expect(log).toContain(':1');
  });
  stop.abort();
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(log).toEqual(['open', ':1']);
});
