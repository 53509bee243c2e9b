import { expect, test } from 'vitest';
import { setTimeZone } from './preferences';
import { exactTime, dayAndHourText, dayText, hourText } from './time-text';
import { momentOf, wallTime } from './wall-time';

test.each([
  ['UTC', '2026-01-02T03:04:00.000Z', '2026-01-02T03:04'],
  ['Asia/Kathmandu', '2026-01-02T03:04:00.000Z', '2026-01-02T08:49'],
  ['America/New_York', '2026-07-02T03:04:00.000Z', '2026-07-01T23:04'],
  // Just before and just after the clocks go forward.
  ['Europe/Berlin', '2026-03-29T00:59:00.000Z', '2026-03-29T01:59'],
  ['Europe/Berlin', '2026-03-29T01:00:00.000Z', '2026-03-29T03:00'],
])('in %s %s is %s, and back', (zone, iso, shown) => {
  setTimeZone(zone);
  expect(wallTime(iso)).toBe(shown);
  expect(momentOf(shown)).toBe(iso);
});

test('without a chosen zone it is the one of the browser', () => {
  const shown = wallTime('2026-01-02T03:04:00.000Z') ?? '';
  expect(new Date(shown).toISOString()).toBe('2026-01-02T03:04:00.000Z');
  expect(momentOf(shown)).toBe('2026-01-02T03:04:00.000Z');
});

test('what a field cannot hold, and what is no time', () => {
  expect(wallTime('2026-01-02T03:04:05.678Z')).toBeNull();
  expect(wallTime('soon')).toBeNull();
  expect(momentOf('soon')).toBeNull();
});

test('every text of a time is in the chosen zone', () => {
  setTimeZone('Asia/Kathmandu');
  const at = new Date('2026-01-02T20:04:00.000Z');
  expect(hourText(at)).toBe('01:49');
  expect(dayText(at)).toBe('3 Jan');
  expect(dayAndHourText(at)).toBe('3 Jan 2026, 01:49');
  expect(exactTime(at.toISOString())).toContain('3 January 2026');
});
