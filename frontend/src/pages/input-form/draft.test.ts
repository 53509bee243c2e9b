import { expect, test } from 'vitest';
import { ExactNumber } from '../../exact-json';
import { draftOf, emptyDraft, readDraft, switchMode, type Draft } from './draft';
import { fieldsOf } from './fields';

const SCHEMA = {
  type: 'object',
  properties: {
    body: { default: null, description: 'Any JSON.' },
    method: { type: 'string', enum: ['GET', 'POST'], default: 'GET' },
    follow: { type: 'boolean', default: true },
    redirects: { type: 'integer', minimum: 0, maximum: 10, default: 5 },
    timeout: { type: ['number', 'null'], minimum: 0.1 },
    since: { type: 'string', format: 'date-time' },
    url: { type: 'string', description: 'Where\nto.', maxLength: 20 },
  },
  required: ['url'],
};
const fields = fieldsOf(SCHEMA);

function typed(texts: Record<string, string>): Draft {
  return { ...emptyDraft(fields), texts };
}

test('each kind of schema has its kind of field, the required ones first', () => {
  expect(fields?.map(({ name, kind, required }) => [name, kind, required])).toEqual([
    ['url', 'text', true],
    ['body', 'json', false],
    ['method', 'choice', false],
    ['follow', 'flag', false],
    ['redirects', 'integer', false],
    ['timeout', 'number', false],
    ['since', 'time', false],
  ]);
  expect(fields?.[0]?.description).toBe('Where to.');
});

test.each([[{}], [true], [null], [{ type: 'array' }], [{ type: 'object' }], [{ type: 'object', properties: {} }]])(
  '%j has no fields: its input is typed as JSON',
  (schema) => {
    expect(fieldsOf(schema)).toBeNull();
    expect(emptyDraft(fieldsOf(schema)).mode).toBe('json');
  },
);

test('what is typed becomes the input; what is empty is left out', () => {
  const draft = typed({ url: 'https://a', redirects: '3', timeout: '0.5', follow: 'false', body: '[1]', method: '' });
  expect(readDraft(fields, draft)).toEqual({
    ok: true,
    input: { url: 'https://a', redirects: 3, timeout: 0.5, follow: false, body: [1] },
  });
});

test.each([
  [{}, '/url', 'Required'],
  [{ url: 'x'.repeat(21) }, '/url', 'At most 20 characters.'],
  [{ url: 'a', redirects: '1.5' }, '/redirects', 'This must be a whole number.'],
  [{ url: 'a', redirects: '11' }, '/redirects', 'At most 10.'],
  [{ url: 'a', redirects: '-1' }, '/redirects', 'At least 0.'],
  [{ url: 'a', timeout: 'soon' }, '/timeout', 'This must be a number.'],
])('%j is told at its field', (texts, pointer, error) => {
  expect(readDraft(fields, typed(texts))).toEqual({ ok: false, errors: { [pointer]: error } });
});

test('JSON that is none says so', () => {
  const read = readDraft(fields, { mode: 'json', texts: {}, json: '{"url":' });
  expect(read).toMatchObject({ ok: false, errors: { '': expect.stringContaining('This is not JSON') as string } });
});

test('thousands may be grouped, as people copy them', () => {
  const index = fieldsOf({ type: 'object', properties: { index: { type: 'integer' } } });
  const draft: Draft = { mode: 'fields', json: '', texts: { index: '1,000,000' } };
  expect(readDraft(index, draft)).toEqual({ ok: true, input: { index: 1_000_000 } });
});

test('a number keeps every digit that was typed, in its field and as JSON', () => {
  const both = fieldsOf({ type: 'object', properties: { id: { type: 'integer' }, price: { type: 'number' } } });
  const draft: Draft = { mode: 'fields', json: '', texts: { id: '1970670598291982290', price: '1.50' } };
  const input = { id: new ExactNumber('1970670598291982290'), price: new ExactNumber('1.50') };
  expect(readDraft(both, draft)).toEqual({ ok: true, input });
  const json = switchMode(both, draft);
  expect(json.json).toBe('{\n  "id": 1970670598291982290,\n  "price": 1.50\n}');
  expect(readDraft(both, json)).toEqual({ ok: true, input });
  expect(switchMode(both, json).texts).toEqual(draft.texts);
  // As people type, and JSON does not.
  expect(readDraft(both, { ...draft, texts: { price: '+.5' } })).toEqual({ ok: true, input: { price: 0.5 } });
});

test.each([
  [{ url: 'https://a', redirects: 0, follow: false, body: { a: 1 }, timeout: 2.5 }, 'fields'],
  [{ url: 'https://a', since: '2026-01-02T03:04:00.000Z' }, 'fields'],
  [{ url: 'https://a', since: '2026-01-02T03:04:05.678Z' }, 'json'],
  [{ url: 'https://a', other: 1 }, 'json'],
  [{ url: 7 }, 'json'],
  [{ url: 'https://a', timeout: null }, 'json'],
  ['text', 'json'],
] as const)('the draft of %j reads as it again', (input, mode) => {
  const draft = draftOf(fields, input);
  expect(draft.mode).toBe(mode);
  expect(readDraft(fields, draft)).toEqual({ ok: true, input });
});

test('going from fields to JSON and back keeps what was typed', () => {
  const draft = typed({ url: 'https://a', redirects: '3' });
  const json = switchMode(fields, draft);
  expect(JSON.parse(json.json)).toEqual({ url: 'https://a', redirects: 3 });
  expect(switchMode(fields, json).texts).toEqual({ url: 'https://a', redirects: '3' });
});

test('a field that is not valid does not cost the others when the JSON is shown', () => {
  expect(JSON.parse(switchMode(fields, typed({ url: 'https://a', redirects: 'x' })).json)).toEqual({ url: 'https://a' });
});

test('JSON that cannot be read stays JSON', () => {
  const draft: Draft = { mode: 'json', texts: {}, json: '{' };
  expect(switchMode(fields, draft)).toBe(draft);
});
