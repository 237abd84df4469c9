import type { Column, ResolvedMapping } from '../../mapping/model.js';
import type { Statement } from '../../postgres/database.js';
import { quoteLiteral } from '../../postgres/identifiers.js';
import { comparedCaches } from '../../reconcile/generate-comparison.js';
import { asText } from '../../reconcile/generate-truth.js';
import type { RunRow } from './run-statements.js';

/** Statements that take repairs back. */

/** Before and after of a cache, by `part.field`. */
export type Changes = Readonly<Record<string, readonly [string | null, string | null]>>;

/** What a run did to one wallet: once as a rule; a resumed run may have repaired it again. */
export interface RepairedWallet {
  readonly walletId: string;
  readonly profileId: string | null;
  readonly userId: string | null;
  /** Oldest first. */
  readonly changes: readonly Changes[];
  /** An opening entry came with it, which no undo takes back. */
  readonly opened: boolean;
}

/** The wallets that a run repaired and no undo has taken back, in the order of their ids as text. */
export function repairedWallets(runId: string, above: string, limit: number): Statement {
  return {
    text: `SELECT p.wallet_id AS "walletId", max(p.profile_id) AS "profileId", max(p.user_id) AS "userId",
       json_agg(p.changes ORDER BY p.repaired_at) AS changes, bool_or(p.cause = 'no_history') AS opened
  FROM trueup.repairs AS p
 WHERE p.run_id = $1 AND p.wallet_id > $2
   AND NOT EXISTS (SELECT FROM trueup.repairs AS u JOIN trueup.runs AS r ON r.id = u.run_id
                    WHERE u.wallet_id = p.wallet_id AND r.kind = 'undo' AND r.options ->> 'run' = $1::uuid::text)
 GROUP BY p.wallet_id ORDER BY p.wallet_id LIMIT $3`,
    values: [runId, above, limit],
  };
}

/**
 * Which of these wallets an undo of the run has taken back already. Asked under lock, it also knows of one
 * that was at work at the same time.
 */
export function takenBack(runId: string, walletIds: readonly string[]): Statement {
  return {
    text: `SELECT DISTINCT u.wallet_id AS "walletId"
             FROM trueup.repairs AS u JOIN trueup.runs AS r ON r.id = u.run_id
            WHERE u.wallet_id = ANY ($2::text[]) AND r.kind = 'undo' AND r.options ->> 'run' = $1::uuid::text`,
    values: [runId, walletIds],
  };
}

/** What is to be taken back of one wallet. */
export interface Undoing {
  readonly walletId: string;
  readonly profileId: string | null;
  readonly userId: string | null;
  readonly changes: Changes;
}

export interface UndoRow {
  readonly walletId: string;
  readonly userId: string | null;
  /** Every cache still holds what the run wrote. */
  readonly holds: boolean;
  /** What the caches hold, by `part.field`. */
  readonly now: Readonly<Record<string, string | null>>;
}

/**
 * Gives caches of locked wallets back what a run had replaced, where each still holds what the run
 * wrote, and records it: a wallet and its profile together or not at all.
 *
 * @param undoRun the run that it is recorded under, and the one that it undoes; undefined: only look
 */
