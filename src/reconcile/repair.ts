import { type TrueupError } from '../core/errors.js';
import type { Comparison } from '../core/drift.js';
import type { ResolvedMapping } from '../mapping/model.js';
import type { Database, Queryable, Statement } from '../postgres/database.js';
import {
  isConnectionFailure,
  isRetryable,
  sqlStateOf,
  toTrueupError,
} from '../postgres/failures.js';
import { toComparison, type ComparisonRow } from './rows.js';
import * as statements from './statements.js';

/** A wallet whose repair the database refused. */
export interface FailedRepair {
  readonly walletId: string;
  readonly error: TrueupError;
}

/** What became of a list of wallets. Whoever is in none of the lists was in sync. */
export interface RepairOutcome {
  /** Drifted under lock: repaired, as far as that kind of drift can be repaired. */
  readonly found: readonly Comparison[];
  /** Left alone, because somebody else holds the wallet or its profile. */
  readonly locked: readonly string[];
  /** The database refused the new value, such as one that its column cannot hold. */
  readonly failed: readonly FailedRepair[];
}

/** How long a repair waits for the lock of a wallet that was held at the first attempt. */
const WAIT_LOCK_TIMEOUT = '1s';

/** A transaction that waits for nobody needs no more; one that waits is tried again this often. */
const RETRIES = { skip: 3, wait: 2 } as const;

/** SQLSTATE classes of faults that lie in one user's data, so that the others can be repaired. */
const FAULTS_OF_ONE_USER = /^(22|23|44|55P03|57014|P0|TU)/;

/**
 * Compares wallets under lock and repairs those that have drifted, in one transaction. Where the
 * database refuses, the list is halved until the one at fault stands alone.
 *
 * @param options.runId the run that the repairs are recorded under, or null
 * @throws TrueupError when no repair is possible at all: no connection, no rights
 */
export async function repairWallets(
  database: Database,
  mapping: ResolvedMapping,
  walletIds: readonly string[],
  options: { readonly runId: string | null; readonly onLocked: statements.OnLocked },
): Promise<RepairOutcome> {
  if (walletIds.length === 0) return { found: [], locked: [], failed: [] };
  try {
    return await database.transaction(
      (session) => repairUnderLock(session, mapping, walletIds, options),
      { settings: { lock_timeout: WAIT_LOCK_TIMEOUT }, retries: RETRIES[options.onLocked] },
    );
  } catch (error) {
    if (isConnectionFailure(error) || !FAULTS_OF_ONE_USER.test(sqlStateOf(error) ?? ''))
      throw error;
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
  options: { readonly runId: string | null; readonly onLocked: statements.OnLocked },
): Promise<RepairOutcome> {
  const free = await lockUsers(session, mapping, walletIds, options.onLocked);
  const rows =
    free.length === 0
      ? []
      : await session.query<ComparisonRow>(statements.repairLocked(mapping, free, options.runId));
  const freed = new Set(free);
  return {
    found: rows.map((row) => toComparison(mapping, row)),
    locked: walletIds.filter((id) => !freed.has(id)),
    failed: [],
  };
}

/**
 * Locks wallets and then their profiles, both in id order: the order of the sync triggers.
 *
 * @returns the wallets that are wholly locked now, in id order
 */
export async function lockUsers(
  session: Queryable,
  mapping: ResolvedMapping,
  walletIds: readonly string[],
  onLocked: statements.OnLocked,
): Promise<string[]> {
  const wallets = await session.query<{ walletId: string; profileId: string | null }>(
    statements.lockWallets(mapping, walletIds, onLocked),
  );
  const profileIds = wallets.flatMap(({ profileId }) => (profileId === null ? [] : [profileId]));
  const locked = await profilesOf(session, statements.lockProfiles(mapping, profileIds, onLocked));
  const missing = profileIds.filter((id) => !locked.has(id));
  // A profile that does not exist cannot be locked, and does not stand in the way.
  const busy = await profilesOf(session, statements.existingProfiles(mapping, missing));
  return wallets
    .filter(({ profileId }) => profileId === null || !busy.has(profileId))
    .map(({ walletId }) => walletId);
}

async function profilesOf(
  session: Queryable,
  statement: Statement | undefined,
): Promise<ReadonlySet<string>> {
  if (statement === undefined) return new Set();
  const rows = await session.query<{ profileId: string }>(statement);
  return new Set(rows.map(({ profileId }) => profileId));
}
