import type { Cause } from '../core/evidence.js';
import { shownProfile } from '../mapping/expressions.js';
import type { ResolvedMapping } from '../mapping/model.js';
import type { Statement } from '../postgres/database.js';
import {
  cacheTexts,
  cachesDiffer,
  comparedCaches,
  comparison,
  isCritical,
  isWithoutHistory,
  largestDelta,
  partDiffers,
} from './generate-comparison.js';
import { asText } from './generate-truth.js';
import { MOST } from './survey-statements.js';
import type { Holding } from './tiers.js';

/** Statements that lock and repair. */

/** What becomes of a wallet whose row is held by somebody else. */
export type OnLocked = 'skip' | 'wait';

/**
 * Locks wallets in id order, and then their profiles in id order: the order of the sync triggers.
 * FOR NO KEY UPDATE, because FOR UPDATE would make the foreign-key check of every new entry wait.
 * The recomputation has to be the next statement: in the same one it would not see what a
 * transaction that held the lock has just committed.
 *
 * Returns the wallets that are not to be touched: somebody else holds them or their profile, or they
 * are gone. (A profile that does not exist holds nobody up.)
 */
export function lockUsers(
  mapping: ResolvedMapping,
  walletIds: readonly string[],
  onLocked: OnLocked,
): Statement {
  const { wallet, profile } = mapping;
  const id = `w.${wallet.id.quoted}`;
  const type = wallet.id.baseType;
  const skipping = onLocked === 'skip' ? ' SKIP LOCKED' : '';
  const link = profile === undefined ? '' : `, ${shownProfile(mapping, 'w')} AS profile`;
  const profiles =
    profile === undefined
      ? ''
      : `, profiles AS MATERIALIZED (
  SELECT p.${profile.id.quoted} AS id FROM ${profile.table.quoted} AS p
   WHERE p.${profile.id.quoted} IN (SELECT l.profile FROM wallets AS l)
   ORDER BY p.${profile.id.quoted} FOR NO KEY UPDATE${skipping}
)`;
  const heldByProfile =
    profile === undefined
      ? ''
      : `
 UNION ALL
SELECT l.id::text FROM wallets AS l
 WHERE NOT EXISTS (SELECT FROM profiles AS k WHERE k.id = l.profile)
   AND EXISTS (SELECT FROM ${profile.table.quoted} AS p WHERE p.${profile.id.quoted} = l.profile)`;
  return {
    text: `WITH wallets AS MATERIALIZED (
  SELECT ${id} AS id${link} FROM ${wallet.table.quoted} AS w
   WHERE ${id} = ANY ($1::${type}[]) ORDER BY ${id} FOR NO KEY UPDATE${skipping}
)${profiles}
SELECT u.id::text AS "walletId" FROM unnest($1::${type}[]) AS u (id)
 WHERE NOT EXISTS (SELECT FROM wallets AS l WHERE l.id = u.id)${heldByProfile}`,
    values: [walletIds],
  };
}

/** A wallet that was compared again under lock. */
export interface FoundRow {
  readonly wallet_id: string;
  readonly profile_id: string | null;
  readonly profile_exists: boolean;
  readonly user_id: string | null;
  readonly entry_count: string;
  /** More coins than the run may move by itself: it was left as it is. */
  readonly held: boolean;
  /** What its entries sum up to, where that is below zero without overdraft and such are looked for. */
  readonly critical: string | null;
  readonly frozen: boolean;
  /** JSON: `"wallet.balance": ["7", "494"]` for every cache that differed: before and after. */
  readonly changes: string;
}

/**
 * Compares locked wallets again, overwrites what is still wrong, and records every repair: one
 * statement, because what it reads is locked. Returns the caches that differed, repaired or not.
 * The chain of running balances is not looked at: repairing cannot change it. LIMIT says nothing
 * new, but tells the planner how few rows there are: without it it read both whole tables.
 */
