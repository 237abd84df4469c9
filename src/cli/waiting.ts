import { TrueupError } from '../index.js';

/** What no waiting mends: a password, a database or an address that is wrong. SQLSTATEs and driver codes. */
const PERMANENT = /^(28...|3D000|ERR_INVALID_URL)$/;

/** Whether a database that cannot be reached may be there in a while. */
export function isWorthWaiting(error: unknown): error is TrueupError {
  if (!(error instanceof TrueupError) || error.code !== 'database_unreachable') return false;
  const { cause } = error;
  // An address of another kind has never been tried.
  if (!(cause instanceof Error)) return false;
  const code = 'code' in cause ? String(cause.code) : '';
  return !PERMANENT.test(code);
}
