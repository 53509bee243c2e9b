/** Whether single letters do something. Who speaks to the computer instead of typing turns them off. */
const STORE = 'spiral-keys';

export function areKeysOn(): boolean {
  try {
    return localStorage.getItem(STORE) !== 'off';
  } catch {
    return true;
  }
}

export function setKeysOn(on: boolean): void {
  try {
    if (on) localStorage.removeItem(STORE);
    else localStorage.setItem(STORE, 'off');
  } catch {
    // Storage is blocked: they stay on.
  }
}
