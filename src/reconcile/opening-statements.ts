import type { Column, ResolvedMapping } from '../mapping/model.js';
import type { Statement } from '../postgres/database.js';

/** Statements that find wallets without history, and post their opening entries. */

/** Wallets that hold coins or show earnings and have no entry, in id order. Reads only. */
export function walletsWithoutEntry(
  { ledger, wallet }: ResolvedMapping,
  page: { readonly above: string | undefined; readonly size: number },
): Statement {
  const id = `w.${wallet.id.quoted}`;
  const shows = [wallet.balance, wallet.lifetimeEarnings]
    .filter((column) => column !== undefined)
    .map((column) => `w.${column.quoted} <> 0`)
    .join(' OR ');
  const from = page.above === undefined ? '' : `AND ${id} > $2::${wallet.id.baseType}`;
  return {
    text: `SELECT ${id}::text AS "walletId" FROM ${wallet.table.quoted} AS w
            WHERE (${shows}) ${from}
              AND NOT EXISTS (SELECT FROM ${ledger.table.quoted} AS e WHERE e.${ledger.wallet.quoted} = ${id})
            ORDER BY ${id} LIMIT $1`,
    values: page.above === undefined ? [page.size] : [page.size, page.above],
  };
}

/** What an INSERT into the ledger has to bring. */
export interface LedgerDemandsRow {
  /** Columns that may not be null and have no default. */
  readonly required: readonly string[];
  /** Triggers of the application see each row first, and may fill them. */
  readonly filledByTriggers: boolean;
}

export function ledgerDemands(ledgerOid: string): Statement {
  return {
    text: `SELECT coalesce((SELECT json_agg(a.attname ORDER BY a.attnum)
                     FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
                    WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped
                      AND (a.attnotnull OR t.typnotnull) AND NOT a.atthasdef AND a.attidentity = ''
                      AND t.typdefault IS NULL), '[]') AS required,
                  EXISTS (SELECT FROM pg_trigger g
                           WHERE g.tgrelid = $1::oid AND NOT g.tgisinternal AND g.tgenabled IN ('O', 'A')
                             AND g.tgtype & 7 = 7) AS "filledByTriggers"`,
    values: [ledgerOid],
  };
}

/** Keeps triggers from being installed or removed until the transaction ends; writers go on. */
export function holdTriggers({ ledger }: ResolvedMapping): Statement {
  return { text: `LOCK TABLE ONLY ${ledger.table.quoted} IN ROW EXCLUSIVE MODE` };
}

/** A value that a cache is set to. */
export interface CacheValue {
  readonly id: string;
  readonly value: string;
}

/** Sets one cache of wallets or profiles that are locked. */
export function setCache(
  rows: { readonly table: string; readonly id: Column; readonly cache: Column },
  values: readonly CacheValue[],
): Statement {
  const { table, id, cache } = rows;
  return {
    text: `UPDATE ${table} AS r SET ${cache.quoted} = u.value
             FROM unnest($1::${id.baseType}[], $2::${cache.baseType}[]) AS u (id, value)
            WHERE r.${id.quoted} = u.id`,
    values: [values.map((one) => one.id), values.map(({ value }) => value)],
  };
}

/** One column of the entries: its values, one for each, or an expression for all of them. */
export type Filling =
  | { readonly column: Column; readonly values: readonly string[] }
  | { readonly column: Column; readonly expression: string };

/** Inserts entries in their order, and returns the id of each that the ledger took. */
export function insertOpenings(
  { ledger }: ResolvedMapping,
  fillings: readonly Filling[],
): Statement {
  const values: (readonly string[])[] = [];
  const arrays: string[] = [];
  const sources = fillings.map((filling) => {
    if ('expression' in filling) return `${filling.expression}::${filling.column.baseType}`;
    values.push(filling.values);
    arrays.push(`$${String(values.length)}::${filling.column.baseType}[]`);
    return `u.c${String(values.length)}`;
  });
  const aliases = values.map((_, index) => `c${String(index + 1)}`);
  return {
    text: `INSERT INTO ${ledger.table.quoted} AS e (${fillings.map(({ column }) => column.quoted).join(', ')})
SELECT ${sources.join(', ')}
  FROM unnest(${arrays.join(', ')}) WITH ORDINALITY AS u (${aliases.join(', ')}, place) ORDER BY u.place
RETURNING e.${ledger.id.quoted}::text AS "entryId"`,
    values,
  };
}

/** What was done to one wallet, for the record of repairs. */
export interface OpeningRecord {
  readonly walletId: string;
  readonly profileId: string | null;
  readonly userId: string | null;
  /** As `trueup.repairs` keeps them: `{"wallet.lifetimeEarnings": ["800", "500"]}`. */
  readonly changes: object;
}

/**
 * Records openings. Where settling the caches has left a record of its own, this one takes its place:
 * it knows what the caches were before the entry.
 */
export function recordOpenings(runId: string, records: readonly OpeningRecord[]): Statement {
  return {
    text: `INSERT INTO trueup.repairs AS r (run_id, wallet_id, profile_id, user_id, cause, changes)
SELECT $1::uuid, u.wallet_id, u.profile_id, u.user_id, 'no_history', u.changes
  FROM unnest($2::text[], $3::text[], $4::text[], $5::jsonb[]) AS u (wallet_id, profile_id, user_id, changes)
    ON CONFLICT (wallet_id, run_id, writer) DO UPDATE SET cause = excluded.cause, changes = excluded.changes`,
    values: [
      runId,
      records.map(({ walletId }) => walletId),
      records.map(({ profileId }) => profileId),
      records.map(({ userId }) => userId),
      records.map(({ changes }) => JSON.stringify(changes)),
    ],
  };
}
