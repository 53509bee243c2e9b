/** Times as a field for a date and a time holds them: "2026-01-02T03:04", in the zone that the settings say. */
import { timeZone } from './preferences';

const MINUTE = 60_000;

/** Null when the field would lose something: it has no seconds. */
export function wallTime(iso: string): string | null {
  const time = Date.parse(iso);
  if (Number.isNaN(time) || time % MINUTE !== 0) return null;
  return new Date(time + offsetAt(time)).toISOString().slice(0, 16);
}

/** The moment at which clocks of the zone show this; null when it is no date and time. */
export function momentOf(text: string): string | null {
  const shown = Date.parse(/[Zz]|[+-]\d\d:\d\d$/u.test(text) ? text : `${text}Z`);
  if (Number.isNaN(shown)) return null;
  // The offset belongs to the moment that is looked for: near a change of the clocks the first guess is on the other side.
  const guess = shown - offsetAt(shown);
  return new Date(shown - offsetAt(guess)).toISOString();
}

/** How far the clocks of the zone are ahead of UTC, in milliseconds. */
function offsetAt(time: number): number {
  const zone = timeZone();
  if (zone === null) return -new Date(time).getTimezoneOffset() * MINUTE;
  const parts = new Map(clockOf(zone).formatToParts(new Date(time)).map(({ type, value }) => [type, Number(value)]));
  const part = (type: Intl.DateTimeFormatPartTypes) => parts.get(type) ?? 0;
  const shown = Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute'), part('second'));
  return shown - Math.floor(time / 1000) * 1000;
}

const clocks = new Map<string, Intl.DateTimeFormat>();

function clockOf(zone: string): Intl.DateTimeFormat {
  const known = clocks.get(zone);
  if (known !== undefined) return known;
  const made = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  clocks.set(zone, made);
  return made;
}
