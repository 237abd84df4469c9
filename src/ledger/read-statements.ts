import type { Column, ResolvedMapping } from '../mapping/model.js';
import type { Statement } from '../postgres/database.js';
import { quoteLiteral } from '../postgres/identifiers.js';
import { SYNC_TRIGGER } from '../mapping/names.js';
import { arrayOf } from './arrays.js';
import { wantedWallets } from './lock-statements.js';
import type { Wanted } from './wanted.js';

/** Statements that read what else a batch depends on. All are sent after the locks are held. */

/** What the database says of the moment. */
export interface ContextRow {
  /** Milliseconds since 1970. */
  readonly now: number;
  /** The same moment as PostgreSQL prints it. */
  readonly nowText: string;
  /** The sync trigger of the ledger stands. */
  readonly synced: boolean;
  /** New transaction ids, as many as were asked for. */
  readonly transactions: readonly string[];
  readonly limits: readonly LimitRow[] | null;
}

export interface LimitRow {
  readonly limitId: string;
  readonly walletId: string;
  readonly reason: string | null;
  readonly amount: string;
  readonly windowSeconds: number;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly windowStart: number | null;
  readonly spent: string | null;
}

/**
 * Clock, sync trigger, new transaction ids and spending limits. Of limits with the same reason and
 * window, the one of the wallet takes the place of the general one.
 *
 * @param transactions how many ids are needed at most
 */
export function readContext(
  mapping: ResolvedMapping,
  wanted: Wanted,
  transactions: number,
): Statement {
  const { ledger } = mapping;
  const wallets = wantedWallets(mapping, wanted);
  const values = [...wallets.values];
  const count = `$${String(values.push(String(transactions)))}`;
  const key = quoteLiteral(ledger.table.quoted);
  const newId = ledger.transaction?.defaultSql ?? 'NULL';
  return {
    name: `context ${wallets.name}`,
    text: `${wallets.text}, clock AS MATERIALIZED (SELECT clock_timestamp() AS now)
SELECT (extract(epoch FROM clock.now) * 1000)::float8 AS now, clock.now::text AS "nowText",
       ${syncedIs(mapping)} AS synced,
       ARRAY(SELECT (${newId})::text FROM generate_series(1, ${count}::integer)) AS transactions,
       (SELECT json_agg(json_build_object('limitId', l.id::text, 'walletId', l.wallet, 'reason', l.reason,
                 'amount', l.amount::text, 'windowSeconds', l.window_seconds,
                 'createdAt', extract(epoch FROM l.created_at) * 1000,
                 'windowStart', s.window_start, 'spent', s.spent::text))
          FROM (SELECT DISTINCT ON (w.id, l.reason, l.window_seconds) w.id AS wallet, l.*
                  FROM trueup.spending_limits AS l
                  JOIN (SELECT wanted.id::text AS id FROM wanted) AS w ON l.wallet_id IS NULL OR l.wallet_id = w.id
                 WHERE l.ledger = ${key}
                 ORDER BY w.id, l.reason, l.window_seconds, l.wallet_id NULLS LAST) AS l
          LEFT JOIN trueup.spending AS s ON s.limit_id = l.id AND s.wallet_id = l.wallet) AS limits
  FROM clock`,
    values,
  };
}

/** Whether the sync trigger of the ledger stands, as SQL. */
export function syncedIs({ ledger }: ResolvedMapping): string {
  return `EXISTS (SELECT FROM pg_trigger AS t WHERE t.tgrelid = ${ledger.table.oid}
          AND t.tgname = ${quoteLiteral(SYNC_TRIGGER)} AND t.tgenabled IN ('O', 'A'))`;
}

/** An entry with everything that the mapping keeps of it; null for what it does not. */
export interface EntryRow {
  /** The key under which it was found; null for the other entries of its transaction. */
  readonly key: string | null;
  /** `entry ID` or `transaction ID`: for what it was looked up. */
  readonly place: string | null;
  readonly reversed: boolean;
  readonly entryId: string;
  readonly transactionId: string | null;
  readonly walletId: string;
  readonly amount: string;
  readonly balanceAfter: string | null;
  readonly reason: string | null;
  readonly note: string | null;
  readonly metadata: unknown;
  readonly actor: string | null;
  readonly counterparty: string | null;
  readonly reverses: string | null;
  readonly holdId: string | null;
}

/** The entries of the transactions that were posted under these keys. */
export function entriesByKey(mapping: ResolvedMapping, keys: readonly string[]): Statement {
  const { ledger } = mapping;
  const key = ledger.idempotencyKey;
  if (key === undefined) throw new Error('keys without a column were not refused');
  const siblings =
    ledger.transaction === undefined
      ? `e.${ledger.id.quoted} = k.${ledger.id.quoted}`
      : `e.${ledger.transaction.quoted} = k.${ledger.transaction.quoted}`;
  return {
    name: `keys ${ledger.table.oid}`,
    text: `SELECT k.${key.quoted}::text AS key, NULL AS place, false AS reversed, ${entryColumns(mapping)}
  FROM ${ledger.table.quoted} AS k JOIN ${ledger.table.quoted} AS e ON ${siblings}
 WHERE k.${key.quoted} = ANY ($1::${key.baseType}[])
 ORDER BY k.${ledger.id.quoted}, (e.${ledger.id.quoted} = k.${ledger.id.quoted}) DESC, e.${ledger.id.quoted}`,
    values: [arrayOf(keys)],
  };
}

