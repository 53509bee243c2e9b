import { expect, test } from 'vitest';
import { exactNumber, ExactNumber, parseAnswer, parseExact, stringifyExact } from './exact-json';

const EXACT =
  '{"id":1970670598291982290,"n":[1.50,1e2,-0,12345678901234567890123,0.1234567890123456789012345,1E400],"text":"1.50 \\" 1e2 \\\\","plain":[90,1.5,-3,0,1e+21]}';

test('what is read and written again is the same to the last digit', () => {
  expect(stringifyExact(parseExact(EXACT))).toBe(EXACT);
  expect(stringifyExact(parseExact('1970670598291982290'))).toBe('1970670598291982290');
  expect(stringifyExact(parseExact('[1.50]'), 2)).toBe('[\n  1.50\n]');
});

test('a number that a browser holds is a number', () => {
  const { plain, id } = parseExact(EXACT) as { plain: unknown[]; id: unknown };
  expect(plain).toEqual([90, 1.5, -3, 0, 1e21]);
  expect(id).toEqual(new ExactNumber('1970670598291982290'));
});

test('numbers in texts and names stay texts', () => {
  const text = '{"1.50":"a 1.50, [2.50]","\\"":"\\\\","x":"\\\\\\" 1.50"}';
  expect(parseExact(text)).toEqual(JSON.parse(text));
});

test('what is no JSON is told as the browser tells it', () => {
  for (const text of ['', '{', '[1.50', '01.50', '[1.50,]', '+1', '"1.50', '1.5e', '{"a":1.50 "b"}', '--1.50']) {
    expect(() => parseExact(text), text).toThrow(SyntaxError);
  }
});

test('an answer is exact in inputs and outputs alone', () => {
  const answer = parseAnswer('{"jobs":[{"progress":1.0,"input":{"x":1.50,"output":[2.0]},"output":1e2}],"timeout_seconds":600.0}');
  expect(answer).toEqual({
    jobs: [{ progress: 1, input: { x: new ExactNumber('1.50'), output: [new ExactNumber('2.0')] }, output: new ExactNumber('1e2') }],
    timeout_seconds: 600,
  });
});

test('only what JSON has is a number', () => {
  expect(exactNumber('90')).toBe(90);
  expect(exactNumber('1.50')).toEqual(new ExactNumber('1.50'));
  for (const text of ['', '+1', '.5', '1.', '0x10', '01', 'Infinity', '1 2']) expect(exactNumber(text), text).toBeNull();
});
