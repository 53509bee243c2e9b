import { describe, expect, test } from 'vitest';
import { parseSearchWith } from '@tanstack/react-router';
import { parseExactly } from './router';

describe('the parameters of an address', () => {
  const parse = parseSearchWith(parseExactly);

  test('a number that would lose digits is the text that it is', () => {
    expect(parse('?q=1970670598291982290')).toEqual({ q: '1970670598291982290' });
    expect(parse('?q=1.50')).toEqual({ q: '1.50' });
  });

  test('other values are read as before', () => {
    expect(parse('?q=90&range=%221h%22')).toEqual({ q: 90, range: '1h' });
  });
});
