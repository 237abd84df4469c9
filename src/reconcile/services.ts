import { randomUUID } from 'node:crypto';
import { wholeCoins } from '../core/amount.js';
import {
  findingsOf,
  isRepairable,
  type Comparison,
  type Field,
  type Finding,
  type Part,
} from '../core/drift.js';
import { TrueupError } from '../core/errors.js';
import type { ResolvedMapping } from '../mapping/model.js';
import { refuseSharedProfiles } from '../mapping/resolve.js';
import type { Database, Queryable } from '../postgres/database.js';
import { Investigator } from './evidence.js';
import { lockUsers, repairHeld } from './repair.js';
import { carryLocked, refuseUnseenMarks } from '../sync/carry.js';
import { comparisonDecoder, type ComparisonRow } from './rows.js';
import { compared } from './detect-statements.js';
import * as statements from './statements.js';
import { asId, findWallets } from './users.js';
import { VERSION } from '../version.js';

/** The four services of UP-M3, on any mapping. The ledger decides, never the wallet's cache. */

/** After a deadlock so many. */
const LOCK_RETRIES = 5;
const SNAPSHOT = {
  readOnly: true,
  settings: { transaction_isolation: 'repeatable read' },
} as const;

/**
 * What a cache holds: coins; null where the cache is null or does not exist; text where the column
 * holds what no number of coins can be (12.50 or NaN in a numeric column).
 */
export type CachedCoins = bigint | string | null;

/** What {@link syncWalletToProfile} did. */
export interface SyncResult {
  readonly walletId: string;
  readonly profileId: string | null;
  readonly userId: string | null;
  /** The profile's balance was wrong and is right now. */
  readonly balanceSynced: boolean;
  /** The profile's or the wallet's lifetime earnings were wrong and are right now. */
  readonly earningsSynced: boolean;
  /** The wallet's own balance was wrong and is right now. */
  readonly walletBalanceSynced: boolean;
  /** The profile's caches before and after; null where there is no such cache. */
  readonly balanceBefore: CachedCoins;
  readonly balanceAfter: CachedCoins;
  readonly earningsBefore: CachedCoins;
  readonly earningsAfter: CachedCoins;
  /** Every cache that was wrong, and whether it could be repaired. */
  readonly findings: readonly Finding[];
}

/** What {@link getBalanceDrift} saw, all at one moment. */
export interface BalanceDrift {
  readonly walletId: string;
  readonly profileId: string | null;
  readonly userId: string | null;
  /** Any cache of the wallet or its profile differs from the ledger, and is not about to be carried. */
  readonly hasDrift: boolean;
  readonly ledgerBalance: bigint;
  readonly walletBalance: CachedCoins;
  readonly profileBalance: CachedCoins;
  /** null where nothing caches them. */
  readonly ledgerEarnings: bigint | null;
  readonly walletEarnings: CachedCoins;
  readonly profileEarnings: CachedCoins;
  readonly findings: readonly Finding[];
}

/**
 * Makes the caches of one wallet and its profile what the ledger says: locked, recomputed, written
 * only where they differ, recorded, all in one transaction. Doing it again changes nothing.
 *
 * @throws TrueupError `wallet_not_found`, `invalid_argument`, `mapping_mismatch` (the profile has
 *   another wallet as well)
 */
export async function syncWalletToProfile(
  database: Database,
  mapping: ResolvedMapping,
  walletId: string,
): Promise<SyncResult> {
  return database.transaction((session) => syncUnderLock(session, mapping, walletId), {
    retries: LOCK_RETRIES,
  });
}

async function syncUnderLock(
  session: Queryable,
  mapping: ResolvedMapping,
  walletId: string,
): Promise<SyncResult> {
  const before = await lockAndCompare(session, mapping, walletId);
  await refuseSharedProfiles(session, mapping, walletId);
  const drifted = findingsOf(before, { repaired: false });
  const findings = drifted.some(({ cause, field }) => isRepairable(cause, field))
    ? await repair(session, mapping, before, walletId)
    : await explained(session, mapping, before);
  const synced = (field: Field, part?: Part): boolean =>
    findings.some(
      (finding) =>
        finding.repaired &&
        finding.field === field &&
        (part === undefined || finding.part === part),
    );
  return {
    ...idsOf(before, walletId),
    balanceSynced: synced('balance', 'profile'),
    earningsSynced: synced('lifetimeEarnings'),
    walletBalanceSynced: synced('balance', 'wallet'),
    balanceBefore: cachedCoins(before, 'profile', 'balance'),
    balanceAfter: coinsAfter(before, findings, 'balance'),
    earningsBefore: cachedCoins(before, 'profile', 'lifetimeEarnings'),
    earningsAfter: coinsAfter(before, findings, 'lifetimeEarnings'),
    findings,
  };
}

/** The comparison has to be a statement after the lock: see {@link lockUsers}. */
async function lockAndCompare(
  session: Queryable,
  mapping: ResolvedMapping,
  walletId: string,
): Promise<Comparison> {
  await asId('wallet', walletId, () => lockUsers(session, mapping, [walletId], 'wait'));
  await carryLocked(session, mapping, walletId);
  return compareOne(session, mapping, walletId);
}

async function repair(
  session: Queryable,
  mapping: ResolvedMapping,
  before: Comparison,
  walletId: string,
): Promise<Finding[]> {
  const runId = randomUUID();
  await session.query(
    statements.startRun({
      id: runId,
      kind: 'service',
      ledger: mapping.ledger.table.quoted,
      options: { walletId },
      version: VERSION,
    }),
  );
  const broken = before.caches.find(({ field }) => field === 'balanceAfter');
  const { found } = await repairHeld(session, mapping, [walletId], {
    runId,
    investigator: new Investigator(mapping),
    ...(broken === undefined ? {} : { breaks: new Map([[walletId, broken]]) }),
  });
  const findings = found.flat();
  await session.query(statements.finishRun(runId, null, { findings: findings.length }));
  return findings;
}

