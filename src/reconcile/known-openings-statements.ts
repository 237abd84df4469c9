import type { ResolvedMapping } from '../mapping/model.js';
import type { Statement } from '../postgres/database.js';
import { asText } from './generate-truth.js';

/** What is on record of balances from before the installation: wallets that had coins and no entry. */

/** The recorded balances of some wallets. */
export function openingsOf({ ledger }: ResolvedMapping, walletIds: readonly string[]): Statement {
  return {
    text: `SELECT o.wallet_id AS "walletId", ${asText('o.balance')} AS balance FROM trueup.opening_balances AS o
            WHERE o.ledger = $1 AND o.wallet_id = ANY ($2::text[])`,
    values: [ledger.table.quoted, walletIds],
  };
}

/** Wallets on record that have entries by now, in the order of their texts. */
export function openingsWithEntries(
  { ledger, wallet }: ResolvedMapping,
  page: { readonly above: string | undefined; readonly size: number },
): Statement {
  return {
    text: `SELECT o.wallet_id AS "walletId", ${asText('o.balance')} AS balance FROM trueup.opening_balances AS o
            WHERE o.ledger = $1 AND ($2::text IS NULL OR o.wallet_id > $2)
              AND EXISTS (SELECT FROM ${ledger.table.quoted} AS e
                           WHERE e.${ledger.wallet.quoted} = o.wallet_id::${wallet.id.baseType})
            ORDER BY o.wallet_id LIMIT $3`,
    values: [ledger.table.quoted, page.above ?? null, page.size],
  };
}

/** Forgets wallets whose opening balance stands in the ledger from now on. */
export function forgetOpenings(
  { ledger }: ResolvedMapping,
  walletIds: readonly string[],
): Statement {
  return {
    text: 'DELETE FROM trueup.opening_balances WHERE ledger = $1 AND wallet_id = ANY ($2::text[])',
    values: [ledger.table.quoted, walletIds],
  };
}
