import { expect, test } from 'vitest';
import { filterOf, hasTerm, parseJobSearch as parse, termOf, withTerm } from './job-search';

/** What an address carries may be anything. */
function parseJobSearch(search: Record<string, unknown>) {
  return parse(search as unknown as Parameters<typeof parse>[0]);
}
const ID = '01JD3Y8M5Q2W7E9R4T6Y1P0A2S';

test('a term is changed where it stands, taken out, or put first', () => {
  expect(withTerm('state:dead "timed out"', 'state', 'completed')).toBe('state:completed "timed out"');
  expect(withTerm('index>3 state:dead,retrying x', 'state', 'queued')).toBe('index>3 state:queued x');
  expect(withTerm('"timed out" state:dead', 'state', null)).toBe('"timed out"');
  expect(withTerm('state:dead', 'state', null)).toBe('');
  expect(withTerm('"state:dead"', 'state', 'queued')).toBe('state:queued "state:dead"');
  expect(withTerm('input.state:open', 'state', 'queued')).toBe('state:queued input.state:open');
  expect(withTerm('function:a function:b', 'function', 'my function')).toBe('function:"my function"');
  // What cannot be read is kept: the API says what is wrong with it.
  expect(withTerm('"timed out', 'state', 'dead')).toBe('state:dead "timed out');
});

test('the value of a term, when there is one', () => {
  expect(termOf('x state:dead', 'state')).toBe('dead');
  expect(termOf('function:"my \\"function\\""', 'function')).toBe('my "function"');
  expect(termOf('state:dead state:queued', 'state')).toBeNull();
  expect(hasTerm('state:dead state:queued', 'state')).toBe(true);
  expect(hasTerm('"state:dead" input.state:x', 'state')).toBe(false);
});

test('parameters of a link become terms, unless the text has them', () => {
  expect(parseJobSearch({ state: 'dead', function: 'echo', batch: ID, q: 'index>3' })).toEqual({
    q: `state:dead function:echo batch:${ID} index>3`,
  });
  expect(parseJobSearch({ state: 'completed', q: 'state:dead' })).toEqual({ q: 'state:dead' });
  expect(parseJobSearch({ state: 'pending' })).toEqual({});
  expect(parseJobSearch({ q: 90 })).toEqual({ q: '90' });
});

test('what can be told from a job is a filter of its own, and the rest goes to the API whole', () => {
  expect(filterOf({ q: `queue:mail state:dead batch:${ID}` })).toEqual({ queue: 'mail', state: 'dead', batch: ID });
  expect(filterOf({ q: 'state:dead timed' })).toEqual({ state: 'dead', q: 'state:dead timed' });
  expect(filterOf({ q: 'state:deaf' })).toEqual({ q: 'state:deaf' });
  expect(filterOf({ q: 'state:dead,queued' })).toEqual({ q: 'state:dead,queued' });
  expect(filterOf({ q: 'state:dead state:dead' })).toEqual({ q: 'state:dead state:dead' });
  expect(filterOf({})).toEqual({});
});
