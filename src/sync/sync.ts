import type { ResolvedMapping } from '../mapping/model.js';
import { refuseSharedProfiles } from '../mapping/resolve.js';
import type { Mapping } from '../mapping/schema.js';
import type { Database, Queryable } from '../postgres/database.js';
import { SYNC_TRIGGER } from '../mapping/names.js';
import { TrueupError } from '../core/errors.js';
import { generateSync, type SyncMode } from './generate.js';
import * as statements from './statements.js';

/**
 * CREATE TRIGGER waits for every open transaction that has written to the ledger, and everybody who
 * writes later waits behind it. So it gives up soon and tries again.
 */
const INSTALLING = { settings: { lock_timeout: '1s' }, retries: 5 } as const;

/** What is known about the sync of one ledger. */
export interface SyncStatus {
  readonly ledger: string;
  /** `changed`: the function in the database is not the one that this mapping asks for. */
  readonly state: 'installed' | 'missing' | 'disabled' | 'changed';
  /** Profiles that could not follow and wait for the healer. */
  readonly waitingFailures: number;
  /** When the oldest of them failed. */
  readonly oldestFailure: Date | null;
  /** The SQLSTATEs of the waiting failures. */
  readonly sqlStates: readonly string[];
  /** Profiles are carried by a worker after the commit. */
  readonly deferred: boolean;
  /** Marks of profiles that are to be carried. */
  readonly waitingMarks: number;
  /** When the oldest of them was made. */
  readonly oldestMark: Date | null;
  /** Entries whose event the activity table did not take, and that wait for the healer. */
  readonly waitingActivity: number;
  /**
   * Foreign keys of the ledger to its wallets that are checked at once. They lock the wallet before
   * the trigger updates it, which makes entries slower; and where transactions on the same wallet
   * roll back, PostgreSQL can refuse an entry with XX000 ("new multixact has more than one updating
   * member"). Checked at the commit they do neither.
   */
  readonly immediateForeignKeys: readonly ImmediateForeignKey[];
}

/** A foreign key of the ledger, and the statement that has it checked at the commit. */
export interface ImmediateForeignKey {
  readonly name: string;
  readonly remedy: string;
}

/**
 * Installs the sync triggers of a mapping, or brings them up to date, in one transaction.
 * From its commit on, every entry is followed; what was wrong before is for reconcile to repair.
 *
 * @throws TrueupError `mapping_mismatch` (a profile with two wallets), `permission_denied`,
 *   `database_failed` (55P03: the ledger was busy for too long)
 */
export async function installSync(
  database: Database,
  mapping: ResolvedMapping,
  source: Mapping,
  mode: SyncMode = {},
): Promise<void> {
  refuseToDefer(mapping, mode);
  await database.transaction((session) => install(session, mapping, source, mode), INSTALLING);
}

/** @throws TrueupError `feature_off` where there is nothing to defer, or nothing to copy from */
function refuseToDefer({ profile, wallet }: ResolvedMapping, { deferred }: SyncMode): void {
  if (deferred !== true) return;
  if (profile?.balance === undefined && profile?.lifetimeEarnings === undefined) {
    throw new TrueupError('feature_off', 'there is no profile cache that could be deferred', {
      hint: 'Install without --deferred, or name the cache of a profile in the mapping.',
    });
  }
  if (profile.lifetimeEarnings !== undefined && wallet.lifetimeEarnings === undefined) {
    throw new TrueupError('feature_off', 'the wallet keeps no lifetime earnings to be copied', {
      hint: 'Install without --deferred, or name wallet.lifetimeEarnings in the mapping.',
    });
  }
}

/** The same, unless this ledger has ever been given triggers: a removal by a person is respected. */
export async function installSyncOnce(
  database: Database,
  mapping: ResolvedMapping,
  source: Mapping,
): Promise<void> {
  if (await wasEverInstalled(database, mapping)) return;
  await database.transaction(async (session) => {
    await session.query(statements.lockInstallations);
    if (!(await wasEverInstalled(session, mapping))) await install(session, mapping, source);
  }, INSTALLING);
}

async function install(
  session: Queryable,
  mapping: ResolvedMapping,
  source: Mapping,
  mode: SyncMode = {},
): Promise<void> {
  const definition = generateSync(mapping, mode);
  await session.query(statements.lockInstallations);
  await refuseSharedProfiles(session, mapping);
  for (const text of [...definition.createFunction, ...definition.createTrigger]) {
    await session.query({ text });
  }
  await session.query(
    statements.recordInstallation(
      mapping.ledger.table.quoted,
      source,
      definition.functionName,
      mode.deferred === true,
    ),
  );
}

/** Removes the sync triggers of a mapping. Removing what is not there is no error. */
export async function removeSync(database: Database, mapping: ResolvedMapping): Promise<void> {
  const definition = generateSync(mapping);
  await database.transaction(async (session) => {
    await session.query(statements.lockInstallations);
    await session.query({ text: definition.dropTrigger });
    await session.query({ text: definition.dropFunction });
    if (await exists(session, statements.operationsExist)) {
      await session.query(statements.recordRemoval(mapping.ledger.table.quoted));
    }
  }, INSTALLING);
}

/** Reads the state of a mapping's sync from the catalog. Needs no right beyond SELECT. */
export async function syncStatus(
  session: Queryable,
  mapping: ResolvedMapping,
): Promise<SyncStatus> {
  const ledger = mapping.ledger.table;
  const [trigger] = await session.query<statements.TriggerRow>(
    statements.installedTrigger(ledger.oid, SYNC_TRIGGER),
  );
  const kept = await exists(session, statements.operationsExist);
  const [waiting] = kept
    ? await session.query<statements.WaitingRow>(statements.waitingFailures(ledger.quoted))
    : [];
  const [backlog] = mapping.marksKept
    ? await session.query<statements.BacklogRow>(statements.backlog(ledger.quoted))
    : [];
  const deferred = backlog?.deferred === true;
  const immediateForeignKeys = await session.query<ImmediateForeignKey>(
    statements.immediateForeignKeys(ledger.oid, mapping.wallet.table.oid),
  );
  return {
    ledger: ledger.quoted,
    state: stateOf(trigger, generateSync(mapping, { deferred }).body),
    waitingFailures: Number(waiting?.waiting ?? 0),
    oldestFailure: waiting?.oldest ?? null,
    sqlStates: waiting?.states ?? [],
    deferred,
    waitingMarks: Number(backlog?.marks ?? 0),
    oldestMark: backlog?.oldestMark ?? null,
    waitingActivity: Number(backlog?.activity ?? 0),
    immediateForeignKeys,
  };
}

function stateOf(trigger: statements.TriggerRow | undefined, body: string): SyncStatus['state'] {
  if (trigger === undefined) return 'missing';
  if (trigger.enabled !== 'O' && trigger.enabled !== 'A') return 'disabled';
  return trigger.body === body ? 'installed' : 'changed';
}

async function wasEverInstalled(session: Queryable, mapping: ResolvedMapping): Promise<boolean> {
  const [row] = await session.query<{ installed: boolean }>(
    statements.wasInstalled(mapping.ledger.table.quoted),
  );
  return row?.installed === true;
}

async function exists(
  session: Queryable,
  statement: typeof statements.operationsExist,
): Promise<boolean> {
  const [row] = await session.query<{ exists: boolean }>(statement);
  return row?.exists === true;
}