/**
 * {@link syncWalletToProfile} for the wallet of a user.
 *
 * @returns null where the user, or a wallet of his, does not exist
 * @throws TrueupError `feature_off`, `invalid_argument`, `mapping_mismatch`
 */
export async function syncProfileByUserId(
  database: Database,
  mapping: ResolvedMapping,
  userId: string,
): Promise<SyncResult | null> {
  const [row] = await findWallets(database, mapping, [userId]);
  const walletId = row?.walletId ?? null;
  return walletId === null ? null : syncWalletToProfile(database, mapping, walletId);
}

/**
 * Compares ledger, wallet and profile exactly, in one statement; where they differ, what is on record
 * about it is read in the same snapshot. Reads only.
 *
 * @throws TrueupError `wallet_not_found`, `invalid_argument`, `amount_not_whole`
 */
export async function getBalanceDrift(
  database: Database,
  mapping: ResolvedMapping,
  walletId: string,
): Promise<BalanceDrift> {
  await refuseUnseenMarks(database, mapping);
  const inSync = await compareOne(database, mapping, walletId);
  if (findingsOf(inSync, { repaired: false }).length === 0) return driftOf(inSync, walletId, []);
  return database.transaction(async (session) => {
    const row = await compareOne(session, mapping, walletId);
    return driftOf(row, walletId, await explained(session, mapping, row));
  }, SNAPSHOT);
}

/** The findings of one wallet, none of which is going to be repaired. */
async function explained(
  session: Queryable,
  mapping: ResolvedMapping,
  row: Comparison,
): Promise<Finding[]> {
  if (findingsOf(row, { repaired: false }).length === 0) return [];
  const rows = await new Investigator(mapping).investigate(session, [row]);
  return rows.flatMap((one) => findingsOf(one, { repaired: false }));
}

function driftOf(row: Comparison, walletId: string, findings: readonly Finding[]): BalanceDrift {
  return {
    ...idsOf(row, walletId),
    hasDrift: findings.length > 0,
    ledgerBalance: expected(row, 'balance') ?? 0n,
    walletBalance: cachedCoins(row, 'wallet', 'balance'),
    profileBalance: cachedCoins(row, 'profile', 'balance'),
    ledgerEarnings: expected(row, 'lifetimeEarnings'),
    walletEarnings: cachedCoins(row, 'wallet', 'lifetimeEarnings'),
    profileEarnings: cachedCoins(row, 'profile', 'lifetimeEarnings'),
    findings,
  };
}

/**
 * Rebuilds the lifetime earnings of a wallet and its profile from the ledger. It syncs the wallet
 * wholly, because a user is repaired wholly or not at all.
 *
 * @returns the sum of the wallet's positive entries
 * @throws TrueupError `wallet_not_found`, `feature_off`, `invalid_argument`, `mapping_mismatch`
 */
export async function recomputeLifetimeEarnings(
  database: Database,
  mapping: ResolvedMapping,
  walletId: string,
): Promise<bigint> {
  if (
    mapping.wallet.lifetimeEarnings === undefined &&
    mapping.profile?.lifetimeEarnings === undefined
  ) {
    throw new TrueupError('feature_off', 'the mapping names no lifetime earnings', {
      hint: 'Name wallet.lifetimeEarnings or profile.lifetimeEarnings in the mapping.',
    });
  }
  return database.transaction(
    async (session) => {
      await syncUnderLock(session, mapping, walletId);
      const row = await compareOne(session, mapping, walletId);
      return expected(row, 'lifetimeEarnings') ?? 0n;
    },
    { retries: LOCK_RETRIES },
  );
}

async function compareOne(
  session: Queryable,
  mapping: ResolvedMapping,
  walletId: string,
): Promise<Comparison> {
  const [row] = await asId('wallet', walletId, () =>
    session.query<ComparisonRow>(compared(mapping, [walletId])),
  );
  if (row?.wallet_exists !== true) throw walletNotFound(walletId);
  return comparisonDecoder(mapping)(row);
}

function walletNotFound(walletId: string): TrueupError {
  return new TrueupError('wallet_not_found', `there is no wallet ${walletId}`);
}

function idsOf(
  row: Comparison,
  walletId: string,
): { walletId: string; profileId: string | null; userId: string | null } {
  return { walletId: row.walletId ?? walletId, profileId: row.profileId, userId: row.userId };
}

function cachedCoins(row: Comparison, part: Part, field: Field): CachedCoins {
  const cache = row.caches.find((one) => one.part === part && one.field === field);
  return toCoins(cache?.cached ?? null);
}

function expected(row: Comparison, field: Field): bigint | null {
  const cache = row.caches.find((one) => one.field === field);
  return cache === undefined ? null : wholeCoins(cache.expected);
}

function coinsAfter(before: Comparison, findings: readonly Finding[], field: Field): CachedCoins {
  const repaired = findings.find(
    (finding) =>
      finding.part === 'profile' &&
      finding.field === field &&
      isRepairable(finding.cause, finding.field),
  );
  return repaired === undefined
    ? cachedCoins(before, 'profile', field)
    : toCoins(repaired.expected);
}

function toCoins(text: string | null): CachedCoins {
  return text !== null && /^-?[0-9]+$/.test(text) ? BigInt(text) : text;
}
