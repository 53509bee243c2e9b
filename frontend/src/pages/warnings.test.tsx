import { screen } from '@testing-library/react';
import { expect, test } from 'vitest';
import { open } from '../testing/render';
import { startSpiral } from '../testing/spiral';

test('what will cost jobs one day is told on every page', async () => {
  const spiral = startSpiral();
  spiral.warnings = ['Redis at cache:6379 will evict keys when its memory is full'];
  open('/queues');
  expect(await screen.findByRole('region', { name: 'Warnings' })).toHaveTextContent('cache:6379 will evict keys');
});

test('where nothing is wrong there is nothing to read', async () => {
  startSpiral();
  open('/queues');
  await screen.findByRole('listitem', { name: 'Queue default' });
  expect(screen.queryByRole('region', { name: 'Warnings' })).toBeNull();
});
