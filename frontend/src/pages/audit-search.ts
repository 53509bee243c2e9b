/** What the address of the audit page may carry: its filters. Anything else in it is ignored. */
import type { AuditFilter } from '../api/audit';
import type { AuditOutcome } from '../api/types';

export const AUDIT_OUTCOMES: readonly AuditOutcome[] = ['done', 'refused', 'failed', 'unknown'];

export function parseAuditSearch(search: Record<string, unknown>): AuditFilter {
  const outcome = AUDIT_OUTCOMES.find((known) => known === search.outcome);
  return {
    ...(outcome === undefined ? {} : { outcome }),
    ...text(search, 'action'),
    ...text(search, 'subject'),
    ...text(search, 'address'),
  };
}

function text(search: Record<string, unknown>, name: 'action' | 'subject' | 'address'): Partial<AuditFilter> {
  const value = search[name];
  return typeof value === 'string' && value.trim() !== '' ? { [name]: value.trim() } : {};
}
