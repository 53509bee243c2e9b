/** Tells that the API wanted to know who one is (401): a session may be over. It knows nothing of what is done about it. */
const listeners = new Set<() => void>();

export function onRefusal(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function tellRefusal(): void {
  for (const listener of listeners) listener();
}
