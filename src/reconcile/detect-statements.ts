import { andIsPrimary } from '../mapping/expressions.js';
import type { Column, ResolvedMapping, Table } from '../mapping/model.js';
import type { Statement } from '../postgres/database.js';
import { comparedCaches, comparison, isDrifted, isWithoutHistory } from './generate-comparison.js';
import type { Scope } from './generate-truth.js';
import { comparisonColumns } from './rows.js';

/** Statements that find drift. They read only, and take no lock. */

/** How many wallets there are. */
export function walletCount(mapping: ResolvedMapping): Statement {
  return { text: `SELECT count(*)::text AS wallets FROM ${mapping.wallet.table.quoted}` };
}

/** A key that is walked in order: the wallets' or the profiles'. */
export interface Walked {
  readonly table: Table;
  readonly id: Column;
}

/**
 * The end of the batch that begins after `above`: the id of its last row, and how many rows it has.
 * An empty batch has no end.
 */
export function batchEnd(walked: Walked, above: string | undefined, size: number): Statement {
  const { id, table } = walked;
  const from = above === undefined ? '' : `WHERE r.${id.quoted} > $2::${id.baseType}`;
  return {
    text: `SELECT ${lastOf(id.baseType)}::text AS "upTo", count(*)::text AS rows
             FROM (SELECT r.${id.quoted} AS id FROM ${table.quoted} AS r ${from}
                    ORDER BY r.${id.quoted} LIMIT $1) AS b`,
    values: above === undefined ? [size] : [size, above],
  };
}

/** PostgreSQL before 18 has no max(uuid). */
function lastOf(type: string): string {
  return type === 'uuid' ? '(array_agg(b.id ORDER BY b.id DESC))[1]' : 'max(b.id)';
}

/** A range of ids; either end may be open. */
export interface IdRange {
  readonly above: string | undefined;
  readonly upTo: string | undefined;
}

function rangeScope(range: IdRange): { scope: Scope; values: string[] } {
  return {
    scope: { kind: 'range', above: range.above !== undefined, upTo: range.upTo !== undefined },
    values: [range.above, range.upTo].filter((end) => end !== undefined),
  };
}

/** The drifted wallets of a range. Lock-free, one statement, so both sides are of one moment. */
export function driftedInRange(mapping: ResolvedMapping, range: IdRange): Statement {
  const { scope, values } = rangeScope(range);
  return { text: drifted(mapping, scope), values };
}

/** The drifted ones among these wallets. */
export function driftedAmong(mapping: ResolvedMapping, walletIds: readonly string[]): Statement {
  return { text: drifted(mapping, { kind: 'ids' }), values: [walletIds] };
}

function drifted(mapping: ResolvedMapping, scope: Scope): string {
  return `SELECT ${comparisonColumns(mapping)}
  FROM (${comparison(mapping, scope, { chain: true })}) AS c
 WHERE ${isDrifted(mapping)}
 ORDER BY c.wallet_id`;
}

/** A drifted wallet by its id only: who is repaired is compared again under lock anyhow. */
export interface SuspectRow {
  readonly walletId: string;
  /** There is more to it than caches to overwrite. */
  readonly special: boolean;
  /** The largest difference of its caches, in coins; only where it was asked for. */
  readonly delta?: string;
}

export function suspectsInRange(
  mapping: ResolvedMapping,
  range: IdRange,
  measured: boolean,
): Statement {
  const { scope, values } = rangeScope(range);
  return { text: suspects(mapping, scope, measured), values };
}

export function suspectsAmong(
  mapping: ResolvedMapping,
  walletIds: readonly string[],
  measured: boolean,
): Statement {
  return { text: suspects(mapping, { kind: 'ids' }, measured), values: [walletIds] };
}

