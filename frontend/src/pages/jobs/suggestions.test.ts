import { expect, test } from 'vitest';
import { misreadOf, suggest, tagAt } from './suggestions';

const KNOWN = { functions: ['fibonacci', 'my function'], queues: ['default', 'mail'], tags: ['customer:17', 'nightly'] };

function texts(text: string, caret = text.length): string[] {
  return suggest(text, caret, KNOWN).list.map((each) => each.text);
}

test('names of the grammar, by what was typed of them', () => {
  expect(texts('sta')).toEqual(['state:']);
  expect(texts('state:dead f')).toEqual(['function:', 'failure:', 'finished>', 'finished<']);
  expect(texts('nonsense')).toEqual([]);
});

test('values that are known, the last of several for states', () => {
  expect(texts('function:')).toEqual(['fibonacci ', '"my function" ']);
  expect(texts('queue:m')).toEqual(['mail ']);
  expect(texts('state:dead,re')).toEqual(['retrying ']);
  expect(suggest('state:dead,re', 13, KNOWN)).toMatchObject({ from: 11, to: 13 });
  expect(texts('tag:cust')).toEqual(['customer:17 ']);
  expect(texts('tag:customer:1')).toEqual(['customer:17 ']);
  expect(texts('batch:')).toEqual([]);
});

test('in the middle of a text it is the term at the caret that counts', () => {
  expect(suggest('queue:ma state:dead', 8, KNOWN)).toMatchObject({ from: 6, to: 8, list: [{ text: 'mail ' }] });
});

test('what is typed of a tag is told, so that it can be asked for', () => {
  expect(tagAt('tag:', 4)).toBe('');
  expect(tagAt('state:dead tag:customer:1', 25)).toBe('customer:1');
  expect(tagAt('tag:customer state', 18)).toBeNull();
  expect(tagAt('input.tag:x', 11)).toBeNull();
  expect(tagAt('"tag:x', 6)).toBeNull();
});

test('within quotes nothing is suggested', () => {
  expect(texts('"timed sta')).toEqual([]);
  expect(texts('"timed out" sta')).toEqual(['state:']);
});

test('the place of what is wrong is read from the message', () => {
  expect(misreadOf('character 7: there is no state "x"')).toEqual({ at: 7, message: 'there is no state "x"' });
  expect(misreadOf('is said in q as well')).toBeNull();
});
