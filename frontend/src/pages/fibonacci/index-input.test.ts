import { expect, test } from 'vitest';
import { wholeNumberField } from '../../api/input-schema';
import { parseIndex, rangeText } from './index-input';

const LIMITS = { minimum: 0, maximum: 10_000_000 };

test.each([
  ['0', 0],
  ['90', 90],
  [' 90 ', 90],
  ['007', 7],
  ['1,000,000', 1_000_000],
  ['1 000 000', 1_000_000],
  ['10000000', 10_000_000],
])('takes %j', (text, index) => {
  expect(parseIndex(text, LIMITS)).toEqual({ index, error: null });
});

test.each([
  ['', 'Type an index'],
  ['   ', 'Type an index'],
  ['-1', 'nothing before it'],
  ['1.5', 'without a fraction'],
  ['1,5', 'without a fraction'],
  ['.5', 'without a fraction'],
  ['abc', 'not a number'],
  ['1e3', 'not a number'],
  ['0x10', 'not a number'],
  ['NaN', 'not a number'],
  ['1,00,0', 'not a number'],
  ['1,000 000', 'not a number'],
  ['12"', 'not a number'],
  ['10000001', 'The largest index is 10,000,000'],
  ['99999999999999999999', 'The largest index is 10,000,000'],
])('refuses %j', (text, message) => {
  const { index, error } = parseIndex(text, LIMITS);
  expect(index).toBeNull();
  expect(error).toContain(message);
});

test('without an upper limit, a number that a double cannot hold is still refused', () => {
  expect(parseIndex('9007199254740993', { minimum: 0, maximum: null }).index).toBeNull();
});

test('the smallest index may be another one', () => {
  expect(parseIndex('4', { minimum: 5, maximum: 9 }).error).toContain('smallest index is 5');
});

test('limits come from the schema', () => {
  const schema = { properties: { index: { type: 'integer', minimum: 3, maximum: 1000 } } };
  expect(wholeNumberField(schema, 'index')).toEqual({ minimum: 3, maximum: 1000 });
  expect(wholeNumberField(schema, 'other')).toEqual({ minimum: 0, maximum: null });
  expect(wholeNumberField(undefined, 'index')).toEqual({ minimum: 0, maximum: null });
});

test('the help text names them', () => {
  expect(rangeText(LIMITS)).toBe('A whole number from 0 to 10,000,000');
  expect(rangeText({ minimum: 0, maximum: null })).toBe('A whole number from 0');
});
