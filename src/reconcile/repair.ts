import { type TrueupError } from '../core/errors.js';
import { fallbackCause, firstCause } from '../core/causes.js';
import type { CacheComparison } from '../core/comparison.js';
import { findingsOf, type Cause, type Finding } from '../core/drift.js';
import { freezeWallet } from '../ledger/settings.js';
import type { ResolvedMapping } from '../mapping/model.js';
import type { Database, Queryable } from '../postgres/database.js';
import { isRetryable, toTrueupError } from '../postgres/failures.js';
import type { Investigator } from './evidence.js';
import type { Failpoint } from './failpoints.js';
import { byHalves } from './halves.js';
import { refuseUnseenOpenings } from './known-openings.js';
import { foundDecoder } from './rows.js';
import * as statements from './repair-statements.js';
import { heldBack, type CriticalWallet, type Holding } from './tiers.js';

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
  /** Wallets whose entries sum up to what they may not have, drifted or not: only where they are looked for. */
  readonly critical: readonly CriticalWallet[];
  /** The database refused the new value, such as one that its column cannot hold. */
  readonly failed: readonly FailedRepair[];
}

/** What a repair needs beside the wallets. */
export interface RepairOptions {
  /** The run that the repairs are recorded under. */
  readonly runId: string;
  readonly onLocked: statements.OnLocked;
  readonly investigator: Investigator;
  /** What is left for people; left out: whatever is found is repaired. */
  readonly holding?: Holding;
  /** Breaks in running balances that detection has seen, by wallet. */
  readonly breaks?: ReadonlyMap<string, CacheComparison>;
  /** What is done with wallets that are locked; default: {@link repairHeld}. It may be done again. */
  readonly repair?: (
    session: Queryable,
    walletIds: readonly string[],
  ) => Promise<readonly (readonly Finding[])[]>;
  /** Called at the stages of the transaction, for tests that end the process there. */
  readonly reach?: (stage: Failpoint) => void;
}

/**
 * How a repairing transaction runs. It waits for the lock of a wallet that was held at the first
 * attempt, but not for long: whoever stands behind it in the queue waits as well. And it has just locked
 * every row that it reads next: with the planner's usual price for a random page it would read both whole
 * tables instead (65 ms for 1,000 wallets of 100,000, against 25).
 */
export const REPAIRING = {
  settings: { lock_timeout: '250ms', random_page_cost: '1.1', work_mem: '64MB' },
  /** A transaction that waits for nobody needs no more; one that waits is tried again this often. */
  retries: { skip: 3, wait: 4 },
} as const;

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
  const outcomes = await byHalves(walletIds, {
    work: async (ids) => {
      const outcome = await database.transaction(
        (session) => repairUnderLock(session, mapping, ids, options),
        { settings: REPAIRING.settings, retries: REPAIRING.retries[options.onLocked] },
      );
      options.reach?.('after_commit');
      return outcome;
    },
    givenUp,
  });
  return {
    found: outcomes.flatMap(({ found }) => found),
    critical: outcomes.flatMap(({ critical }) => critical),
    locked: outcomes.flatMap(({ locked }) => locked),
    failed: outcomes.flatMap(({ failed }) => failed),
  };
}

const NOTHING: RepairOutcome = { found: [], critical: [], locked: [], failed: [] };

function givenUp(walletId: string, error: unknown): RepairOutcome {
  return isRetryable(error)
    ? { ...NOTHING, locked: [walletId] }
    : { ...NOTHING, failed: [{ walletId, error: toTrueupError(error) }] };
}

async function repairUnderLock(
  session: Queryable,
  mapping: ResolvedMapping,
  walletIds: readonly string[],
  options: RepairOptions,
): Promise<RepairOutcome> {
  const locked = await lockUsers(session, mapping, walletIds, options.onLocked);
  options.reach?.('after_lock');
  const held = new Set(locked);
  const free = held.size === 0 ? walletIds : walletIds.filter((id) => !held.has(id));
  if (free.length === 0) return { ...NOTHING, locked };
  const repaired =
    options.repair === undefined
      ? await repairHeld(session, mapping, free, options)
      : { found: await options.repair(session, free) };
  options.reach?.('before_commit');
  return { ...NOTHING, ...repaired, locked };
}

/**
 * Compares wallets that are locked already, repairs and records.
 *
 * @returns what was found, of each wallet that had drifted; and those that may not be as they are
 */
export async function repairHeld(
  session: Queryable,
  mapping: ResolvedMapping,
  walletIds: readonly string[],
  options: Omit<RepairOptions, 'onLocked'>,
): Promise<Pick<RepairOutcome, 'found' | 'critical'>> {
  const { investigator, runId, holding } = options;
  await refuseUnseenOpenings(session, mapping);
  const ledger = await investigator.ledger(session, runId);
  const usual = fallbackCause(ledger);
  const record = { runId, cause: usual, holding };
  const rows = await session.query<statements.FoundRow>(
    statements.repairLocked(mapping, walletIds, record),
  );
  options.reach?.('after_update');
  if (rows.length === 0) return NOTHING;
  const critical = await freezeCritical(session, mapping, rows);
  const decode = foundDecoder(mapping);
  const drifted = rows.flatMap((row) => {
    const one = decode(row);
    if (one.caches.length === 0) return [];
    const broken = options.breaks?.get(row.wallet_id);
    return broken === undefined ? one : { ...one, caches: [...one.caches, broken] };
  });
  const held = new Set(rows.filter((row) => row.held).map((row) => row.wallet_id));
  const compared = await investigator.investigate(session, drifted, { ledger, run: runId });
  const found = compared.map((row) =>
    held.has(row.walletId ?? '') ? heldBack(row) : findingsOf(row, { repaired: true }),
  );
  // Most of a mass of repairs have the usual cause; only the others are written once more.
  const repaired = found.filter((all) => all.some((one) => one.repaired));
  const causes = repaired.map(repairCause).filter(({ cause }) => cause !== usual);
  if (causes.length > 0) await session.query(statements.nameCauses(runId, causes));
  return { found, critical };
}

/** Freezes what has less than it may have, as a person would, where the mapping says how. */
async function freezeCritical(
  session: Queryable,
  mapping: ResolvedMapping,
  rows: readonly statements.FoundRow[],
): Promise<CriticalWallet[]> {
  const { frozen: freezable, frozenReason } = mapping.wallet;
  const found: CriticalWallet[] = [];
  for (const { wallet_id: walletId, critical: sum, frozen, ...row } of rows) {
    if (sum === null) continue;
    if (freezable !== undefined && !frozen) {
      const reason = frozenReason === undefined ? undefined : `its entries sum up to ${sum}`;
      await freezeWallet(session, mapping, walletId, reason);
    }
    const { profile_id: profileId, user_id: userId } = row;
    found.push({ walletId, profileId, userId, sum, frozen: freezable !== undefined });
  }
  return found;
}

/** A repaired wallet has one cause on record: the first of those of its caches. */
function repairCause(findings: readonly Finding[]): { walletId: string; cause: Cause } {
  const causes = new Set<Cause>();
  for (const { repaired, cause } of findings) if (repaired) causes.add(cause);
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
