/** How this browser shows things: in which time zone, and how close together. Kept in the browser, for this browser alone. */
const ZONE = 'spiral-time-zone';
const DENSITY = 'spiral-density';

export type Density = 'comfortable' | 'compact';

/** The chosen zone; null for the browser's own. One that this browser does not know counts as none. */
export function timeZone(): string | null {
  const zone = read(ZONE);
  return zone !== null && isTimeZone(zone) ? zone : null;
}

export function setTimeZone(zone: string | null): void {
  write(ZONE, zone);
}

export function isTimeZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat('en-GB', { timeZone: zone });
    return true;
  } catch {
    return false;
  }
}

export function density(): Density {
  return read(DENSITY) === 'compact' ? 'compact' : 'comfortable';
}

export function setDensity(next: Density): void {
  write(DENSITY, next === 'compact' ? next : null);
  applyDensity();
}

/** The styles go by it: `--row-height` in styles/tokens.css. */
export function applyDensity(): void {
  document.documentElement.dataset.density = density();
}

/** In pixels, for tables that show a part of their rows. As `--row-height`. */
export function rowPixels(): number {
  return density() === 'compact' ? 36 : 48;
}

function read(name: string): string | null {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

function write(name: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(name);
    else localStorage.setItem(name, value);
  } catch {
    // Storage is blocked: it stays as it was.
  }
}