export function takeBack(
  mapping: ResolvedMapping,
  wallets: readonly Undoing[],
  undoRun: { readonly id: string; readonly undoes: UndoneRun } | undefined,
): Statement {
  const { wallet, profile } = mapping;
  const caches = comparedCaches(mapping).map(({ part, field, column }) => ({
    part,
    column,
    key: quoteLiteral(`${part}.${field}`),
    value: `${part === 'wallet' ? 'w' : 'p'}.${column.quoted}`,
  }));
  const holds = caches.map(({ column, key, value }) => {
    const written = `(u.changes -> ${key} ->> 1)::${column.baseType}`;
    return `(NOT u.changes ? ${key} OR ${value} IS NOT DISTINCT FROM ${written})`;
  });
  const now = caches.map(
    ({ column, key, value }) =>
      `${key}, ${column.kind === 'integer' ? `${value}::text` : asText(value)}`,
  );
  const profileJoin =
    profile === undefined
      ? ''
      : `LEFT JOIN ${profile.table.quoted} AS p ON p.${profile.id.quoted} = u.profile_id::${profile.id.baseType}`;
  const found = `WITH found AS MATERIALIZED (
  SELECT u.wallet_id, u.profile_id, u.user_id, u.changes, ${holds.join(' AND ')} AS holds,
         jsonb_build_object(${now.join(', ')}) AS now
    FROM jsonb_to_recordset($1::jsonb) AS u (wallet_id text, profile_id text, user_id text, changes jsonb)
    JOIN ${wallet.table.quoted} AS w ON w.${wallet.id.quoted} = u.wallet_id::${wallet.id.baseType}
    ${profileJoin}
)`;
  const writes =
    undoRun === undefined
      ? ''
      : `, ${writesOf(mapping, caches)}, ${RECORDED}, ${undoRun.undoes.kind === 'undo' ? CLOSED : OPENED}`;
  return {
    text: `${found}${writes}
SELECT f.wallet_id AS "walletId", f.user_id AS "userId", f.holds, f.now FROM found AS f ORDER BY f.wallet_id`,
    values: [
      JSON.stringify(
        wallets.map(({ walletId, profileId, userId, changes }) => ({
          ...{ wallet_id: walletId, profile_id: profileId, user_id: userId, changes },
        })),
      ),
      ...(undoRun === undefined ? [] : [undoRun.id]),
      ...(undoRun?.undoes.kind === 'undo' ? [undoRun.undoes.runId] : []),
    ],
  };
}

const RECORDED = `recorded AS (
  INSERT INTO trueup.repairs (run_id, wallet_id, profile_id, user_id, cause, changes)
  SELECT $2::uuid, f.wallet_id, f.profile_id, f.user_id, 'undone',
         (SELECT jsonb_object_agg(c.key, jsonb_build_array(c.value -> 1, c.value -> 0)) FROM jsonb_each(f.changes) AS c)
    FROM found AS f WHERE f.holds
)`;

/** The ledger says something else than the caches now: known to be wrong until a run has looked again. */
const OPENED = `opened AS (
  INSERT INTO trueup.findings (run_id, ledger, wallet_id, profile_id, user_id, state, part, field, cached, expected, delta)
  SELECT r.id, r.ledger, f.wallet_id, f.profile_id, f.user_id, 'undone', split_part(c.key, '.', 1),
         split_part(c.key, '.', 2), c.value ->> 0, c.value ->> 1,
         (c.value ->> 1)::numeric - coalesce((c.value ->> 0)::numeric, 0)
    FROM found AS f CROSS JOIN jsonb_each(f.changes) AS c JOIN trueup.runs AS r ON r.id = $2::uuid
   WHERE f.holds
)`;

/** An undo was undone: what it had opened is right again. */
const CLOSED = `closed AS (
  UPDATE trueup.findings AS o SET settled_at = clock_timestamp(), settled_by = $2::uuid
    FROM found AS f
   WHERE f.holds AND o.run_id = $3::uuid AND o.wallet_id = f.wallet_id AND o.settled_at IS NULL
)`;

/** The run that is undone. */
export type UndoneRun = Pick<RunRow, 'runId' | 'kind'>;

interface Cache {
  readonly part: 'wallet' | 'profile';
  readonly column: Column;
  /** As a literal. */
  readonly key: string;
}

function writesOf(mapping: ResolvedMapping, caches: readonly Cache[]): string {
  const { wallet, profile } = mapping;
  const tables = [
    { part: 'wallet', alias: 'w', place: wallet, name: 'wallet_id' } as const,
    ...(profile === undefined
      ? []
      : [{ part: 'profile', alias: 'p', place: profile, name: 'profile_id' } as const]),
  ];
  return tables
    .flatMap(({ part, alias, place, name }) => {
      const own = caches.filter((cache) => cache.part === part);
      if (own.length === 0) return [];
      const assignments = own.map(
        ({ column, key }) =>
          `${column.quoted} = CASE WHEN f.changes ? ${key} THEN (f.changes -> ${key} ->> 0)::${column.baseType} ELSE ${alias}.${column.quoted} END`,
      );
      const touched = place.updatedAt === undefined ? [] : [`${place.updatedAt.quoted} = now()`];
      return [
        `${part}s AS (
  UPDATE ${place.table.quoted} AS ${alias} SET ${[...assignments, ...touched].join(', ')}
    FROM found AS f
   WHERE f.holds AND ${alias}.${place.id.quoted} = f.${name}::${place.id.baseType}
     AND f.changes ?| ARRAY[${own.map(({ key }) => key).join(', ')}]
)`,
      ];
    })
    .join(', ');
}
