import type { NewEntry } from '../core/posting/plan.js';
import type { ResolvedMapping } from '../mapping/model.js';
import type { Statement } from '../postgres/database.js';
import { quoteLiteral } from '../postgres/identifiers.js';
import { arrayOf } from './arrays.js';
import {
  lastEntryOf,
  openHoldsOf,
  walletColumns,
  walletPending,
  walletSpecials,
  wantedWallets,
  type HeadRow,
  type WalletRow,
} from './lock-statements.js';
import type { Remembered } from './memory.js';
import { syncedIs } from './read-statements.js';
import type { Wanted } from './wanted.js';
import { entryParts, idsOfInserted } from './write-statements.js';

/** Statements that post what was decided on remembered wallets. */

/** A wallet as it stands, without a lock. */
export interface SeenRow extends WalletRow, HeadRow {
  readonly version: string;
  /** It has spending limits, or holds that expire. */
  readonly unfit: boolean;
  readonly headBalance: string | null;
  /** When the server was started. */
  readonly server: string;
}

/** Reads wallets, what their last entries say and what is on hold, as of one snapshot. */
export function seeWallets(mapping: ResolvedMapping, wanted: Wanted): Statement {
  const { wallet } = mapping;
  const { text, values, name } = wantedWallets(mapping, wanted);
  return {
    name: `see ${name}`,
    text: `${text}
SELECT ${walletColumns(mapping, wanted)}, w.xmin::text AS version, pg_postmaster_start_time()::text AS server,
       h.sequence::text, h.balance::text AS "headBalance", o.held::text, o.overdue::text,
       ${limitsOn(mapping, `w.${wallet.id.quoted}::text`)} OR ${expiringHoldsOf(mapping)} AS unfit
  FROM wanted
  JOIN ${wallet.table.quoted} AS w ON w.${wallet.id.quoted} = wanted.id
  ${lastEntryOf(mapping, 'wanted.id')}
  ${openHoldsOf(mapping, 'wanted.id')}`,
    values,
  };
}

/** Whether there are spending limits for a wallet, or for any wallet. */
function limitsOn({ ledger }: ResolvedMapping, walletIds: string): string {
  return `EXISTS (SELECT FROM trueup.spending_limits AS l
                WHERE l.ledger = ${quoteLiteral(ledger.table.quoted)} AND (l.wallet_id IS NULL OR l.wallet_id IN (${walletIds})))`;
}

function expiringHoldsOf({ ledger, wallet }: ResolvedMapping): string {
  if (wallet.pendingBalance === undefined) return 'false';
  return `EXISTS (SELECT FROM trueup.holds AS s
                WHERE s.ledger = ${quoteLiteral(ledger.table.quoted)} AND s.state = 'open' AND s.expires_at IS NOT NULL
                  AND s.wallet_id = w.${wallet.id.quoted}::text)`;
}

/** New transaction ids. */
export function newTransactions({ ledger }: ResolvedMapping, count: number): Statement {
  return {
    name: `transactions ${ledger.table.oid}`,
    text: `SELECT (${ledger.transaction?.defaultSql ?? 'NULL'})::text AS id FROM generate_series(1, $1::integer)`,
    values: [String(count)],
  };
}

/** What became of entries that were decided ahead. */
export interface AheadRow {
  /** All of it was posted; else nothing was. */
  readonly posted: boolean;
  /** The ids of the entries, in the order of the plan. */
  readonly entryIds: readonly string[] | null;
  /** The version that the changed wallets have now. */
  readonly version: string;
  /** Wallets that were as remembered. */
  readonly fresh: readonly string[] | null;
  /** Keys that were used before. */
  readonly used: readonly string[] | null;
  readonly limited: boolean;
  /** It is not the run of the server that the wallets were read from. */
  readonly restarted: boolean;
  /** New transaction ids, for the next ones. */
  readonly transactions: readonly string[];
}

/** Entries that were decided on remembered wallets. */
export interface Ahead {
  /** When the server was started that the wallets were read from. */
  readonly server: string;
  readonly wallets: readonly Remembered[];
  /** By wallet: whose it has to be, where it was named by its user. */
  readonly users: ReadonlyMap<string, string>;
  readonly keys: readonly string[];
  readonly entries: readonly NewEntry[];
  /** The ids of the plan's transactions. */
  readonly transactions: readonly string[];
  /** How many transaction ids the next ones need. */
  readonly reserve: number;
}

/**
 * Locks the wallets in id order, compares them with what was remembered, and inserts the entries if
 * every wallet is as it was, no key was used, no limit stands in the way and the sync trigger is
 * there. One statement, and a transaction of its own.
 *
 * The row that a lock was waited for is the one that is compared: PostgreSQL evaluates it anew. Keys
 * and limits are seen as of the statement's beginning; a key that was committed since then violates
 * its index, and the statement fails.
 */
