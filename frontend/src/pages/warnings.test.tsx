import { screen } from '@testing-library/react';
import { expect, test } from 'vitest';
import { open } from '../testing/render';
import { startSpiral } from '../testing/spiral';

test('what will cost jobs one day is told below the header', async () => {
  const spiral = startSpiral();
  spiral.warnings = ['Redis at cache:6379 will evict keys when its memory is full'];
  open('/queues');
  expect(await screen.findByRole('region', { name: 'Warnings' })).toHaveTextContent('cache:6379 will evict keys');
});

test('the overview, which tells it among the rest, does not say it twice', async () => {
  const spiral = startSpiral();
  spiral.warnings = ['Redis at cache:6379 will evict keys when its memory is full'];
  open('/overview');
  expect(await screen.findByRole('heading', { level: 1, name: 'Overview' })).toBeVisible();
  await screen.findByText('Live');
  expect(screen.queryByRole('region', { name: 'Warnings' })).toBeNull();
});

test('where nothing is wrong there is nothing to read', async () => {
  startSpiral();
  open('/queues');
  await screen.findByRole('listitem', { name: 'Queue default' });
  expect(screen.queryByRole('region', { name: 'Warnings' })).toBeNull();
});
