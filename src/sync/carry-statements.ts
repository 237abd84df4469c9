import { earns, shownProfile } from '../mapping/expressions.js';
import type { Column, ResolvedMapping } from '../mapping/model.js';
import type { Statement } from '../postgres/database.js';
import { idleLock, MARK_CHANNEL } from './generate-deferred.js';

/** Statements that carry marked profiles, over trueup.profile_marks. */

/** How old a mark has to be before a profile that somebody else holds is given to the healer. */
const PATIENCE = '500 ms';

export interface MarkRow {
  readonly id: string;
  readonly walletId: string;
  /** It has waited for its profile long enough. */
  readonly old: boolean;
}

/** Which marks are taken: the next after an id, or those with these ids as far as they are there. */
export type Taken =
  { readonly after: string; readonly limit: number } | { readonly ids: readonly string[] };

/** Takes marks that no other carrier has taken. Never waits. */
export function takeMarks(ledger: string, taken: Taken): Statement {
  const several = 'ids' in taken;
  return {
    text: `SELECT m.id::text, m.wallet_id AS "walletId",
                  m.marked_at < clock_timestamp() - interval '${PATIENCE}' AS old
             FROM trueup.profile_marks AS m
            WHERE m.ledger = $1 AND ${several ? 'm.id = ANY ($2::bigint[])' : 'm.id > $2'}
            ORDER BY m.id ${several ? '' : 'LIMIT $3 '}FOR UPDATE SKIP LOCKED`,
    values: several ? [ledger, taken.ids] : [ledger, taken.after, taken.limit],
  };
}

export interface ShownRow {
  readonly walletId: string;
  readonly profileId: string;
  readonly exists: boolean;
  /** It is locked now; if not, somebody else holds it. */
  readonly locked: boolean;
}

/**
 * Locks the profiles that show these wallets, as far as nobody else holds them. The wallets need no
 * lock: whoever holds a profile reads its wallet in the next statement, so that of two carriers the
 * later one writes the later balance; and an entry that commits in between has left its own mark.
 */
export function lockProfiles(mapping: ResolvedMapping, walletIds: readonly string[]): Statement {
  const { wallet, profile } = mapping;
  const table = profile?.table.quoted ?? '';
  const id = `p.${profile?.id.quoted ?? ''}`;
  return {
    text: `WITH shown AS MATERIALIZED (
  SELECT w.${wallet.id.quoted} AS id, ${shownProfile(mapping, 'w')} AS profile
    FROM ${wallet.table.quoted} AS w WHERE w.${wallet.id.quoted} = ANY ($1::${wallet.id.baseType}[])
), locked AS MATERIALIZED (
  SELECT ${id} AS id FROM ${table} AS p
   WHERE ${id} IN (SELECT s.profile FROM shown AS s) ORDER BY ${id} FOR NO KEY UPDATE SKIP LOCKED
)
SELECT s.id::text AS "walletId", s.profile::text AS "profileId", l.id IS NOT NULL AS locked,
       l.id IS NOT NULL OR EXISTS (SELECT FROM ${table} AS p WHERE ${id} = s.profile) AS exists
  FROM shown AS s LEFT JOIN locked AS l ON l.id = s.profile
 WHERE s.profile IS NOT NULL`,
    values: [walletIds],
  };
}

/** Makes locked profiles show what their wallets hold. Sets, never adds: doing it twice is doing it once. */
export function copyToProfiles(mapping: ResolvedMapping, walletIds: readonly string[]): Statement {
  const { wallet, profile } = mapping;
  const amount = `e.${mapping.ledger.amount.quoted}`;
  const caches = [
    { from: wallet.balance, to: profile?.balance, sum: `sum(${amount})` },
    {
      from: wallet.lifetimeEarnings,
      to: profile?.lifetimeEarnings,
      sum: `sum(${amount}) FILTER (WHERE ${earns(mapping, 'e')})`,
    },
  ].flatMap(({ from, to, sum }, n) =>
    to === undefined ? [] : [{ to, says: saysOf(mapping, from, sum), name: `cache_${String(n)}` }],
  );
  const touched = profile?.updatedAt;
  const assignments = [
    ...caches.map(({ to, name }) => `${to.quoted} = s.${name}`),
    ...(touched === undefined ? [] : [`${touched.quoted} = now()`]),
  ];
  return {
    text: `UPDATE ${profile?.table.quoted ?? ''} AS p SET ${assignments.join(', ')}
  FROM (SELECT ${shownProfile(mapping, 'w')} AS profile, ${caches.map(({ says, name }) => `${says} AS ${name}`).join(', ')}
          FROM ${wallet.table.quoted} AS w
         WHERE w.${wallet.id.quoted} = ANY ($1::${wallet.id.baseType}[])) AS s
 WHERE p.${profile?.id.quoted ?? ''} = s.profile
   AND (${caches.map(({ to, name }) => `p.${to.quoted} IS DISTINCT FROM s.${name}`).join(' OR ')})`,
    values: [walletIds],
  };
}

