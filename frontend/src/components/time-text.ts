/** Times and durations as people read them: the caller says what time it is, and the settings in which zone. */
import { timeZone } from './preferences';

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

/** Making one takes longer than using it a thousand times: one for each zone. */
interface Formats {
  readonly exact: Intl.DateTimeFormat;
  readonly clock: Intl.DateTimeFormat;
  readonly hour: Intl.DateTimeFormat;
  readonly day: Intl.DateTimeFormat;
  readonly dayAndHour: Intl.DateTimeFormat;
}

const formats = new Map<string, Formats>();

function formatsOf(zone: string | null): Formats {
  const known = formats.get(zone ?? '');
  if (known !== undefined) return known;
  const inZone = zone === null ? {} : { timeZone: zone };
  const made = {
    exact: new Intl.DateTimeFormat('en-GB', {
      day: 'numeric',
      month: 'long',
      year: 'numeric',
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
      ...inZone,
      // A zone that is not the reader's own has to be named.
      ...(zone === null ? {} : { timeZoneName: 'short' as const }),
    }),
    clock: new Intl.DateTimeFormat('en-GB', {
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
      fractionalSecondDigits: 3,
      ...inZone,
    }),
    hour: new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', ...inZone }),
    day: new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', ...inZone }),
    dayAndHour: new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'short', ...inZone }),
  };
  formats.set(zone ?? '', made);
  return made;
}

export function exactTime(iso: string): string {
  return formatted('exact', iso);
}

/** "18:20:01.123": where the order within a second matters. */
export function clockTime(iso: string): string {
  return formatted('clock', iso);
}

/** A text that is no time to the browser is shown as it is: one wrong time must not take the page down. */
function formatted(form: 'exact' | 'clock', iso: string): string {
  const time = new Date(iso);
  return Number.isNaN(time.getTime()) ? iso : formatsOf(timeZone())[form].format(time);
}

/** "22:30": for an axis of hours. */
export function hourText(at: Date): string {
  return formatsOf(timeZone()).hour.format(at);
}

/** "24 Nov": for an axis of days. */
export function dayText(at: Date): string {
  return formatsOf(timeZone()).day.format(at);
}

/** "24 Nov 2026, 22:30". */
export function dayAndHourText(at: Date): string {
  return formatsOf(timeZone()).dayAndHour.format(at);
}
