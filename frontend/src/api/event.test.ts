import { expect, test } from 'vitest';
import { patch } from '../testing/jobs';
import { parseJobPatch } from './event';

test('reads a patch', () => {
  expect(parseJobPatch(JSON.stringify(patch(1)))).toEqual(patch(1));
});

test.each(['', 'not json', 'null', '[]', '"text"', '{}', '{"id":1,"state":"running"}', '{"id":"a","state":"unheard-of"}'])(
  'leaves out %j',
  (text) => {
    expect(parseJobPatch(text)).toBeNull();
  },
);
