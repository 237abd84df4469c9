import type { ResolvedMapping } from '../mapping/model.js';
import type { Queryable } from '../postgres/database.js';
import * as statements from './statements.js';

/**
 * Whether a run over all wallets leaves every cache right. Then that is on record, and whatever is found
 * wrong later did not come with the adoption.
 *
 * It counts from before the first wallet was looked at: what happens while the run is under way may come
 * after its wallet was checked, so it must not count as settled. Nor may what is still open then.
 */
export async function settledSince(session: Queryable): Promise<string> {
  const [row] = await session.query<{ since: string }>(statements.settledSince);
  return row?.since ?? '-infinity';
}

/** Puts on record that every cache was right at this time, or was made right later. */
export async function markVerified(
  session: Queryable,
  mapping: ResolvedMapping,
  since: string,
): Promise<void> {
  await session.query(statements.markVerified(mapping.ledger.table.quoted, since));
}
