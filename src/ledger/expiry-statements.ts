import type { ResolvedMapping } from '../mapping/model.js';
import type { Statement } from '../postgres/database.js';

/** Statements of the worker that closes overdue holds. */

/** Wallets that have open holds whose time is over. */
export function walletsWithOverdueHolds(mapping: ResolvedMapping, limit: number): Statement {
  return {
    text: `SELECT DISTINCT s.wallet_id AS "walletId"
             FROM (SELECT h.wallet_id FROM trueup.holds AS h
                    WHERE h.ledger = $1 AND h.state = 'open' AND h.expires_at <= clock_timestamp()
                    ORDER BY h.expires_at LIMIT $2) AS s`,
    values: [mapping.ledger.table.quoted, limit],
  };
}

export const present: Statement = { text: 'SELECT clock_timestamp()::text AS now' };
