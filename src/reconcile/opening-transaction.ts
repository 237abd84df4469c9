import { TrueupError } from '../core/errors.js';
import { decideOpening, type NoOpening, type Opening } from '../core/opening.js';
import type { Column, ResolvedMapping } from '../mapping/model.js';
import type { Queryable } from '../postgres/database.js';
import { sqlStateOf } from '../postgres/failures.js';
import { syncStands } from '../sync/triggers.js';
import { compare, readDemands, rulesFor, type PlannedOpening } from './opening.js';
import { fillingsOf } from './opening-entry.js';
import { forgetOpenings, openingsOf } from './known-openings-statements.js';
import * as statements from './opening-statements.js';
import { lockUsers } from './repair.js';
import { repairLocked, type OnLocked } from './repair-statements.js';

/** One transaction that posts opening entries. */

/** What all transactions of one posting share. */
export interface Context {
  readonly runId: string;
  readonly reason: string;
  readonly onLocked: OnLocked;
}

/** What became of the wallets of one transaction. */
export interface Outcome {
  readonly posted: readonly Opening[];
  readonly left: readonly NoOpening[];
  readonly locked: readonly string[];
}

/**
 * One transaction. The look at the ledger has to be the statement after the locks: whoever wrote an
 * entry before them has committed it by then, and whoever inserts one later waits in the sync trigger
 * for the wallet, and adds to what stands here.
 */
export async function postUnderLock(
  session: Queryable,
  mapping: ResolvedMapping,
  batch: readonly PlannedOpening[],
  { runId, reason, onLocked }: Context,
): Promise<Outcome> {
  await session.query(statements.holdTriggers(mapping));
  const listed = new Map(batch.map(({ walletId, amount }) => [walletId, amount]));
  const locked = await lockUsers(session, mapping, [...listed.keys()], onLocked);
  const free = [...listed.keys()].filter((id) => !locked.includes(id));
  const rules = rulesFor(mapping, reason);
  const decided = (await compare(session, mapping, free)).map((row) =>
    decideOpening(row, listed.get(row.walletId ?? '') ?? null, rules),
  );
  const posted = decided.filter((one): one is Opening => !('code' in one));
  const left = decided.filter((one): one is NoOpening => 'code' in one);
  if (posted.length === 0) return { posted, left, locked };
  if ((await syncStands(session, mapping)) === 'standing') await handOver(session, mapping, posted);
  const demands = await readDemands(session, mapping);
  const entries = await session.query(
    statements.insertOpenings(mapping, fillingsOf(mapping, demands, reason, posted)),
  );
  if (entries.length !== posted.length) {
    throw unsettled(
      `the ledger took ${String(entries.length)} of ${String(posted.length)} entries`,
    );
  }
  const ids = posted.map(({ walletId }) => walletId);
  if (mapping.openingsKept) await forget(session, mapping, ids);
  await session.query(repairLocked(mapping, ids, { runId, cause: 'no_history' }));
  await session.query(statements.recordOpenings(runId, posted.flatMap(recordOf)));
  await verify(session, mapping, posted);
  return { posted, left, locked };
}

/** The coins stand in the ledger from now on: whatever differs later is drift like any other. */
async function forget(
  session: Queryable,
  mapping: ResolvedMapping,
  walletIds: readonly string[],
): Promise<void> {
  const recorded = await session.query(openingsOf(mapping, walletIds));
  if (recorded.length > 0) await session.query(forgetOpenings(mapping, walletIds));
}

/**
 * Leaves the coins to the sync trigger: it will add the entry to caches that hold it already. So they
 * are set to what the ledger says without it, and nobody sees them so: their rows are locked.
 */
async function handOver(
  session: Queryable,
  mapping: ResolvedMapping,
  openings: readonly Opening[],
): Promise<void> {
  const { wallet, profile } = mapping;
  const parts: readonly (readonly [string, Column | undefined, Column | undefined])[] = [
    ['wallet.balance', wallet.id, wallet.balance],
    ['wallet.lifetimeEarnings', wallet.id, wallet.lifetimeEarnings],
    ['profile.balance', profile?.id, profile?.balance],
    ['profile.lifetimeEarnings', profile?.id, profile?.lifetimeEarnings],
  ];
  for (const [name, id, cache] of parts) {
    if (id === undefined || cache === undefined) continue;
    const ofProfile = name.startsWith('profile');
    const table = ofProfile ? profile?.table.quoted : wallet.table.quoted;
    const values = openings.flatMap(({ walletId, profileId, expected }) => {
      const rowId = ofProfile ? profileId : walletId;
      const found = expected.find(({ part, field }) => `${part}.${field}` === name);
      return rowId === null || found === undefined ? [] : [{ id: rowId, value: found.value }];
    });
    if (table === undefined || values.length === 0) continue;
    await session.query(statements.setCache({ table, id, cache }, values));
  }
}

function recordOf({ walletId, profileId, userId, changes }: Opening): statements.OpeningRecord[] {
  if (changes.length === 0) return [];
  const all = changes.map(({ part, field, before, after }) => [
    `${part}.${field}`,
    [before, after],
  ]);
  return [{ walletId, profileId, userId, changes: Object.fromEntries(all) as object }];
}

/** The balance of every wallet is what it was, and every cache what was told. */
async function verify(
  session: Queryable,
  mapping: ResolvedMapping,
  openings: readonly Opening[],
): Promise<void> {
  const ids = openings.map(({ walletId }) => walletId);
  const rows = new Map((await compare(session, mapping, ids)).map((row) => [row.walletId, row]));
  for (const { walletId, balance } of openings) {
    const row = rows.get(walletId);
    const cached = row?.caches.find(({ part, field }) => part === 'wallet' && field === 'balance');
    if (cached?.cached === balance && cached.expected === balance) continue;
    throw unsettled(
      `wallet ${walletId} would hold ${cached?.cached ?? 'nothing'} and its ledger ` +
        `${cached?.expected ?? 'nothing'} instead of ${balance}: a trigger of the application changes them`,
    );
  }
}

function unsettled(message: string): TrueupError {
  return new TrueupError('database_failed', message, {
    hint: 'The transaction was rolled back. Look at the triggers and rules of the mapped tables.',
  });
}

/** Whether a transaction found that the caches would not be what they have to be. */
export function isUnsettled(error: unknown): boolean {
  return (
    error instanceof TrueupError &&
    error.code === 'database_failed' &&
    sqlStateOf(error) === undefined
  );
}
