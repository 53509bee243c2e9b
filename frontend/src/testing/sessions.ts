/** Who somebody can be. */
import type { Session } from '../api/types';

/** Where there are no tokens. */
export const EVERYBODY: Session = {
  role: 'admin',
  locked: false,
  read_only: false,
  may_read: true,
  may_change: true,
  public_functions: [],
};

export const ADMIN: Session = { ...EVERYBODY, locked: true, session_until: '2030-01-01T00:00:00Z' };
export const VIEWER: Session = { ...ADMIN, role: 'viewer', may_change: false };
export const NOBODY: Session = { ...EVERYBODY, role: 'anybody', locked: true, may_read: false, may_change: false };
export const VISITOR: Session = { ...NOBODY, public_functions: ['fibonacci'] };
