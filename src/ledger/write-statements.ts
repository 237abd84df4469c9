import type { NewEntry, NewHold, Spending } from '../core/posting/plan.js';
import type { HoldState } from '../core/posting/state.js';
import type { Column, Ledger, ResolvedMapping } from '../mapping/model.js';
import type { Statement } from '../postgres/database.js';
import { arrayOf } from './arrays.js';

/** Statements that write what a batch decided. Each writes all rows of its kind. */

/** How a field of an entry becomes an element of its column's array. */
type Field = (entry: NewEntry) => string | bigint | null;

/** The columns that an entry fills, where the mapping has them. */
const FIELDS: Readonly<Partial<Record<keyof Ledger, Field>>> = {
  wallet: (entry) => entry.walletId,
  amount: (entry) => entry.amount,
  balanceAfter: (entry) => entry.balanceAfter,
  sequence: (entry) => entry.sequence,
  reason: (entry) => entry.reason,
  note: (entry) => entry.note,
  metadata: (entry) => entry.metadata,
  actor: (entry) => entry.actor,
  idempotencyKey: (entry) => entry.idempotencyKey,
  counterparty: (entry) => entry.counterparty,
  reverses: (entry) => entry.reverses,
  hold: (entry) => entry.holdId,
};

/** The words of the failure where the ledger did not take all entries; their number stands behind. */
export const ENTRIES_DROPPED = 'the ledger did not take every entry, but';

/** What a statement that inserts entries is made of. */
export interface EntryParts {
  /** The columns that are filled, quoted. */
  readonly columns: string;
  /** What fills them, from the rows `u`. */
  readonly sources: string;
  /** `unnest(...) AS u (...)`: the rows, one for each entry. */
  readonly rows: string;
  /** How many there are, as SQL. */
  readonly count: string;
  /** For the statement's name: statement names must differ where their texts do. */
  readonly fingerprint: string;
}

/**
 * The parts that insert entries, in their order. A column that no entry fills is left out, so that its
 * default holds and nothing is spent on it.
 *
 * @param values the statement's values, to which these are added
 * @param moment the time of the entries as SQL, and the ids of the plan's transactions
 */
export function entryParts(
  { ledger }: ResolvedMapping,
  entries: readonly NewEntry[],
  values: string[],
  moment: { readonly time: string; readonly transactions: readonly string[] },
): EntryParts {
  const columns: string[] = [];
  const sources: string[] = [];
  const types: string[] = [];
  const array = (column: Column, elements: readonly (string | bigint | null)[]): void => {
    columns.push(column.quoted);
    types.push(`$${String(values.push(arrayOf(elements)))}::${column.baseType}[]`);
    sources.push(`u.c${String(types.length)}`);
  };
  for (const [role, field] of Object.entries(FIELDS)) {
    const column = ledger[role as keyof Ledger];
    if (column === undefined || !('kind' in column)) continue;
    const elements = entries.map(field);
    if (elements.some((element) => element !== null)) array(column, elements);
  }
  if (ledger.transaction !== undefined && moment.transactions.length > 0) {
    array(
      ledger.transaction,
      entries.map(({ transaction }) => moment.transactions[transaction] ?? null),
    );
  }
  const aliases = types.map((_, index) => `c${String(index + 1)}`);
  if (ledger.createdAt !== undefined) {
    columns.push(ledger.createdAt.quoted);
    sources.push(`${moment.time}::${ledger.createdAt.baseType}`);
  }
  if (ledger.writer !== undefined) {
    columns.push(ledger.writer.quoted);
    sources.push('pg_current_xact_id()');
  }
  return {
    columns: columns.join(', '),
    sources: sources.join(', '),
    rows: `unnest(${types.join(', ')}) AS u (${aliases.join(', ')})`,
    count: `cardinality(${types[0] ?? 'NULL'})`,
    fingerprint: String(fingerprint(columns)),
  };
}

/**
 * Inserts entries, in their order, and returns their ids in that order, as one array (a row for each
 * took longer to read than to insert).
 *
 * Where a trigger or a rule of the application drops entries, the statement fails: it is sent together
 * with COMMIT, so afterwards it would be too late to say so.
 *
 * @param transactions the ids of the plan's transactions, where the ledger has them
 */
export function insertEntries(
  mapping: ResolvedMapping,
  entries: readonly NewEntry[],
  moment: { readonly nowText: string; readonly transactions: readonly string[] },
): Statement {
  const { ledger } = mapping;
  const values = ledger.createdAt === undefined ? [] : [moment.nowText];
  const { transactions } = moment;
  const parts = entryParts(mapping, entries, values, { time: '$1', transactions });
  return {
    name: `insert entries ${ledger.table.oid} ${parts.fingerprint}`,
    text: `WITH inserted AS (
  INSERT INTO ${ledger.table.quoted} AS e (${parts.columns})
  SELECT ${parts.sources} FROM ${parts.rows}
  RETURNING e.${ledger.id.quoted}::text AS id)
SELECT ${idsOfInserted(parts)} AS "entryIds" FROM inserted AS i`,
    values,
  };
}

/** The ids of what was inserted, as an aggregate over `inserted AS i`; a failure where one is missing. */
export function idsOfInserted({ count }: EntryParts): string {
  return `CASE WHEN count(*) = ${count} THEN array_agg(i.id)
            ELSE ARRAY[('${ENTRIES_DROPPED} ' || count(*))::integer::text] END`;
}

