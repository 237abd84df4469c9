import { type TrueupError } from '../core/errors.js';
import { fallbackCause, firstCause } from '../core/causes.js';
import type { CacheComparison } from '../core/comparison.js';
import { findingsOf, type Cause, type Finding } from '../core/drift.js';
import type { ResolvedMapping } from '../mapping/model.js';
import type { Database, Queryable } from '../postgres/database.js';
import { isFaultOfOneUser, isRetryable, toTrueupError } from '../postgres/failures.js';
import type { Investigator } from './evidence.js';
import { refuseUnseenOpenings } from './known-openings.js';
import { foundDecoder } from './rows.js';
import * as statements from './repair-statements.js';

/** A wallet whose repair the database refused. */
export interface FailedRepair {
  readonly walletId: string;
  readonly error: TrueupError;
}

/** What became of a list of wallets. Whoever is in none of the lists was in sync. */
export interface RepairOutcome {
  /** Drifted under lock, wallet by wallet: repaired, as far as that kind of drift can be repaired. */
  readonly found: readonly (readonly Finding[])[];
  /** Left alone, because somebody else holds the wallet or its profile. */
  readonly locked: readonly string[];
  /** The database refused the new value, such as one that its column cannot hold. */
  readonly failed: readonly FailedRepair[];
}

/** What a repair needs beside the wallets. */
export interface RepairOptions {
  /** The run that the repairs are recorded under. */
  readonly runId: string;
  readonly onLocked: statements.OnLocked;
  readonly investigator: Investigator;
  /** Breaks in running balances that detection has seen, by wallet. */
  readonly breaks?: ReadonlyMap<string, CacheComparison>;
}

/**
 * How a repairing transaction runs. It waits for the lock of a wallet that was held at the first
 * attempt, but not for long. And it has just locked every row that it reads next: with the planner's
 * usual price for a random page it would read both whole tables instead (65 ms for 1,000 wallets of
 * 100,000, against 25).
 */
const SETTINGS = { lock_timeout: '1s', random_page_cost: '1.1', work_mem: '64MB' } as const;

/** A transaction that waits for nobody needs no more; one that waits is tried again this often. */
const RETRIES = { skip: 3, wait: 2 } as const;

/**
 * Compares wallets under lock and repairs those that have drifted, in one transaction. Where the
 * database refuses, the list is halved until the one at fault stands alone.
 *
 * Why each cache was wrong is found out in the same transaction, and recorded with the repair.
 *
 * @throws TrueupError when no repair is possible at all: no connection, no rights
 */
export async function repairWallets(
  database: Database,
  mapping: ResolvedMapping,
  walletIds: readonly string[],
  options: RepairOptions,
): Promise<RepairOutcome> {
  if (walletIds.length === 0) return { found: [], locked: [], failed: [] };
  try {
    return await database.transaction(
      (session) => repairUnderLock(session, mapping, walletIds, options),
      { settings: SETTINGS, retries: RETRIES[options.onLocked] },
    );
  } catch (error) {
    if (!isFaultOfOneUser(error)) throw error;
    const [only] = walletIds;
    if (walletIds.length === 1 && only !== undefined) return givenUp(only, error);
    const middle = Math.ceil(walletIds.length / 2);
    const left = await repairWallets(database, mapping, walletIds.slice(0, middle), options);
    const right = await repairWallets(database, mapping, walletIds.slice(middle), options);
    return {
      found: [...left.found, ...right.found],
      locked: [...left.locked, ...right.locked],
      failed: [...left.failed, ...right.failed],
    };
  }
}

function givenUp(walletId: string, error: unknown): RepairOutcome {
  return isRetryable(error)
    ? { found: [], locked: [walletId], failed: [] }
    : { found: [], locked: [], failed: [{ walletId, error: toTrueupError(error) }] };
}

async function repairUnderLock(
  session: Queryable,
  mapping: ResolvedMapping,
  walletIds: readonly string[],
  options: RepairOptions,
): Promise<RepairOutcome> {
  const locked = await lockUsers(session, mapping, walletIds, options.onLocked);
  const held = new Set(locked);
  const free = held.size === 0 ? walletIds : walletIds.filter((id) => !held.has(id));
  if (free.length === 0) return { found: [], locked, failed: [] };
  return { found: await repairHeld(session, mapping, free, options), locked, failed: [] };
}

/**
 * Compares wallets that are locked already, repairs and records.
 *
 * @returns what was found, of each wallet that had drifted
 */
export async function repairHeld(
  session: Queryable,
  mapping: ResolvedMapping,
  walletIds: readonly string[],
  options: Omit<RepairOptions, 'onLocked'>,
): Promise<Finding[][]> {
  const { investigator, runId } = options;
  await refuseUnseenOpenings(session, mapping);
  const ledger = await investigator.ledger(session, runId);
  const usual = fallbackCause(ledger);
  const rows = await session.query<statements.FoundRow>(
    statements.repairLocked(mapping, walletIds, { runId, cause: usual }),
  );
  if (rows.length === 0) return [];
  const decode = foundDecoder(mapping);
  const drifted = rows.map((row) => {
    const broken = options.breaks?.get(row.wallet_id);
    const one = decode(row);
    return broken === undefined ? one : { ...one, caches: [...one.caches, broken] };
  });
  const found = await investigator.investigate(session, drifted, { ledger, run: runId });
  const findings = found.map((row) => findingsOf(row, { repaired: true }));
  // Most of a mass of repairs have the usual cause; only the others are written once more.
  const causes = findings.map(repairCause).filter(({ cause }) => cause !== usual);
  if (causes.length > 0) await session.query(statements.nameCauses(runId, causes));
  return findings;
}

/** A repaired wallet has one cause on record: the first of those of its caches. */
function repairCause(findings: readonly Finding[]): { walletId: string; cause: Cause } {
  const causes = new Set<Cause>();
  for (const { field, cause } of findings) if (field !== 'balanceAfter') causes.add(cause);
  return { walletId: findings[0]?.walletId ?? '', cause: firstCause(causes) };
}

/**
 * Locks wallets and their profiles, in the order of the sync triggers.
 *
 * @returns the wallets that somebody else holds, wholly or by their profile
 */
export async function lockUsers(
  session: Queryable,
  mapping: ResolvedMapping,
  walletIds: readonly string[],
  onLocked: statements.OnLocked,
): Promise<string[]> {
  const rows = await session.query<{ walletId: string }>(
    statements.lockUsers(mapping, walletIds, onLocked),
  );
  return rows.map(({ walletId }) => walletId);
}
