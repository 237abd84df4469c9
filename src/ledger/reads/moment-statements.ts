import type { ResolvedMapping } from '../../mapping/model.js';
import type { Statement } from '../../postgres/database.js';
import { timeOf } from './arguments.js';
import { chainOf, coins, moment, sumOfCoins, toMoment, type Chain } from './expressions.js';
import { orderOf } from './order.js';

/** Statements about what a wallet held at some point of its history. */

export interface MomentRow {
  readonly balance: string;
  /** The number of the last entry before; null where the ledger is not numbered. */
  readonly sequence: string | null;
}

/**
 * What a wallet held just before a time, in milliseconds since 1970. Of numbered entries the last one
 * that is earlier is looked for from the end of the wallet: that is right also where the times of
 * imported entries do not grow with the numbers, and cheap for a recent time.
 */
export function before(mapping: ResolvedMapping, walletId: string, end: number): Statement {
  const { ledger } = mapping;
  const createdAt = timeOf(mapping);
  const chain = chainOf(mapping);
  const entries = `FROM ${ledger.table.quoted} AS e
 WHERE e.${ledger.wallet.quoted} = $1::${ledger.wallet.baseType}
   AND e.${createdAt.quoted} < ${moment(createdAt, '$2')}`;
  return {
    text:
      chain === undefined
        ? `SELECT ${sumOfCoins(`sum(e.${ledger.amount.quoted})`)} AS balance, NULL AS sequence ${entries}`
        : `SELECT ${headOf(chain)} ${entries} ${lastOf(chain)}`,
    values: [walletId, toMoment(end)],
  };
}

/** The last entry of a wallet in a numbered ledger. */
export function last(mapping: ResolvedMapping, walletId: string): Statement {
  const { ledger } = mapping;
  const chain = chainOf(mapping);
  if (chain === undefined) throw new Error('there is no last entry without numbers');
  return {
    text: `SELECT ${headOf(chain)} FROM ${ledger.table.quoted} AS e
 WHERE e.${ledger.wallet.quoted} = $1::${ledger.wallet.baseType} ${lastOf(chain)}`,
    values: [walletId],
  };
}

function headOf({ sequence, balanceAfter }: Chain): string {
  return `${coins(balanceAfter, 'e')} AS balance, e.${sequence.quoted}::text AS sequence`;
}

function lastOf({ sequence }: Chain): string {
  return `ORDER BY e.${sequence.quoted} DESC LIMIT 1`;
}

export interface AfterRow {
  readonly walletId: string;
  readonly balance: string;
}

/** What the wallet of an entry held after it. */
export function after(mapping: ResolvedMapping, entryId: string): Statement {
  const { ledger } = mapping;
  const chain = chainOf(mapping);
  const order = orderOf(mapping);
  const places = order.map(({ quoted }) => `k.${quoted}`);
  const balance =
    chain === undefined
      ? `(SELECT ${sumOfCoins(`sum(e.${ledger.amount.quoted})`)} FROM ${ledger.table.quoted} AS e
         WHERE e.${ledger.wallet.quoted} = k.${ledger.wallet.quoted}
           AND ${rowOf(order.map(({ quoted }) => `e.${quoted}`))} <= ${rowOf(places)})`
      : coins(chain.balanceAfter, 'k');
  return {
    text: `SELECT k.${ledger.wallet.quoted}::text AS "walletId", ${balance} AS balance
  FROM ${ledger.table.quoted} AS k
 WHERE k.${ledger.id.quoted} = $1::${ledger.id.baseType} AND k.${ledger.wallet.quoted} IS NOT NULL`,
    values: [entryId],
  };
}

function rowOf(columns: readonly string[]): string {
  return columns.length === 1 ? columns.join() : `(${columns.join(', ')})`;
}
