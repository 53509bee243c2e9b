import { MantineProvider } from '@mantine/core';
import { render, screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { expect, test } from 'vitest';
import { JsonView } from './json-view';

function show(value: unknown) {
  render(
    <MantineProvider>
      <JsonView value={value} what="the input" fileName="input.json" />
    </MantineProvider>,
  );
  return { user: userEvent.setup(), tree: within(screen.getByRole('group', { name: 'the input' })) };
}

test('small values are open, and fold', async () => {
  const { user, tree } = show({ index: 90, names: ['Ada', null], empty: {} });
  expect(screen.getByRole('group')).toHaveTextContent('{index: 90names: ["Ada"null]empty: {}}');
  const fold = tree.getByRole('button', { name: 'names, 2 items' });
  expect(fold).toHaveAttribute('aria-expanded', 'true');
  await user.click(fold);
  expect(tree.queryByText('"Ada"')).toBeNull();
  expect(fold).toHaveTextContent('names: [2 items]');
});

test('a large branch comes folded, and a long list a part at a time', async () => {
  const { user, tree } = show({ many: Array.from({ length: 250 }, (_, index) => index) });
  await user.click(tree.getByRole('button', { name: 'many, 250 items' }));
  expect(tree.getByText('99')).toBeVisible();
  expect(tree.queryByText('100')).toBeNull();
  await user.click(tree.getByRole('button', { name: 'Show 100 more of 250' }));
  await user.click(tree.getByRole('button', { name: 'Show 50 more of 250' }));
  expect(tree.getByText('249')).toBeVisible();
  expect(tree.queryByRole('button', { name: /more of/u })).toBeNull();
});

test('a long text is shortened until it is asked for', async () => {
  const text = `start${'x'.repeat(1000)}end`;
  const { user, tree } = show({ text });
  expect(tree.queryByText(JSON.stringify(text))).toBeNull();
  await user.click(tree.getByRole('button', { name: 'Show all 1,008 characters' }));
  expect(tree.getByText(JSON.stringify(text))).toBeVisible();
});

test('raw is what a program would read', async () => {
  const { user } = show({ index: 90 });
  await user.click(screen.getByRole('button', { name: 'Raw' }));
  expect(screen.getByLabelText('the input, raw').textContent).toBe('{\n  "index": 90\n}');
});

test('what is no object or list has nothing to fold', () => {
  show('text');
  expect(screen.queryByRole('button', { name: 'Raw' })).toBeNull();
  expect(screen.getByText('"text"')).toBeVisible();
});