/** A short name for a list of columns: statement names must differ where their texts do. */
function fingerprint(columns: readonly string[]): number {
  let hash = 5381;
  for (const character of columns.join()) hash = (hash * 33 + character.charCodeAt(0)) % 4294967296;
  return hash;
}

/** Inserts holds. */
export function insertHolds(mapping: ResolvedMapping, holds: readonly NewHold[]): Statement {
  return {
    name: 'insert holds',
    text: `INSERT INTO trueup.holds (id, ledger, wallet_id, amount, captured, state, reason, note, metadata, actor,
                          idempotency_key, release_key, expires_at, created_at, closed_at)
SELECT u.id, $1, u.wallet_id, u.amount, u.captured, u.state, u.reason, u.note, u.metadata, u.actor, u.key, u.release_key,
       to_timestamp(u.expires_at / 1000), to_timestamp(u.created_at / 1000),
       CASE WHEN u.state <> 'open' THEN to_timestamp(u.created_at / 1000) END
  FROM unnest($2::uuid[], $3::text[], $4::bigint[], $5::bigint[], $6::text[], $7::text[], $8::text[], $9::jsonb[],
              $10::text[], $11::text[], $12::text[], $13::float8[], $14::float8[])
       AS u (id, wallet_id, amount, captured, state, reason, note, metadata, actor, key, release_key, expires_at, created_at)`,
    values: [
      mapping.ledger.table.quoted,
      arrayOf(holds.map(({ holdId }) => holdId)),
      arrayOf(holds.map(({ walletId }) => walletId)),
      arrayOf(holds.map(({ amount }) => amount)),
      arrayOf(holds.map(({ captured }) => captured)),
      arrayOf(holds.map(({ state }) => state)),
      arrayOf(holds.map(({ reason }) => reason)),
      arrayOf(holds.map(({ note }) => note)),
      arrayOf(holds.map(({ metadata }) => metadata)),
      arrayOf(holds.map(({ actor }) => actor)),
      arrayOf(holds.map(({ idempotencyKey }) => idempotencyKey)),
      arrayOf(holds.map(({ releaseKey }) => releaseKey)),
      arrayOf(holds.map(({ expiresAt }) => expiresAt)),
      arrayOf(holds.map(({ createdAt }) => createdAt)),
    ],
  };
}

/** Writes what became of holds that were open. */
export function changeHolds(holds: readonly HoldState[], nowText: string): Statement {
  return {
    name: 'change holds',
    text: `UPDATE trueup.holds AS s
   SET captured = u.captured, state = u.state, release_key = u.release_key,
       closed_at = CASE WHEN u.state <> 'open' THEN $5::timestamptz END
  FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[]) AS u (id, captured, state, release_key)
 WHERE s.id = u.id`,
    values: [
      arrayOf(holds.map(({ holdId }) => holdId)),
      arrayOf(holds.map(({ captured }) => captured)),
      arrayOf(holds.map(({ state }) => state)),
      arrayOf(holds.map(({ releaseKey }) => releaseKey)),
      nowText,
    ],
  };
}

/** Closes the holds of these locked wallets whose time is over, and frees their coins. */
export function expireHolds(
  mapping: ResolvedMapping,
  walletIds: readonly string[],
  nowText: string,
): Statement {
  const { wallet, ledger } = mapping;
  const pending = wallet.pendingBalance?.quoted ?? '';
  return {
    name: `expire ${ledger.table.oid}`,
    text: `WITH closed AS (
  UPDATE trueup.holds AS s SET state = 'expired', closed_at = $3::timestamptz
   WHERE s.ledger = $1 AND s.wallet_id = ANY ($2::text[]) AND s.state = 'open' AND s.expires_at <= $3::timestamptz
  RETURNING s.wallet_id, s.amount - s.captured AS freed
), freed AS (SELECT c.wallet_id::${wallet.id.baseType} AS id, sum(c.freed) AS coins FROM closed AS c GROUP BY c.wallet_id)
UPDATE ${wallet.table.quoted} AS w SET ${pending} = w.${pending} - f.coins
  FROM freed AS f WHERE w.${wallet.id.quoted} = f.id`,
    values: [ledger.table.quoted, arrayOf(walletIds), nowText],
  };
}

/** Adds to the pending balance of wallets. */
export function changePending(
  mapping: ResolvedMapping,
  changes: ReadonlyMap<string, bigint>,
): Statement {
  const { wallet, ledger } = mapping;
  const pending = wallet.pendingBalance?.quoted ?? '';
  return {
    name: `pending ${ledger.table.oid}`,
    text: `UPDATE ${wallet.table.quoted} AS w SET ${pending} = coalesce(w.${pending}, 0) + u.change
  FROM unnest($1::${wallet.id.baseType}[], $2::bigint[]) AS u (id, change) WHERE w.${wallet.id.quoted} = u.id`,
    values: [arrayOf([...changes.keys()]), arrayOf([...changes.values()])],
  };
}

/** Writes what was spent under limits. */
export function writeSpending(spending: readonly Spending[]): Statement {
  return {
    name: 'spending',
    text: `INSERT INTO trueup.spending AS s (limit_id, wallet_id, window_start, spent)
SELECT u.* FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[]) AS u (limit_id, wallet_id, window_start, spent)
    ON CONFLICT (limit_id, wallet_id) DO UPDATE SET window_start = excluded.window_start, spent = excluded.spent`,
    values: [
      arrayOf(spending.map(({ limitId }) => limitId)),
      arrayOf(spending.map(({ walletId }) => walletId)),
      arrayOf(spending.map(({ windowStart }) => windowStart)),
      arrayOf(spending.map(({ spent }) => spent)),
    ],
  };
}
