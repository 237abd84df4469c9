import type { ResolvedMapping } from '../mapping/model.js';
import type { Statement } from '../postgres/database.js';
import type { IdRange } from './detect-statements.js';
import { comparison, isCritical } from './generate-comparison.js';
import { asText, within, type Scope } from './generate-truth.js';

/** Statements that look for wallets with less than they may have. They read only, and take no lock. */

/**
 * The wallets of a piece that say so themselves. Those whose cache says otherwise have drifted, and are
 * found by that.
 */
export function negativeWallets(
  { wallet }: ResolvedMapping,
  piece: ({ readonly kind: 'range' } & IdRange) | { kind: 'ids'; walletIds: readonly string[] },
): Statement {
  const scope: Scope =
    piece.kind === 'ids'
      ? { kind: 'ids' }
      : { kind: 'range', above: piece.above !== undefined, upTo: piece.upTo !== undefined };
  const ends = piece.kind === 'ids' ? [piece.walletIds] : [piece.above, piece.upTo];
  const overdraft = wallet.allowOverdraft;
  const id = `w.${wallet.id.quoted}`;
  return {
    text: `SELECT ${id}::text AS "walletId" FROM ${wallet.table.quoted} AS w
            WHERE ${within(scope, id, wallet.id.baseType)} AND w.${wallet.balance.quoted} < 0${
              overdraft === undefined ? '' : ` AND w.${overdraft.quoted} IS NOT TRUE`
            }
            ORDER BY ${id}`,
    values: ends.filter((end) => end !== undefined),
  };
}

/** A wallet whose entries sum up to less than it may have. */
export interface CriticalRow {
  readonly walletId: string;
  readonly profileId: string | null;
  readonly userId: string | null;
  readonly sum: string;
  readonly frozen: boolean;
}

/** Those of some wallets whose entries sum up to less than they may have. */
export function criticalAmong(mapping: ResolvedMapping, walletIds: readonly string[]): Statement {
  return {
    text: `SELECT c.wallet_id::text AS "walletId", c.profile_id::text AS "profileId", c.user_id::text AS "userId",
       ${asText('c.wallet_balance_expected')} AS sum, c.frozen
  FROM (${comparison(mapping, { kind: 'ids' }, { chain: false, rows: true })}) AS c
 WHERE ${isCritical}
 ORDER BY c.wallet_id`,
    values: [walletIds],
  };
}
