import { screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { expect, test } from 'vitest';
import type { AuditEntry } from '../api/types';
import { open } from '../testing/render';
import { api, server } from '../testing/server';
import { startSpiral } from '../testing/spiral';

function entry(number: number, changes: Partial<AuditEntry> = {}): AuditEntry {
  return {
    id: `01ENTRY${number}`,
    at: '2026-01-02T03:04:05Z',
    role: 'admin',
    address: '192.0.2.7',
    action: 'pause_queue',
    method: 'POST',
    path: `/api/v1/queues/q${number}/pause`,
    subject: `q${number}`,
    outcome: 'done',
    status: 200,
    finished_at: '2026-01-02T03:04:05Z',
    detail: null,
    request_id: `request-${number}`,
    ...changes,
  };
}

function log() {
  const asked: string[] = [];
  server.use(
    api.get('/api/v1/audit', ({ request, response }) => {
      const { search, searchParams } = new URL(request.url);
      asked.push(search);
      if (searchParams.get('action') === 'nothing') return response(200).json({ entries: [] });
      return searchParams.get('cursor') === null
        ? response(200).json({ entries: [entry(2), entry(1, { outcome: 'unknown', status: null })], next_cursor: '01ENTRY1' })
        : response(200).json({ entries: [entry(0, { outcome: 'refused', status: 404 })] });
    }),
  );
  return asked;
}

test('shows who changed what, page after page', async () => {
  startSpiral();
  const asked = log();
  open('/audit');
  const table = await screen.findByRole('table', { name: 'Changes' });
  const [, first, second] = within(table).getAllByRole('row');
  expect(first).toHaveTextContent('admin 192.0.2.7Pause queueq2Done 200');
  expect(second).toHaveTextContent('Unknown');
  await userEvent.setup().click(screen.getByRole('button', { name: 'Show older changes' }));
  expect(await within(table).findByText('Refused')).toBeVisible();
  expect(screen.queryByRole('button', { name: 'Show older changes' })).toBeNull();
  expect(asked.at(-1)).toContain('cursor=01ENTRY1');
});

test('the filters live in the address', async () => {
  startSpiral();
  const asked = log();
  const { router } = open('/audit?outcome=done&nonsense=1');
  const user = userEvent.setup();
  expect(await screen.findByRole('combobox', { name: 'Outcome' })).toHaveValue('done');
  await user.type(screen.getByLabelText('Action'), 'nothing{Enter}');
  expect(await screen.findByText('No matching changes')).toBeVisible();
  expect(router.state.location.search).toEqual({ outcome: 'done', action: 'nothing' });
  expect(asked.at(-1)).toContain('outcome=done');
  await user.selectOptions(screen.getByRole('combobox', { name: 'Outcome' }), '');
  await user.clear(await screen.findByLabelText('Action'));
  await user.type(screen.getByLabelText('Action'), '{Enter}');
  expect(await screen.findByRole('table', { name: 'Changes' })).toBeVisible();
  expect(router.state.location.search).toEqual({});
});