/** What the wallet holds; what the ledger says where the wallet's own cache is unknown. */
function saysOf(mapping: ResolvedMapping, cache: Column | undefined, sum: string): string {
  const { ledger, wallet } = mapping;
  const truth = `(SELECT coalesce(${sum}, 0) FROM ${ledger.table.quoted} AS e
                 WHERE e.${ledger.wallet.quoted} = w.${wallet.id.quoted})`;
  if (cache === undefined) return truth;
  const held = `w.${cache.quoted}`;
  return cache.nullable ? `coalesce(${held}, ${truth})` : held;
}

/** Takes the marks of one wallet that no carrier has taken. */
export function takeMarksOf(ledger: string, walletId: string): Statement {
  return {
    text: `SELECT m.id::text FROM trueup.profile_marks AS m
            WHERE m.ledger = $1 AND m.wallet_id = $2 FOR UPDATE SKIP LOCKED`,
    values: [ledger, walletId],
  };
}

/** Deletes marks by the ids that were seen. */
export function deleteMarks(ledger: string, ids: readonly string[]): Statement {
  return {
    text: 'DELETE FROM trueup.profile_marks WHERE ledger = $1 AND id = ANY ($2::bigint[])',
    values: [ledger, ids],
  };
}

/** A profile that could not be carried, and why. */
export interface Refusal {
  readonly walletId: string;
  readonly profileId: string;
  readonly state: string;
  readonly message: string;
}

/** Turns marks into recorded failures, each with the transaction of its entry, and wakes the healer. */
export function failMarks(
  ledger: string,
  ids: readonly string[],
  refusals: readonly Refusal[],
): Statement {
  return {
    text: `WITH d AS (
  DELETE FROM trueup.profile_marks WHERE ledger = $1 AND id = ANY ($2::bigint[]) RETURNING wallet_id, writer
), f AS (
  INSERT INTO trueup.sync_failures (ledger, wallet_id, profile_id, sqlstate, message, writer)
  SELECT $1, d.wallet_id, r.profile, r.state, r.message, d.writer
    FROM d JOIN unnest($3::text[], $4::text[], $5::text[], $6::text[]) AS r (wallet, profile, state, message)
      ON r.wallet = d.wallet_id
)
SELECT pg_notify('trueup_sync_failure', $1) FROM d LIMIT 1`,
    values: [
      ledger,
      ids,
      refusals.map(({ walletId }) => walletId),
      refusals.map(({ profileId }) => profileId),
      refusals.map(({ state }) => state),
      refusals.map(({ message }) => message),
    ],
  };
}

/** Whether anything has to be carried, or is going to be. */
export function carrierWanted(ledger: string): Statement {
  return {
    text: `SELECT EXISTS (SELECT FROM trueup.sync_installations
                         WHERE ledger = $1 AND deferred AND removed_at IS NULL)
               OR EXISTS (SELECT FROM trueup.profile_marks WHERE ledger = $1) AS wanted`,
    values: [ledger],
  };
}

export const listenForMarks: Statement = { text: `LISTEN ${MARK_CHANNEL}` };
export const stopListening: Statement = { text: `UNLISTEN ${MARK_CHANNEL}` };

/** Says that this carrier sleeps until it is woken; false while a writer or another carrier objects. */
export function becomeIdle(ledger: string): Statement {
  return { text: `SELECT pg_try_advisory_lock(${idleLock(ledger)}) AS idle` };
}

export function endIdleness(ledger: string): Statement {
  return { text: `SELECT pg_advisory_unlock(${idleLock(ledger)})` };
}

/** The highest mark there is, as far as this statement sees. */
export function lastMark(ledger: string): Statement {
  return {
    text: `SELECT max(id)::text AS last FROM trueup.profile_marks WHERE ledger = $1`,
    values: [ledger],
  };
}

/** Whether marks up to this one are left. */
export function marksLeft(ledger: string, upTo: string): Statement {
  return {
    text: 'SELECT EXISTS (SELECT FROM trueup.profile_marks WHERE ledger = $1 AND id <= $2) AS "left"',
    values: [ledger, upTo],
  };
}
