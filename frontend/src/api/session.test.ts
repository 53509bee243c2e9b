import { expect, test } from 'vitest';
import { ADMIN, EVERYBODY, NOBODY, VIEWER, VISITOR } from '../testing/sessions';
import { mayCall, mayFollow, mayOpen } from './session';

test('each role calls what it may', () => {
  expect([EVERYBODY, ADMIN, VIEWER, NOBODY, VISITOR].map((session) => mayCall(session, 'fibonacci'))).toEqual([
    true,
    true,
    false,
    false,
    true,
  ]);
  expect(mayCall(VISITOR, 'echo')).toBe(false);
  expect(mayCall({ ...VISITOR, read_only: true }, 'fibonacci')).toBe(false);
});

test('a visitor opens what belongs to the public functions, and the way in', () => {
  const opened = ['/', '/jobs/01', '/functions', '/functions/fibonacci', '/login', '/settings'];
  const closed = ['/jobs', '/functions/echo', '/queues', '/audit', '/schedules/new', '/batches/01'];
  expect(opened.filter((path) => !mayOpen(VISITOR, path))).toEqual([]);
  expect(closed.filter((path) => mayOpen(VISITOR, path))).toEqual([]);
  expect(closed.concat(opened).filter((path) => mayOpen(NOBODY, path))).toEqual(['/login', '/settings']);
  expect(closed.filter((path) => !mayOpen(VIEWER, path))).toEqual([]);
});

test('only who may see something follows it', () => {
  expect([undefined, NOBODY, VISITOR, VIEWER].map(mayFollow)).toEqual([false, false, true, true]);
});
