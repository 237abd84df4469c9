import type { ResolvedMapping } from '../../mapping/model.js';
import type { Statement } from '../../postgres/database.js';
import { timeOf, type TimeRange } from './arguments.js';
import { chainOf, coins, milliseconds, moment, text, toMoment } from './expressions.js';
import { compared, orderBy, orderOf, positionOf, type Position } from './order.js';

/** The statement that reads a stretch of a wallet's entries. */

/** An entry as it stands in the ledger; null for what the mapping does not have. */
export interface EntryRow {
  readonly position: Position;
  readonly entryId: string;
  readonly transactionId: string | null;
  readonly walletId: string;
  readonly amount: string;
  readonly balanceAfter: string | null;
  readonly reason: string | null;
  readonly note: string | null;
  readonly metadata: unknown;
  readonly actor: string | null;
  readonly counterpartyWalletId: string | null;
  readonly idempotencyKey: string | null;
  readonly reversesEntryId: string | null;
  readonly holdId: string | null;
  readonly sequence: string | null;
  /** Milliseconds since 1970. */
  readonly createdAt: number | null;
}

/** Which entries of a wallet are read. */
export interface Stretch extends TimeRange {
  readonly walletId: string;
  readonly order: 'newest' | 'oldest';
  /** Default: all of them. */
  readonly limit?: number | undefined;
  /** Where the stretch before it ended. */
  readonly beyond?: Position | undefined;
  /** The last entry at which it ends. */
  readonly upTo?: Position | undefined;
  readonly reasons?: readonly string[] | undefined;
  readonly sign?: 'credit' | 'debit' | undefined;
  /**
   * Look only at the numbers in which the page lies if none is missing, so that no plan can look at
   * more. For numbered ledgers, without filters.
   */
  readonly near?: boolean;
  /** Leave out what may be large. */
  readonly withoutMetadata?: boolean;
}

/** Reads entries of one wallet in their order. */
export function entriesOf(mapping: ResolvedMapping, stretch: Stretch): Statement {
  const values: unknown[] = [];
  const bind = (value: unknown): string => `$${String(values.push(value))}`;
  const conditions = [...placeOf(mapping, stretch, bind), ...filtersOf(mapping, stretch, bind)];
  const limit = stretch.limit === undefined ? '' : ` LIMIT ${bind(stretch.limit)}::integer`;
  return {
    text: `SELECT ${columnsOf(mapping, stretch)}
  FROM ${mapping.ledger.table.quoted} AS e
 WHERE ${conditions.join('\n   AND ')}
 ORDER BY ${orderBy(orderOf(mapping), 'e', stretch.order === 'newest' ? 'DESC' : 'ASC')}${limit}`,
    values,
  };
}

/** A cursor over entries: planned once, and sorted once where no index has their order. */
export function declareEntries(mapping: ResolvedMapping, stretch: Stretch): Statement {
  const { text: query, values = [] } = entriesOf(mapping, stretch);
  return { text: `DECLARE trueup_entries NO SCROLL CURSOR FOR ${query}`, values };
}

export function fetchEntries(count: number): Statement {
  return { text: `FETCH ${String(count)} FROM trueup_entries` };
}

type Bind = (value: unknown) => string;

/** Whose entries, and between which. */
function placeOf(mapping: ResolvedMapping, stretch: Stretch, bind: Bind): string[] {
  const { ledger } = mapping;
  const { walletId, beyond, upTo, order } = stretch;
  const columns = orderOf(mapping);
  const conditions = [`e.${ledger.wallet.quoted} = ${bind(walletId)}::${ledger.wallet.baseType}`];
  if (beyond !== undefined) {
    const operator = order === 'newest' ? '<' : '>';
    conditions.push(compared(columns, 'e', operator, beyond.map(bind)));
  }
  if (upTo !== undefined) conditions.push(compared(columns, 'e', '<=', upTo.map(bind)));
  return [...conditions, ...nearOf(mapping, stretch, bind)];
}

/** Numbers follow each other, so a page of so many entries ends so many numbers further. */
function nearOf(mapping: ResolvedMapping, stretch: Stretch, bind: Bind): string[] {
  const { ledger } = mapping;
  const { walletId, beyond, order, limit = 0, near } = stretch;
  const chain = chainOf(mapping);
  if (chain === undefined || near !== true) return [];
  const number = `e.${chain.sequence.quoted}`;
  const from = beyond?.[0];
  if (order === 'oldest')
    return [`${number} <= ${bind(from ?? '0')}::bigint + ${bind(limit)}::bigint`];
  const last =
    from === undefined
      ? `(SELECT max(l.${chain.sequence.quoted}) + 1 FROM ${ledger.table.quoted} AS l
          WHERE l.${ledger.wallet.quoted} = ${bind(walletId)}::${ledger.wallet.baseType})`
      : `${bind(from)}::bigint`;
  return [`${number} >= ${last} - ${bind(limit)}::bigint`];
}

function filtersOf(mapping: ResolvedMapping, stretch: Stretch, bind: Bind): string[] {
  const { ledger } = mapping;
  const { reasons, sign, from, to } = stretch;
  const conditions: string[] = [];
  if (reasons !== undefined && ledger.reason !== undefined) {
    conditions.push(`e.${ledger.reason.quoted} = ANY (${bind(reasons)}::text[])`);
  }
  if (sign !== undefined) {
    conditions.push(`e.${ledger.amount.quoted} ${sign === 'credit' ? '>' : '<'} 0`);
  }
  const time = (operator: string, date: Date): void => {
    const column = timeOf(mapping);
    const parameter = moment(column, bind(toMoment(date.getTime())));
    conditions.push(`e.${column.quoted} ${operator} ${parameter}`);
  };
  if (from !== undefined) time('>=', from);
  if (to !== undefined) time('<', to);
  return conditions;
}

function columnsOf(mapping: ResolvedMapping, { withoutMetadata }: Stretch): string {
  const { ledger } = mapping;
  const metadata =
    ledger.metadata === undefined || withoutMetadata === true
      ? 'NULL::jsonb'
      : `e.${ledger.metadata.quoted}`;
  const after = ledger.balanceAfter;
  return `${positionOf(orderOf(mapping), 'e')} AS position,
       ${text(ledger.id, 'e')} AS "entryId", ${text(ledger.transaction, 'e')} AS "transactionId",
       ${text(ledger.wallet, 'e')} AS "walletId", ${coins(ledger.amount, 'e')} AS amount,
       ${after === undefined ? 'NULL' : coins(after, 'e')} AS "balanceAfter",
       ${text(ledger.reason, 'e')} AS reason, ${text(ledger.note, 'e')} AS note, ${metadata} AS metadata,
       ${text(ledger.actor, 'e')} AS actor, ${text(ledger.counterparty, 'e')} AS "counterpartyWalletId",
       ${text(ledger.idempotencyKey, 'e')} AS "idempotencyKey", ${text(ledger.reverses, 'e')} AS "reversesEntryId",
       ${text(ledger.hold, 'e')} AS "holdId", ${text(ledger.sequence, 'e')} AS sequence,
       ${milliseconds(ledger.createdAt, 'e')} AS "createdAt"`;
}
