import { expect, test } from 'vitest';
import { shortenMiddle } from './shorten';

test('a text that fits stays whole', () => {
  expect(shortenMiddle('12345', 2)).toEqual({ text: '12345', shortened: false });
});

test('a longer one keeps both ends', () => {
  expect(shortenMiddle('123456', 2)).toEqual({ text: '12…56', shortened: true });
});

test('a preview from the server is cut at its own gap', () => {
  expect(shortenMiddle('11112222…33334444', 3)).toEqual({ text: '111…444', shortened: true });
  expect(shortenMiddle('12…89', 10)).toEqual({ text: '12…89', shortened: true });
});

test('never shows a digit from beyond the gap', () => {
  expect(shortenMiddle('1234567890…9', 4).text).toBe('1234…9');
  expect(shortenMiddle('1…1234567890', 4).text).toBe('1…7890');
});
