import { afterEach, expect, test } from 'vitest';
import { applyDensity, density, rowPixels, setDensity, setTimeZone, timeZone } from './preferences';
import { clockTime, exactTime } from './time-text';

afterEach(() => {
  localStorage.clear();
  applyDensity();
});

test('times are told in the chosen zone, and say which', () => {
  setTimeZone('Asia/Tokyo');
  expect(exactTime('2026-01-02T23:04:05Z')).toBe('3 January 2026 at 08:04:05 GMT+9');
  expect(clockTime('2026-01-02T23:04:05.678Z')).toBe('08:04:05.678');
  setTimeZone('UTC');
  expect(exactTime('2026-01-02T23:04:05Z')).toBe('2 January 2026 at 23:04:05 UTC');
});

test('a zone that the browser does not know is none', () => {
  localStorage.setItem('spiral-time-zone', 'Mars/Olympus');
  expect(timeZone()).toBeNull();
  expect(exactTime('2026-01-02T03:04:05Z')).not.toBe('');
});

test('rows are as close together as chosen', () => {
  expect([density(), rowPixels()]).toEqual(['comfortable', 48]);
  setDensity('compact');
  expect([density(), rowPixels()]).toEqual(['compact', 36]);
  expect(document.documentElement.dataset.density).toBe('compact');
});
