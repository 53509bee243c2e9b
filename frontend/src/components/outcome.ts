/**
 * What became of the last thing that somebody did: one sentence, said where it stays when the button goes.
 * Pages write it; the shell shows it and has it read aloud.
 */
export interface Outcome {
  readonly text: string;
  /** Grows, so that the same sentence twice is said twice. */
  readonly number: number;
}

/** Long enough to be read, and to be found by whoever was looking elsewhere. */
const SHOWN_MS = 10_000;

let outcome: Outcome = { text: '', number: 0 };
let timer: ReturnType<typeof setTimeout> | undefined;
const listeners = new Set<() => void>();

function change(text: string): void {
  outcome = { text, number: outcome.number + 1 };
  for (const listener of listeners) listener();
}

export function tellOutcome(text: string): void {
  clearTimeout(timer);
  change(text);
  timer = setTimeout(hideOutcome, SHOWN_MS);
}

export function hideOutcome(): void {
  clearTimeout(timer);
  change('');
}

export function subscribeOutcome(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function currentOutcome(): Outcome {
  return outcome;
}
