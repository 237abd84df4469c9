import type { Plan } from '../core/posting/plan.js';
import type { ResolvedMapping } from '../mapping/model.js';
import type { Statement } from '../postgres/database.js';
import { arrayOf } from './arrays.js';

/** Statements that look for what a lost transaction would have written. */

/** What a transaction would have written. */
export interface Written {
  readonly plan: Plan;
  readonly transactionIds: readonly string[];
  /** The time of its entries; null where the server chose it. */
  readonly nowText: string | null;
}

/** An entry that was looked for, as it was found. */
export interface WrittenRow {
  readonly place: number;
  readonly entryId: string;
  readonly sure: boolean;
}

/**
 * The planned entries that are in the ledger, each with its place in the plan (from 1). An entry is
 * known by its transaction id, its number or its key, together with wallet and amount; ids alone may
 * be given out again after a crash. One that has none of them may be an older one that looks the same:
 * it is not `sure`, and proves nothing by itself.
 *
 * @returns undefined where the ledger has none of these columns
 */
export function writtenEntries(mapping: ResolvedMapping, decided: Written): Statement | undefined {
  const { ledger } = mapping;
  const { plan, transactionIds } = decided;
  const marks: string[] = [];
  const sure: string[] = [];
  const columns = ['$1', '$2'];
  const values = [
    arrayOf(plan.entries.map(({ walletId }) => walletId)),
    arrayOf(plan.entries.map(({ amount }) => amount)),
  ];
  const types = [`$1::${ledger.wallet.baseType}[]`, '$2::numeric[]'];
  const names = ['wallet', 'amount'];
  const mark = (
    column: { readonly quoted: string; readonly baseType: string } | undefined,
    name: string,
    elements: readonly (string | bigint | null)[],
  ): void => {
    if (column === undefined || elements.every((element) => element === null)) return;
    types.push(`$${String(values.push(arrayOf(elements)))}::${column.baseType}[]`);
    names.push(name);
    columns.push(name);
    marks.push(`e.${column.quoted} IS NOT DISTINCT FROM u.${name}`);
    sure.push(`u.${name} IS NOT NULL`);
  };
  mark(
    ledger.transaction,
    'transaction',
    plan.entries.map(({ transaction }) => transactionIds[transaction] ?? null),
  );
  mark(
    ledger.sequence,
    'sequence',
    plan.entries.map(({ sequence }) => sequence),
  );
  mark(
    ledger.idempotencyKey,
    'key',
    plan.entries.map(({ idempotencyKey }) => idempotencyKey),
  );
  if (marks.length === 0) return undefined;
  if (ledger.createdAt !== undefined && decided.nowText !== null) {
    const time = `$${String(values.push(decided.nowText))}::${ledger.createdAt.baseType}`;
    marks.push(`e.${ledger.createdAt.quoted} = ${time}`);
    sure.push('true');
  }
  return {
    text: `SELECT u.place::integer AS place, e.${ledger.id.quoted}::text AS "entryId", ${sure.join(' OR ')} AS sure
  FROM unnest(${types.join(', ')}) WITH ORDINALITY AS u (${names.join(', ')}, place)
  JOIN ${ledger.table.quoted} AS e ON e.${ledger.wallet.quoted} = u.wallet AND e.${ledger.amount.quoted} = u.amount
   AND ${marks.join(' AND ')}
 ORDER BY e.${ledger.id.quoted}`,
    values,
  };
}

/**
 * Whether the holds of a plan were written. A new one is known by its id, whatever became of it since;
 * one that was there before, and changed without an entry, was closed, and that is for ever.
 */
export function writtenHolds(plan: Plan): Statement {
  const { newHolds, changedHolds } = plan;
  const holds = [...newHolds, ...changedHolds];
  return {
    text: `SELECT count(*) = $4::bigint AND $4::bigint > 0 AS found
  FROM unnest($1::uuid[], $2::bigint[], $3::text[]) AS u (id, captured, state)
  JOIN trueup.holds AS s ON s.id = u.id AND (u.state IS NULL OR s.captured = u.captured AND s.state = u.state)`,
    values: [
      arrayOf(holds.map(({ holdId }) => holdId)),
      arrayOf(holds.map(({ captured }) => captured)),
      arrayOf([...newHolds.map(() => null), ...changedHolds.map(({ state }) => state)]),
      String(holds.length),
    ],
  };
}
