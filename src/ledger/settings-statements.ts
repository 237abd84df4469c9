import type { Column, ResolvedMapping } from '../mapping/model.js';
import type { Statement } from '../postgres/database.js';

/** Statements that change what a wallet may do. None of them touches a coin. */

/** Sets columns of one wallet and returns its id; no row where there is no such wallet. */
export function changeWallet(
  { wallet }: ResolvedMapping,
  walletId: string,
  changes: readonly (readonly [Column, string | boolean | null])[],
): Statement {
  const values: (string | boolean | null)[] = [walletId];
  const assignments = changes.map(
    ([column, value]) => `${column.quoted} = $${String(values.push(value))}::${column.baseType}`,
  );
  return {
    text: `UPDATE ${wallet.table.quoted} AS w SET ${assignments.join(', ')}
            WHERE w.${wallet.id.quoted} = $1::${wallet.id.baseType} RETURNING w.${wallet.id.quoted}::text AS "walletId"`,
    values,
  };
}

export interface SpendingLimitRow {
  readonly limitId: string;
  readonly walletId: string | null;
  readonly reason: string | null;
  readonly amount: string;
  readonly windowSeconds: number;
}

const COLUMNS = `id::text AS "limitId", wallet_id AS "walletId", reason, amount::text, window_seconds AS "windowSeconds"`;

/** Makes a limit, or changes the amount of the one for the same wallet, reason and window. */
export function setSpendingLimit(
  ledger: string,
  limit: Omit<SpendingLimitRow, 'limitId'>,
): Statement {
  return {
    text: `INSERT INTO trueup.spending_limits (ledger, wallet_id, reason, amount, window_seconds)
           VALUES ($1, $2, $3, $4, $5)
           ON CONFLICT (ledger, wallet_id, reason, window_seconds) DO UPDATE SET amount = excluded.amount
           RETURNING ${COLUMNS}`,
    values: [ledger, limit.walletId, limit.reason, limit.amount, limit.windowSeconds],
  };
}

export function removeSpendingLimit(ledger: string, limitId: string): Statement {
  return {
    text: `DELETE FROM trueup.spending_limits WHERE ledger = $1 AND id::text = $2 RETURNING ${COLUMNS}`,
    values: [ledger, limitId],
  };
}

export function spendingLimits(ledger: string): Statement {
  return {
    text: `SELECT ${COLUMNS} FROM trueup.spending_limits WHERE ledger = $1 ORDER BY spending_limits.id`,
    values: [ledger],
  };
}
