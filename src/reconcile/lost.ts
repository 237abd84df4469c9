import { difference } from '../core/amount.js';
import type { Cause, Field, Finding, Part } from '../core/drift.js';
import type { Queryable } from '../postgres/database.js';
import { repairsOf, type RepairRow } from './lost-statements.js';

/**
 * What a run has repaired of these wallets, from its records: for repairs whose commit was never
 * answered. The evidence is not on record, but the cause is.
 */
export async function lostRepairs(
  session: Queryable,
  runId: string,
  walletIds: readonly string[],
): Promise<Finding[][]> {
  const rows = await session.query<RepairRow>(repairsOf(runId, walletIds));
  return rows.map((row) =>
    Object.entries(row.changes).map(([cache, [cached, expected]]) => {
      const [part, field] = cache.split('.');
      return {
        userId: row.userId,
        walletId: row.walletId,
        profileId: row.profileId,
        part: part as Part,
        field: field as Field,
        cached,
        expected,
        delta: cached === null ? null : difference(expected, cached),
        cause: row.cause as Cause,
        evidence: {},
        repaired: true,
      };
    }),
  );
}
