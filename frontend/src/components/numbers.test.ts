import { expect, test } from 'vitest';
import { fibonacciDigits, formatDigits, formatNumber, smallFibonacci } from './numbers';

test('digits of a Fibonacci number, against the numbers themselves', () => {
  let [a, b] = [0n, 1n];
  for (let index = 0; index < 3000; index += 1) {
    expect([index, fibonacciDigits(index)]).toEqual([index, String(a).length]);
    [a, b] = [b, a + b];
  }
});

test.each([
  [100_000, 20_899],
  [1_000_000, 208_988],
  [10_000_000, 2_089_877],
])('F(%i) has %i digits', (index, digits) => {
  expect(fibonacciDigits(index)).toBe(digits);
});

test('the largest side that a double holds exactly', () => {
  expect(smallFibonacci(78)).toBe(8944394323791464);
});

test('numbers as people read them', () => {
  expect(formatNumber(2_089_877)).toBe('2,089,877');
  expect(formatDigits(1)).toBe('1 digit');
  expect(formatDigits(20_899)).toBe('20,899 digits');
});
