/**
 * Whether what the stream tells waits, because somebody is choosing among what they see: rows must not move under
 * their hands. The changes are counted, and made when the last hold is released.
 */
export interface Hold {
  readonly held: boolean;
  /** Changes that wait. */
  readonly changes: number;
}

let holds = 0;
let state: Hold = { held: false, changes: 0 };
const listeners = new Set<() => void>();
const later = new Set<() => void>();

function change(next: Hold): void {
  state = next;
  for (const listener of listeners) listener();
}

/** The function it returns releases. */
export function holdLive(): () => void {
  holds += 1;
  if (holds === 1) change({ held: true, changes: 0 });
  let released = false;
  return () => {
    if (released) return;
    released = true;
    holds -= 1;
    if (holds > 0) return;
    change({ held: false, changes: 0 });
    const runs = [...later];
    later.clear();
    for (const run of runs) run();
  };
}

/** At once, or when the last hold is released; what is asked for again meanwhile runs once. */
export function whenReleased(run: () => void): void {
  if (state.held) later.add(run);
  else run();
}

export function noteHeld(changes: number): void {
  if (state.held && changes > 0) change({ held: true, changes: state.changes + changes });
}

export function subscribeHold(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function holdState(): Hold {
  return state;
}
