import { expect, test } from 'vitest';
import { boundaryAfter, boundaryBefore } from './graphemes';
import { shortenMiddle } from './shorten';

const FAMILY = '👨‍👩‍👧‍👦';
const ACCENT = 'e\u0301';

test('plain text is cut anywhere', () => {
  expect(boundaryBefore('abcdef', 3)).toBe(3);
  expect(boundaryAfter('äöüéèà', 3)).toBe(3);
  expect(boundaryBefore('abc', 0)).toBe(0);
  expect(boundaryAfter('abc', 9)).toBe(3);
});

test.each([
  ['one code point of two halves', '😀'],
  ['a family of emoji', FAMILY],
  ['a letter and its accent', ACCENT],
  ['a flag', '🇩🇪'],
  ['a syllable of Devanagari', 'नि'],
  ['a key', '1️⃣'],
])('%s is not cut', (_, character) => {
  const text = `ab${character.repeat(3)}cd`;
  const whole = new Set([0, 1, 2, ...[1, 2, 3].map((count) => 2 + count * character.length)]);
  for (let at = 0; at <= 2 + 3 * character.length; at += 1) {
    const before = boundaryBefore(text, at);
    const after = boundaryAfter(text, at);
    expect([before, whole.has(before), before <= at]).toEqual([before, true, true]);
    expect([after, whole.has(after), after >= at]).toEqual([after, true, true]);
  }
});

test('a text that is shortened has whole characters at both ends', () => {
  expect(shortenMiddle('1😀😀😀😀😀2', 4).text).toBe('1😀…😀2');
  expect(shortenMiddle(FAMILY.repeat(9), 12).text).toBe(`${FAMILY}…${FAMILY}`);
  expect(shortenMiddle(ACCENT.repeat(50), 3).text).toBe(`${ACCENT}…${ACCENT}`);
});

test('a character without an end is cut all the same', () => {
  const { text } = shortenMiddle(`a${'\u0301'.repeat(5000)}`, 10);
  expect(text.length).toBeLessThanOrEqual(21);
});
