import { MantineProvider } from '@mantine/core';
import { render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { expect, test } from 'vitest';
import { More } from './more';

function list(hasNextPage: boolean) {
  const pages = { hasNextPage, isFetchingNextPage: false, fetchNextPage: () => Promise.resolve() };
  return (
    <MantineProvider>
      <More pages={pages}>Show older jobs</More>
    </MantineProvider>
  );
}

test('the focus stays where the button was when the last part has come', async () => {
  const { rerender } = render(list(true));
  screen.getByRole('button', { name: 'Show older jobs' }).focus();
  await userEvent.setup().keyboard('{Enter}');
  rerender(list(false));
  expect(screen.getByText('End of list.')).toHaveFocus();
});

test('a list that was whole from the beginning says nothing', () => {
  render(list(false));
  expect(screen.queryByText('End of list.')).toBeNull();
});