/** The entries that reversals want to take back, and whether that was done before. */
export function reversibleEntries(
  mapping: ResolvedMapping,
  wanted: Pick<Wanted, 'entries' | 'transactions'>,
): Statement {
  const { ledger } = mapping;
  const { id, transaction, reverses } = ledger;
  const reversed =
    reverses === undefined
      ? 'false'
      : `EXISTS (SELECT FROM ${ledger.table.quoted} AS r WHERE r.${reverses.quoted} = e.${id.quoted})`;
  const siblings =
    transaction === undefined
      ? `e.${id.quoted} = k.${id.quoted}`
      : `e.${transaction.quoted} = k.${transaction.quoted}`;
  const byTransaction =
    transaction === undefined
      ? ''
      : `
 UNION ALL
SELECT NULL, 'transaction ' || e.${transaction.quoted}::text, ${reversed}, ${entryColumns(mapping)}
  FROM ${ledger.table.quoted} AS e WHERE e.${transaction.quoted} = ANY ($2::${transaction.baseType}[])`;
  return {
    name: `reversible ${ledger.table.oid}`,
    text: `SELECT NULL AS key, 'entry ' || k.${id.quoted}::text AS place, ${reversed} AS reversed, ${entryColumns(mapping)}
  FROM ${ledger.table.quoted} AS k JOIN ${ledger.table.quoted} AS e ON ${siblings}
 WHERE k.${id.quoted} = ANY ($1::${id.baseType}[])${byTransaction}
 ORDER BY 2, 4`,
    values: [
      arrayOf(wanted.entries),
      ...(transaction === undefined ? [] : [arrayOf(wanted.transactions)]),
    ],
  };
}

function entryColumns({ ledger }: ResolvedMapping): string {
  const text = (column: Column | undefined): string =>
    column === undefined ? 'NULL' : `e.${column.quoted}::text`;
  const metadata = ledger.metadata === undefined ? 'NULL' : `e.${ledger.metadata.quoted}`;
  return `e.${ledger.id.quoted}::text AS "entryId", ${text(ledger.transaction)} AS "transactionId",
       e.${ledger.wallet.quoted}::text AS "walletId", e.${ledger.amount.quoted}::text AS amount,
       ${text(ledger.balanceAfter)} AS "balanceAfter", ${text(ledger.reason)} AS reason, ${text(ledger.note)} AS note,
       ${metadata}::jsonb AS metadata, ${text(ledger.actor)} AS actor, ${text(ledger.counterparty)} AS counterparty,
       ${text(ledger.reverses)} AS reverses, ${text(ledger.hold)} AS "holdId"`;
}

export interface HoldRow {
  readonly holdId: string;
  readonly walletId: string;
  readonly amount: string;
  readonly captured: string;
  readonly state: 'open' | 'captured' | 'released' | 'expired';
  readonly reason: string;
  readonly note: string | null;
  readonly metadata: unknown;
  readonly actor: string | null;
  /** Milliseconds since 1970. */
  readonly expiresAt: number | null;
  readonly createdAt: number;
  readonly idempotencyKey: string | null;
  readonly releaseKey: string | null;
}

export const HOLD_COLUMNS = `s.id::text AS "holdId", s.wallet_id AS "walletId", s.amount::text, s.captured::text, s.state, s.reason,
       s.note, s.metadata, s.actor, (extract(epoch FROM s.expires_at) * 1000)::float8 AS "expiresAt",
       (extract(epoch FROM s.created_at) * 1000)::float8 AS "createdAt",
       s.idempotency_key AS "idempotencyKey", s.release_key AS "releaseKey"`;

/** Holds by their ids, and by the keys under which they were made or released. */
export function readHolds(
  mapping: ResolvedMapping,
  wanted: Pick<Wanted, 'holds' | 'keys'>,
): Statement {
  const { table } = mapping.ledger;
  const from = `SELECT ${HOLD_COLUMNS} FROM trueup.holds AS s WHERE s.ledger = ${quoteLiteral(table.quoted)}`;
  return {
    name: `holds ${table.oid}`,
    text: `${from} AND s.id = ANY ($1::uuid[])
 UNION ALL ${from} AND s.idempotency_key = ANY ($2::text[])
 UNION ALL ${from} AND s.release_key = ANY ($2::text[])`,
    values: [arrayOf(wanted.holds), arrayOf(wanted.keys)],
  };
}
