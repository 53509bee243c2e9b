/**
 * The access token: kept for this tab only, asked for when the API answers 401.
 * Calls that were refused wait here until somebody has typed a token.
 */
const KEY = 'spiral-token';

let waiting: ((token: string) => void)[] = [];
let state: TokenState = { asking: false, refused: false };
const listeners = new Set<() => void>();

export interface TokenState {
  /** A call waits for a token. */
  readonly asking: boolean;
  /** The token that was tried is not the right one. */
  readonly refused: boolean;
}

function change(next: TokenState) {
  state = next;
  for (const listener of listeners) listener();
}

export function subscribeToken(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function tokenState(): TokenState {
  return state;
}

export function currentToken(): string | null {
  return sessionStorage.getItem(KEY);
}

/** Resolves with a token other than the one that was refused. */
export function askForToken(refused: string | null): Promise<string> {
  const current = currentToken();
  if (current !== null && current !== refused) return Promise.resolve(current);
  if (current !== null) sessionStorage.removeItem(KEY);
  return new Promise((resolve) => {
    waiting.push(resolve);
    if (!state.asking) change({ asking: true, refused: refused !== null });
  });
}

export function provideToken(token: string): void {
  sessionStorage.setItem(KEY, token);
  const resolved = waiting;
  waiting = [];
  change({ asking: false, refused: false });
  for (const resolve of resolved) resolve(token);
}
