import { screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { expect, test } from 'vitest';
import { open } from '../testing/render';
import { startSpiral } from '../testing/spiral';

test('colours, time zone and density are chosen, and kept in this browser', async () => {
  startSpiral();
  const { unmount } = open('/settings');
  const user = userEvent.setup();
  await user.click(await screen.findByRole('radio', { name: 'Dark' }));
  await user.selectOptions(screen.getByLabelText('Time zone of times'), 'Asia/Tokyo');
  await user.click(screen.getByRole('radio', { name: 'Compact' }));
  expect(screen.getByText(/GMT\+9\.$/u)).toBeVisible();
  expect(document.documentElement).toHaveAttribute('data-mantine-color-scheme', 'dark');
  expect(document.documentElement).toHaveAttribute('data-density', 'compact');
  unmount();
  open('/settings');
  expect(await screen.findByRole('radio', { name: 'Dark' })).toBeChecked();
  expect(screen.getByRole('radio', { name: 'Compact' })).toBeChecked();
  expect(screen.getByLabelText('Time zone of times')).toHaveValue('Asia/Tokyo');
});