export function postAhead(mapping: ResolvedMapping, ahead: Ahead): Statement {
  const { ledger, wallet, profile } = mapping;
  const { wallets, users } = ahead;
  const values: string[] = [];
  const next = (elements: readonly (string | null)[]): string =>
    `$${String(values.push(arrayOf(elements)))}`;
  const ids = `${next(wallets.map(({ state }) => state.walletId))}::${wallet.id.baseType}[]`;
  const arrays = [
    ids,
    `${next(wallets.map(({ version }) => version))}::xid[]`,
    `${next(wallets.map(({ pending }) => pending))}::text[]`,
    `${next(wallets.map(({ special }) => special))}::text[]`,
  ];
  const user = users.size > 0 ? profile?.user : undefined;
  const byUser = user !== undefined;
  if (byUser)
    arrays.push(`${next(wallets.map(({ state }) => users.get(state.walletId) ?? null))}::text[]`);
  const sameUser =
    user === undefined || profile === undefined
      ? ''
      : `
         AND (u.user_id IS NULL OR EXISTS (SELECT FROM ${profile.table.quoted} AS p
               WHERE p.${profile.id.quoted} = w.${profile.link.quoted} AND p.${user.quoted}::text = u.user_id))`;
  const server = `$${String(values.push(ahead.server))}::timestamptz`;
  const used = ahead.keys.length === 0 ? undefined : usedKeys(mapping, next(ahead.keys));
  const reserve = `$${String(values.push(String(ahead.reserve)))}::integer`;
  const { transactions } = ahead;
  const parts = entryParts(mapping, ahead.entries, values, { time: 'v.now', transactions });
  return {
    name: `ahead ${ledger.table.oid} ${parts.fingerprint}${byUser ? ' users' : ''}${used === undefined ? '' : ' keys'}`,
    text: `WITH locked AS MATERIALIZED (
  SELECT w.${wallet.id.quoted}::text AS id,
         w.xmin = u.version AND ${walletPending(mapping)} IS NOT DISTINCT FROM u.pending
         AND ${walletSpecials(mapping)} IS NOT DISTINCT FROM u.special${sameUser} AS fresh
    FROM unnest(${arrays.join(', ')}) AS u (id, version, pending, special${byUser ? ', user_id' : ''})
    JOIN ${wallet.table.quoted} AS w ON w.${wallet.id.quoted} = u.id
   ORDER BY w.${wallet.id.quoted} FOR NO KEY UPDATE OF w
)${used === undefined ? '' : `, used AS MATERIALIZED (${used})`}, seen AS MATERIALIZED (
  SELECT count(*) FILTER (WHERE l.fresh) = cardinality(${ids}) AS fresh,
         ${used === undefined ? 'true' : 'NOT EXISTS (SELECT FROM used)'} AS unused,
         ${limitsOn(mapping, 'SELECT k.id FROM locked AS k')} AS limited,
         ${syncedIs(mapping)} AS synced, pg_postmaster_start_time() <> ${server} AS restarted, clock_timestamp() AS now
    FROM locked AS l
), verdict AS MATERIALIZED (
  SELECT s.fresh AND s.unused AND s.synced AND NOT s.limited AND NOT s.restarted AS ok,
         s.limited, s.restarted, s.now
    FROM seen AS s
), inserted AS (
  INSERT INTO ${ledger.table.quoted} AS e (${parts.columns})
  SELECT ${parts.sources} FROM verdict AS v, ${parts.rows} WHERE v.ok
  RETURNING e.${ledger.id.quoted}::text AS id
)
SELECT v.ok AS posted, v.limited, v.restarted, pg_current_xact_id()::xid::text AS version,
       CASE WHEN v.ok THEN (SELECT ${idsOfInserted(parts)} FROM inserted AS i) END AS "entryIds",
       CASE WHEN NOT v.ok THEN ARRAY(SELECT l.id FROM locked AS l WHERE l.fresh) END AS fresh,
       ${used === undefined ? 'NULL::text[]' : 'CASE WHEN NOT v.ok THEN ARRAY(SELECT k.key FROM used AS k) END'} AS used,
       ARRAY(SELECT (${ledger.transaction?.defaultSql ?? 'NULL'})::text FROM generate_series(1, ${reserve})) AS transactions
  FROM verdict AS v`,
    values,
  };
}

/** Which of these keys are in the ledger or belong to a hold. */
function usedKeys({ ledger, holdsKept }: ResolvedMapping, keys: string): string {
  const key = ledger.idempotencyKey;
  if (key === undefined) throw new Error('keys without a column were not refused');
  const parts = [
    `SELECT e.${key.quoted}::text AS key FROM ${ledger.table.quoted} AS e WHERE e.${key.quoted} = ANY (${keys}::${key.baseType}[])`,
  ];
  if (holdsKept) {
    const from = `FROM trueup.holds AS s WHERE s.ledger = ${quoteLiteral(ledger.table.quoted)}`;
    parts.push(
      `SELECT s.idempotency_key ${from} AND s.idempotency_key = ANY (${keys}::text[])`,
      `SELECT s.release_key ${from} AND s.release_key = ANY (${keys}::text[])`,
    );
  }
  return parts.join(' UNION ALL ');
}

/**
 * Gives these wallets another version without changing them, under their locks: whatever was sent
 * before, and still waits somewhere, can no longer be posted.
 */
export function changeVersions(mapping: ResolvedMapping, walletIds: readonly string[]): Statement {
  const { id, balance, table } = mapping.wallet;
  return {
    text: `UPDATE ${table.quoted} AS w SET ${balance.quoted} = w.${balance.quoted} WHERE w.${id.quoted} = ANY ($1::${id.baseType}[])`,
    values: [arrayOf(walletIds)],
  };
}