export function repairLocked(
  mapping: ResolvedMapping,
  walletIds: readonly string[],
  record: {
    readonly runId: string;
    readonly cause: Cause;
    readonly holding?: Holding | undefined;
  },
): Statement {
  const most = String(walletIds.length);
  const { over, freezing = false } = record.holding ?? {};
  const held =
    over === undefined ? 'false' : `least(${largestDelta(mapping)}, ${MOST}) > $4::numeric`;
  const differ = cachesDiffer(mapping);
  return {
    text: `WITH found AS MATERIALIZED (
  SELECT c.*, ${held} AS held, '{' || concat_ws(',', ${changes(mapping)}) || '}' AS changes
    FROM (${comparison(mapping, { kind: 'ids' }, { chain: false, rows: true })} OFFSET 0) AS c
   WHERE c.wallet_exists AND ${freezing ? `(${differ} OR ${isCritical})` : differ} LIMIT ${most}
), repairable AS MATERIALIZED (
  SELECT c.* FROM found AS c WHERE NOT c.held AND ${differ} AND NOT (${isWithoutHistory(mapping)}) LIMIT ${most}
), ${repairOfWallets(mapping)}, ${repairOfProfiles(mapping)}recorded AS (
  INSERT INTO trueup.repairs (run_id, wallet_id, profile_id, user_id, cause, changes)
  SELECT $2::uuid, c.wallet_id::text, c.profile_id::text, c.user_id::text, $3::text, ${written(mapping)}
    FROM repairable AS c WHERE c.profile_exists OR c.profile_id IS NULL OR ${written(mapping)} <> '{}'
)
SELECT c.wallet_id::text, c.profile_id::text, c.profile_exists, c.user_id::text, c.entry_count::text, c.held, c.frozen,
       ${freezing ? `CASE WHEN ${isCritical} THEN ${asText('c.wallet_balance_expected')} END` : 'NULL'} AS critical, c.changes
  FROM found AS c
 ORDER BY c.wallet_id`,
    values: [
      ...[walletIds, record.runId, record.cause],
      ...(over === undefined ? [] : [String(over)]),
    ],
  };
}

/** Says why wallets of a run were wrong, in the transaction that repaired them. */
export function nameCauses(
  runId: string,
  causes: readonly { readonly walletId: string; readonly cause: Cause }[],
): Statement {
  return {
    text: `UPDATE trueup.repairs AS p SET cause = c.cause
             FROM unnest($2::text[], $3::text[]) AS c (wallet_id, cause)
            WHERE p.run_id = $1 AND p.wallet_id = c.wallet_id
              AND p.writer = pg_current_xact_id()`,
    values: [runId, causes.map(({ walletId }) => walletId), causes.map(({ cause }) => cause)],
  };
}

/** The members of that object. As text: building it with JSON functions took a fifth of the time. */
function changes(mapping: ResolvedMapping): string {
  return comparedCaches(mapping)
    .map((cache) => {
      const { part, field, name } = cache;
      const [before, after] = cacheTexts(mapping, cache);
      const shown = part === 'profile' ? 'c.profile_id IS NOT NULL AND ' : '';
      return `CASE WHEN ${shown}c.${name} IS DISTINCT FROM c.${name}_expected THEN
           '"${part}.${field}":[' || coalesce('"' || ${before} || '"', 'null') || ',"' || ${after} || '"]' END`;
    })
    .join(',\n         ');
}

/** What a repair has written (alias c): nothing into a profile whose row is missing. */
function written(mapping: ResolvedMapping): string {
  const keys = comparedCaches(mapping)
    .filter(({ part }) => part === 'profile')
    .map(({ part, field }) => `${part}.${field}`);
  if (keys.length === 0) return 'c.changes::jsonb';
  return `CASE WHEN c.profile_exists OR c.profile_id IS NULL THEN c.changes::jsonb
               ELSE c.changes::jsonb - '{${keys.join(',')}}'::text[] END`;
}

function repairOfWallets(mapping: ResolvedMapping): string {
  const { wallet } = mapping;
  return `wallets AS (
  UPDATE ${wallet.table.quoted} AS w SET ${assignments(mapping, 'wallet', wallet.updatedAt?.quoted)}
    FROM repairable AS c WHERE w.ctid = c.wallet_row AND w.tableoid = c.wallet_table AND (${partDiffers(mapping, 'wallet')})
)`;
}

function repairOfProfiles(mapping: ResolvedMapping): string {
  const { profile } = mapping;
  const differs = partDiffers(mapping, 'profile');
  if (profile === undefined || differs === '') return '';
  return `profiles AS (
  UPDATE ${profile.table.quoted} AS p SET ${assignments(mapping, 'profile', profile.updatedAt?.quoted)}
    FROM repairable AS c WHERE p.ctid = c.profile_row AND p.tableoid = c.profile_table AND (${differs})
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
