/** Times and durations as people read them. Pure: the caller says what time it is. */

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** "now", "12 s ago", "3 min ago", "in 5 s". */
export function ageText(iso: string, now: number): string {
  const distance = now - Date.parse(iso);
  const size = Math.abs(distance);
  if (size < 2 * SECOND) return 'now';
  const amount =
    size < MINUTE
      ? `${Math.floor(size / SECOND)} s`
      : size < HOUR
        ? `${Math.floor(size / MINUTE)} min`
        : size < DAY
          ? `${Math.floor(size / HOUR)} h`
          : `${Math.floor(size / DAY)} d`;
  return distance > 0 ? `${amount} ago` : `in ${amount}`;
}

/** "3 ms", "1.24 s", "2 min 5 s". */
export function durationText(fromIso: string, toIso: string): string {
  return spanText(Date.parse(toIso) - Date.parse(fromIso));
}

/** A span that goes on, in whole seconds: parts of one would only flicker. */
export function runningText(fromIso: string, now: number): string {
  return spanText(Math.max(1, Math.floor((now - Date.parse(fromIso)) / SECOND)) * SECOND, 0);
}

function spanText(distance: number, digits?: number): string {
  const ms = Math.max(0, distance);
  if (ms < 1) return '< 1 ms';
  if (ms < SECOND) return `${Math.round(ms)} ms`;
  if (ms < 10 * SECOND) return `${(ms / SECOND).toFixed(digits ?? 2)} s`;
  if (ms < MINUTE) return `${(ms / SECOND).toFixed(digits ?? 1)} s`;
  const seconds = Math.floor(ms / SECOND);
  if (ms < HOUR) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

const exact = new Intl.DateTimeFormat('en-GB', { dateStyle: 'long', timeStyle: 'medium' });

export function exactTime(iso: string): string {
  return exact.format(new Date(iso));
}

const clock = new Intl.DateTimeFormat('en-GB', {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  fractionalSecondDigits: 3,
});

/** "18:20:01.123": where the order within a second matters. */
export function clockTime(iso: string): string {
  return clock.format(new Date(iso));
}
