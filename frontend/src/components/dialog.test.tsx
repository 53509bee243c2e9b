import { fireEvent, render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { expect, test, vi } from 'vitest';
import { Dialog } from './dialog';

test('Escape asks to close, each time, and the dialog is there until it is taken away', async () => {
  const onClose = vi.fn();
  render(
    <Dialog title="A question" onClose={onClose}>
      <button type="button">Yes</button>
    </Dialog>,
  );
  screen.getByRole('button', { name: 'Yes' }).focus();
  const user = userEvent.setup();
  await user.keyboard('{Escape}{Escape}');
  expect(onClose).toHaveBeenCalledTimes(2);
  expect(screen.getByRole('dialog', { name: 'A question' })).toHaveProperty('open', true);
});

test('a browser that hides it without asking shows it again', () => {
  const onClose = vi.fn();
  render(
    <Dialog title="A question" onClose={onClose}>
      Well?
    </Dialog>,
  );
  const dialog = screen.getByRole<HTMLDialogElement>('dialog', { name: 'A question' });
  dialog.open = false;
  fireEvent(dialog, new Event('close'));
  expect(onClose).toHaveBeenCalledOnce();
  expect(dialog.open).toBe(true);
});

test('a key that something inside has taken closes nothing', async () => {
  const onClose = vi.fn();
  render(
    <Dialog title="A question" onClose={onClose}>
      <input
        aria-label="Answer"
        onKeyDown={(event) => {
          event.preventDefault();
        }}
      />
    </Dialog>,
  );
  screen.getByRole('textbox', { name: 'Answer' }).focus();
  await userEvent.setup().keyboard('{Escape}');
  expect(onClose).not.toHaveBeenCalled();
});
