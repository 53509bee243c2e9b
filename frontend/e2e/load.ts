/** Callers that keep a pace, and a follower of the stream that counts what they cause. Real jobs through the real queue. */

const TICK_MS = 25;

export interface Load {
  /** Calls that were accepted so far. */
  readonly accepted: () => number;
  /** The first call that was not; null when all were. */
  readonly refused: () => string | null;
  /** Events of jobs a second, since it was asked last. */
  readonly eventsPerSecond: () => number;
  readonly stop: () => Promise<void>;
}

/** Most calls end at once; every second one takes a moment, so that it is seen to run. */
function call(number: number): { readonly name: string; readonly input: unknown } {
  return number % 2 === 0 ? { name: 'echo', input: { number } } : { name: 'sleep', input: { seconds: 0.3 } };
}

/** Calls so many functions a second until it is stopped. */
export function keepCalling(url: string, perSecond: number): Load {
  const stopped = new AbortController();
  const pending = new Set<Promise<void>>();
  const begun = Date.now();
  let sent = 0;
  let accepted = 0;
  let refused: string | null = null;
  let events = 0;
  let counted = { events: 0, at: begun };

  const send = async () => {
    const { name, input } = call(sent);
    sent += 1;
    try {
      const answer = await fetch(`${url}/api/v1/functions/${name}/jobs`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ input }),
      });
      await answer.arrayBuffer();
      if (answer.status === 202) accepted += 1;
      else refused ??= `${name} answered ${answer.status}`;
    } catch (error) {
      refused ??= String(error);
    }
  };
  const timer = setInterval(() => {
    const due = Math.floor(((Date.now() - begun) / 1000) * perSecond);
    // What a slow server cannot take is not saved up for it.
    for (let more = Math.min(due - sent, 50); more > 0 && pending.size < 200; more -= 1) {
      const sending = send().finally(() => pending.delete(sending));
      pending.add(sending);
    }
    sent = Math.max(sent, due);
  }, TICK_MS);

  const follow = async () => {
    const answer = await fetch(`${url}/api/v1/events`, { signal: stopped.signal });
    const decoder = new TextDecoder();
    let rest = '';
    for await (const bytes of answer.body ?? []) {
      const text = rest + decoder.decode(bytes, { stream: true });
      const lines = text.split('\n');
      rest = lines.pop() ?? '';
      events += lines.filter((line) => line === 'event: job').length;
    }
  };
  const following = follow().catch(() => undefined);

  return {
    accepted: () => accepted,
    refused: () => refused,
    eventsPerSecond: () => {
      const now = Date.now();
      const pace = ((events - counted.events) * 1000) / Math.max(1, now - counted.at);
      counted = { events, at: now };
      return pace;
    },
    stop: async () => {
      clearInterval(timer);
      await Promise.all(pending);
      stopped.abort();
      await following;
    },
  };
}
