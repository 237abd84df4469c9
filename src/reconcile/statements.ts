import type { Column, ResolvedMapping, Table } from '../mapping/model.js';
import type { Statement } from '../postgres/database.js';
import { quoteLiteral } from '../postgres/identifiers.js';
import {
  comparedCaches,
  comparison,
  isDrifted,
  isWithoutHistory,
  type Scope,
} from './generate-comparison.js';
import { comparisonColumns } from './rows.js';

/** Statements of reconcile, made from the mapping. Ids travel as text and are cast to their type. */

export function countWallets(mapping: ResolvedMapping): Statement {
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

/** The drifted wallets of a range. Lock-free, one statement, so both sides are of one moment. */
export function driftedInRange(
  mapping: ResolvedMapping,
  range: { above: string | undefined; upTo: string | undefined },
): Statement {
  const scope: Scope = {
    kind: 'range',
    above: range.above !== undefined,
    upTo: range.upTo !== undefined,
  };
  const values = [range.above, range.upTo].filter((end) => end !== undefined);
  return { text: drifted(mapping, scope), values };
}

/** The drifted ones among these wallets. */
export function driftedAmong(mapping: ResolvedMapping, walletIds: readonly string[]): Statement {
  return { text: drifted(mapping, { kind: 'ids' }), values: [walletIds] };
}

function drifted(mapping: ResolvedMapping, scope: Scope): string {
  return `SELECT ${comparisonColumns(mapping)}
  FROM (${comparison(mapping, scope)}) AS c
 WHERE ${isDrifted(mapping)}
 ORDER BY c.wallet_id`;
}

/** The whole comparison of these wallets, in sync or not. */
export function compared(mapping: ResolvedMapping, walletIds: readonly string[]): Statement {
  return {
    text: `SELECT ${comparisonColumns(mapping)}
  FROM (${comparison(mapping, { kind: 'ids' })}) AS c
 ORDER BY c.wallet_id`,
    values: [walletIds],
  };
}

/** What becomes of a wallet whose row is held by somebody else. */
export type OnLocked = 'skip' | 'wait';

/**
 * Locks wallets in id order. FOR NO KEY UPDATE: FOR UPDATE would make the foreign-key check of
 * every new entry wait. The recomputation has to be the next statement: in the same one it would
 * not see what the transaction that held the lock has just committed.
 */
export function lockWallets(
  mapping: ResolvedMapping,
  walletIds: readonly string[],
  onLocked: OnLocked,
): Statement {
  const { wallet, profile } = mapping;
  const link = profile === undefined ? 'NULL' : `w.${profile.link.quoted}::text`;
  return {
    text: `SELECT w.${wallet.id.quoted}::text AS "walletId", ${link} AS "profileId"
             FROM ${wallet.table.quoted} AS w
            WHERE w.${wallet.id.quoted} = ANY ($1::${wallet.id.baseType}[])
            ORDER BY w.${wallet.id.quoted} FOR NO KEY UPDATE${onLocked === 'skip' ? ' SKIP LOCKED' : ''}`,
    values: [walletIds],
  };
}

/** Locks profiles in id order, after their wallets. */
export function lockProfiles(
  mapping: ResolvedMapping,
  profileIds: readonly string[],
  onLocked: OnLocked,
): Statement | undefined {
  const { profile } = mapping;
  if (profile === undefined || profileIds.length === 0) return undefined;
  return {
    text: `SELECT p.${profile.id.quoted}::text AS "profileId"
             FROM ${profile.table.quoted} AS p
            WHERE p.${profile.id.quoted} = ANY ($1::${profile.id.baseType}[])
            ORDER BY p.${profile.id.quoted} FOR NO KEY UPDATE${onLocked === 'skip' ? ' SKIP LOCKED' : ''}`,
    values: [profileIds],
  };
}

/** Which of these profiles exist at all: one that does not cannot be locked either. */
export function existingProfiles(
  mapping: ResolvedMapping,
  profileIds: readonly string[],
): Statement | undefined {
  const { profile } = mapping;
  if (profile === undefined || profileIds.length === 0) return undefined;
  return {
    text: `SELECT p.${profile.id.quoted}::text AS "profileId" FROM ${profile.table.quoted} AS p
            WHERE p.${profile.id.quoted} = ANY ($1::${profile.id.baseType}[])`,
    values: [profileIds],
  };
}

/**
 * Compares locked wallets again, overwrites what is still wrong, and records every repair: one
 * statement, because what it reads is locked. Returns what it found, repaired or not.
 */
export function repairLocked(
  mapping: ResolvedMapping,
  walletIds: readonly string[],
  runId: string | null,
): Statement {
  return {
    text: `WITH compared AS MATERIALIZED (
  ${comparison(mapping, { kind: 'ids' })}
), found AS MATERIALIZED (
  SELECT c.* FROM compared AS c WHERE ${isDrifted(mapping)}
), repairable AS MATERIALIZED (
  SELECT c.* FROM found AS c WHERE c.wallet_exists AND NOT (${isWithoutHistory(mapping)})
), ${repairOfWallets(mapping)}, ${repairOfProfiles(mapping)}recorded AS (
  INSERT INTO trueup.repairs (run_id, ledger, wallet_id, profile_id, user_id, part, field, before, after, cause)
  SELECT $2::uuid, ${quoteLiteral(mapping.ledger.table.quoted)}, c.wallet_id::text, c.profile_id::text, c.user_id::text,
         v.part, v.field, v.cached, v.expected, 'unknown'
    FROM repairable AS c CROSS JOIN LATERAL (VALUES ${cacheValues(mapping)}) AS v (part, field, cached, expected)
   WHERE v.cached IS DISTINCT FROM v.expected AND (v.part = 'wallet' OR c.profile_exists)
)
SELECT ${comparisonColumns(mapping)}
  FROM found AS c
 ORDER BY c.wallet_id`,
    values: [walletIds, runId],
  };
}

function cacheValues(mapping: ResolvedMapping): string {
  return comparedCaches(mapping)
    .map(
      ({ part, field, name }) =>
        `('${part}', '${field}', c.${name}::numeric, c.${name}_expected::numeric)`,
    )
    .join(', ');
}

function repairOfWallets(mapping: ResolvedMapping): string {
  const { wallet } = mapping;
  return `wallets AS (
  UPDATE ${wallet.table.quoted} AS w SET ${assignments(mapping, 'wallet', wallet.updatedAt?.quoted)}
    FROM repairable AS c WHERE w.${wallet.id.quoted} = c.wallet_id AND (${differs(mapping, 'wallet')})
)`;
}

function repairOfProfiles(mapping: ResolvedMapping): string {
  const { profile } = mapping;
  if (profile === undefined || !comparedCaches(mapping).some(({ part }) => part === 'profile')) {
    return '';
  }
  return `profiles AS (
  UPDATE ${profile.table.quoted} AS p SET ${assignments(mapping, 'profile', profile.updatedAt?.quoted)}
    FROM repairable AS c WHERE p.${profile.id.quoted} = c.profile_id AND (${differs(mapping, 'profile')})
), `;
}

function assignments(
  mapping: ResolvedMapping,
  part: 'wallet' | 'profile',
  updatedAt: string | undefined,
): string {
  const caches = comparedCaches(mapping)
    .filter((cache) => cache.part === part)
    .map(({ column, name }) => `${column.quoted} = c.${name}_expected`);
  return [...caches, ...(updatedAt === undefined ? [] : [`${updatedAt} = now()`])].join(', ');
}

function differs(mapping: ResolvedMapping, part: 'wallet' | 'profile'): string {
  return comparedCaches(mapping)
    .filter((cache) => cache.part === part)
    .map(({ name }) => `c.${name} IS DISTINCT FROM c.${name}_expected`)
    .join(' OR ');
}

/** Profiles that show coins although they have no wallet, in the shape of the comparison. */
export function profilesWithoutWallet(
  mapping: ResolvedMapping,
  range: { above: string | undefined; upTo: string },
): Statement | undefined {
  const { wallet, profile } = mapping;
  const caches = comparedCaches(mapping);
  const shown = caches.filter(({ part }) => part === 'profile');
  if (profile === undefined || shown.length === 0) return undefined;
  const id = `p.${profile.id.quoted}`;
  const values = range.above === undefined ? [range.upTo] : [range.upTo, range.above];
  return {
    text: `SELECT NULL AS wallet_id, false AS wallet_exists, ${id}::text AS profile_id, true AS profile_exists,
       ${profile.user === undefined ? 'NULL' : `p.${profile.user.quoted}::text`} AS user_id, '0' AS entry_count,
       json_build_array(${caches
         .map(({ part, column }) =>
           part === 'wallet'
             ? `json_build_array('0', '0')`
             : `json_build_array(trim_scale(coalesce(p.${column.quoted}, 0)::numeric)::text, '0')`,
         )
         .join(', ')}) AS caches, NULL AS first_break
  FROM ${profile.table.quoted} AS p
 WHERE ${id} <= $1::${profile.id.baseType}${range.above === undefined ? '' : ` AND ${id} > $2::${profile.id.baseType}`}
   AND (${shown.map(({ column }) => `p.${column.quoted} <> 0`).join(' OR ')})
   AND NOT EXISTS (SELECT FROM ${wallet.table.quoted} AS w WHERE w.${profile.link.quoted} = ${id})
 ORDER BY ${id}`,
    values,
  };
}

export interface UserRow {
  /** As it was asked for. */
  readonly userId: string;
  readonly known: boolean;
  readonly walletId: string | null;
}

/** The wallets of these users; one row at least for each, also for those that nobody knows. */
export function walletsOfUsers(
  mapping: ResolvedMapping,
  userIds: readonly string[],
): Statement | undefined {
  const { wallet, profile } = mapping;
  if (profile?.user === undefined) return undefined;
  const { user } = profile;
  return {
    text: `SELECT u.given AS "userId", p.${profile.id.quoted} IS NOT NULL AS known,
                  w.${wallet.id.quoted}::text AS "walletId"
             FROM unnest($1::text[]) AS u (given)
             LEFT JOIN ${profile.table.quoted} AS p ON p.${user.quoted} = u.given::${user.baseType}
             LEFT JOIN ${wallet.table.quoted} AS w ON w.${profile.link.quoted} = p.${profile.id.quoted}
            ORDER BY w.${wallet.id.quoted}`,
    values: [userIds],
  };
}

export interface RunRecord {
  readonly id: string;
  readonly ledger: string;
  readonly options: object;
  readonly version: string;
}

export function startRun(run: RunRecord): Statement {
  return {
    text: 'INSERT INTO trueup.runs (id, ledger, options, version) VALUES ($1, $2, $3, $4)',
    values: [run.id, run.ledger, JSON.stringify(run.options), run.version],
  };
}

export function finishRun(id: string, exitStatus: number, counts: object): Statement {
  return {
    text: `UPDATE trueup.runs
              SET finished_at = clock_timestamp(), exit_status = $2, counts = $3 WHERE id = $1`,
    values: [id, exitStatus, JSON.stringify(counts)],
  };
}
