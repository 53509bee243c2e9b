/** How long ago something was, or for how long it has gone on, by one clock for the whole page. The exact time shows on hover. */
import { useSyncExternalStore } from 'react';
import { ageText, exactTime, runningText } from './time-text';

let now = Date.now();
let timer: ReturnType<typeof setInterval> | undefined;
const listeners = new Set<() => void>();

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  timer ??= setInterval(() => {
    now = Date.now();
    for (const notify of listeners) notify();
  }, 1000);
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

/** A server whose clock is a little ahead of this one must not make things happen "in 3 s" that have happened. */
function clock(at: string, ahead: boolean): number {
  if (timer === undefined) now = Date.now();
  return ahead ? now : Math.max(now, Date.parse(at));
}

/** The text, not the clock, is what is watched: a row renders again only when its words change. */
export function Age({ at, ahead = false }: { readonly at: string; readonly ahead?: boolean }) {
  const text = useSyncExternalStore(subscribe, () => ageText(at, clock(at, ahead)));
  return (
    <time dateTime={at} title={exactTime(at)}>
      {text}
    </time>
  );
}

export function Elapsed({ since }: { readonly since: string }) {
  return <>{useSyncExternalStore(subscribe, () => runningText(since, clock(since, false)))}</>;
}