function suspects(mapping: ResolvedMapping, scope: Scope, measured: boolean): string {
  const delta = measured ? `, ${largestDelta(mapping)}::text AS delta` : '';
  return `SELECT c.wallet_id::text AS "walletId",
       NOT c.wallet_exists OR c.chain_broken OR c.profile_id IS NOT NULL AND NOT c.profile_exists
         OR (${isWithoutHistory(mapping)}) AS special${delta}
  FROM (${comparison(mapping, scope, { chain: true })}) AS c
 WHERE ${isDrifted(mapping)}
 ORDER BY c.wallet_id`;
}

/** By how many coins the caches of a wallet (alias c) differ at most, as far as there are rows that hold them. */
function largestDelta(mapping: ResolvedMapping): string {
  const deltas = comparedCaches(mapping).map(({ part, name }) => {
    const delta = `abs(coalesce(c.${name}, 0)::numeric - c.${name}_expected::numeric)`;
    return part === 'wallet' ? delta : `CASE WHEN c.profile_exists THEN ${delta} END`;
  });
  return `coalesce(greatest(${deltas.join(', ')}), 0)`;
}

/** The whole comparison of these wallets, in sync or not. */
export function compared(mapping: ResolvedMapping, walletIds: readonly string[]): Statement {
  return {
    text: `SELECT ${comparisonColumns(mapping)}
  FROM (${comparison(mapping, { kind: 'ids' }, { chain: true })}) AS c
 ORDER BY c.wallet_id`,
    values: [walletIds],
  };
}

/**
 * Profiles that show coins although they have no wallet, in the shape of the comparison.
 *
 * @param range.only the profile `upTo` alone
 */
export function profilesWithoutWallet(
  mapping: ResolvedMapping,
  range: { above: string | undefined; upTo: string; only?: boolean },
): Statement | undefined {
  const { profile } = mapping;
  if (profile === undefined) return undefined;
  const [id, type] = [`p.${profile.id.quoted}`, profile.id.baseType];
  const text = withoutWallet(
    mapping,
    `${id} ${range.only === true ? '=' : '<='} $1::${type}${range.above === undefined ? '' : ` AND ${id} > $2::${type}`}`,
  );
  const values = range.above === undefined ? [range.upTo] : [range.upTo, range.above];
  return text === undefined ? undefined : { text, values };
}

/** The same of these profiles. */
export function profilesWithoutWalletAmong(
  mapping: ResolvedMapping,
  profileIds: readonly string[],
): Statement | undefined {
  const { profile } = mapping;
  if (profile === undefined) return undefined;
  const text = withoutWallet(
    mapping,
    `p.${profile.id.quoted} = ANY ($1::${profile.id.baseType}[])`,
  );
  return text === undefined ? undefined : { text, values: [profileIds] };
}

/** undefined: profiles show nothing that could be wrong. */
function withoutWallet(mapping: ResolvedMapping, condition: string): string | undefined {
  const { wallet, profile } = mapping;
  const caches = comparedCaches(mapping);
  const shown = caches.filter(({ part }) => part === 'profile');
  if (profile === undefined || shown.length === 0) return undefined;
  const id = `p.${profile.id.quoted}`;
  return `SELECT NULL AS wallet_id, false AS wallet_exists, ${id}::text AS profile_id, true AS profile_exists,
       ${profile.user === undefined ? 'NULL' : `p.${profile.user.quoted}::text`} AS user_id, '0' AS entry_count,
       json_build_array(${caches
         .map(({ part, column }) =>
           part === 'wallet'
             ? `json_build_array('0', '0')`
             : `json_build_array(trim_scale(coalesce(p.${column.quoted}, 0)::numeric)::text, '0')`,
         )
         .join(', ')}) AS caches, NULL AS first_break
  FROM ${profile.table.quoted} AS p
 WHERE ${condition}
   AND (${shown.map(({ column }) => `p.${column.quoted} <> 0`).join(' OR ')})
   AND NOT EXISTS (SELECT FROM ${wallet.table.quoted} AS w WHERE w.${profile.link.quoted} = ${id}${andIsPrimary(mapping, 'w')})
 ORDER BY ${id}`;
}
