import type { ResolvedMapping } from '../../mapping/model.js';
import type { Statement } from '../../postgres/database.js';
import { chainOf, sumOfCoins } from './expressions.js';

/** The statement that adds up the books. */

export interface CirculationRow {
  readonly currency: string | null;
  readonly inWallets: string;
  readonly issued: string;
  readonly withdrawn: string;
  readonly transferred: string;
  /** The sum of all entries with a counterparty. */
  readonly paired: string;
}

/**
 * All coins by currency, of one moment. Coins in wallets are what the last entry of each wallet says,
 * where the ledger is numbered: so they are told by other columns than the entries' amounts, and can
 * be compared with them.
 */
export function circulation(mapping: ResolvedMapping): Statement {
  const { ledger, wallet } = mapping;
  const chain = chainOf(mapping);
  const amount = `e.${ledger.amount.quoted}`;
  const outside =
    ledger.counterparty === undefined ? 'true' : `e.${ledger.counterparty.quoted} IS NULL`;
  const sum = (condition: string): string => `sum(${amount}) FILTER (WHERE ${condition})`;
  const wallets = `${wallet.table.quoted} AS w`;
  const named = wallet.currency === undefined ? 'NULL::text' : `w.${wallet.currency.quoted}::text`;
  const grouped = wallet.currency === undefined ? '' : ` GROUP BY w.${wallet.currency.quoted}`;
  const joined =
    wallet.currency === undefined
      ? ''
      : ` LEFT JOIN ${wallets} ON w.${wallet.id.quoted} = e.${ledger.wallet.quoted}`;
  const heads =
    chain === undefined
      ? ''
      : `LEFT JOIN LATERAL (
        SELECT e.${chain.balanceAfter.quoted} AS balance FROM ${ledger.table.quoted} AS e
         WHERE e.${ledger.wallet.quoted} = w.${wallet.id.quoted}
         ORDER BY e.${chain.sequence.quoted} DESC LIMIT 1) AS h ON true`;
  const total = (column: string): string => sumOfCoins(`sum(c.${column})`);
  return {
    text: `SELECT c.currency, ${total('in_wallets')} AS "inWallets", ${total('issued')} AS issued,
       ${total('withdrawn')} AS withdrawn, ${total('transferred')} AS transferred, ${total('paired')} AS paired
  FROM (
      SELECT ${named} AS currency, ${chain === undefined ? '0' : 'sum(h.balance)'} AS in_wallets,
             0 AS issued, 0 AS withdrawn, 0 AS transferred, 0 AS paired
        FROM ${wallets} ${heads}${grouped}
       UNION ALL
      SELECT ${named}, ${chain === undefined ? `sum(${amount})` : '0'},
             ${sum(`${amount} > 0 AND ${outside}`)}, -${sum(`${amount} < 0 AND ${outside}`)},
             ${sum(`${amount} > 0 AND NOT (${outside})`)}, ${sum(`NOT (${outside})`)}
        FROM ${ledger.table.quoted} AS e${joined}${grouped}) AS c
 GROUP BY c.currency ORDER BY c.currency`,
  };
}
