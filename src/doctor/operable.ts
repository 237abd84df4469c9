import { TrueupError } from '../core/errors.js';
import type { ResolvedMapping } from '../mapping/model.js';
import type { Database } from '../postgres/database.js';
import { lackingToRepair } from './rights.js';
import * as statements from './server-statements.js';

const READING = {
  readOnly: true,
  settings: { lock_timeout: '1s', statement_timeout: '30s' },
} as const;

/**
 * Refuses to keep a ledger right where this session cannot: no waiting mends that.
 *
 * @throws TrueupError `permission_denied` with the GRANTs that are missing, `database_read_only`
 */
export async function requireOperable(database: Database, mapping: ResolvedMapping): Promise<void> {
  // As any session is: a transaction that was begun read-only would say so of itself.
  const [session] = await database.query<statements.ReadOnlyRow>(statements.readOnly);
  if (session?.readOnly === true) {
    throw new TrueupError('database_read_only', 'the database takes no writes', {
      hint: 'Connect to the primary, and see default_transaction_read_only.',
    });
  }
  const { role, grants } = await database.transaction(
    (reading) => lackingToRepair(reading, mapping),
    READING,
  );
  if (grants.length === 0) return;
  throw new TrueupError('permission_denied', `role ${role} may not repair and keep records`, {
    hint: grants.join('; '),
  });
}
