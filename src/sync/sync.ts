import type { ResolvedMapping } from '../mapping/model.js';
import type { Queryable } from '../postgres/database.js';
import { recordsExist, standing } from './install.js';
import { functionNames } from './names.js';
import { installCommand, type Guard } from './options.js';
import { readParts } from './parts.js';
import * as statements from './statements.js';
import {
  expectedTriggers,
  readTriggers,
  statesOf,
  type TriggerState,
  type TriggerStatus,
} from './triggers.js';

/** What is known about the sync of one ledger. */
export interface SyncStatus {
  readonly ledger: string;
  /**
   * Of the trigger that follows the ledger. `changed`: it, or its function, is not the one that this
   * mapping asks for.
   */
  readonly state: TriggerState;
  /** What happens when somebody else writes a cache, as it was installed. */
  readonly guard: Guard;
  /** The ledger is append-only. Whether the triggers for it are sound is in `triggers`. */
  readonly protected: boolean;
  /** Every trigger that has to be there, and how it is. */
  readonly triggers: readonly TriggerStatus[];
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
  /** Wallets that hold coins from before the installation, for which the ledger has no entry. */
  readonly withoutHistory: number;
  /** The command that makes the triggers what was asked for. */
  readonly remedy: string;
}

/** A foreign key of the ledger, and the statement that has it checked at the commit. */
export interface ImmediateForeignKey {
  readonly name: string;
  readonly remedy: string;
}

/** Reads the state of a mapping's sync from the catalog. Needs no right beyond SELECT. */
export async function syncStatus(
  session: Queryable,
  mapping: ResolvedMapping,
): Promise<SyncStatus> {
  const ledger = mapping.ledger.table;
  const triggers = await triggerStatus(session, mapping);
  const waiting = (await recordsExist(session))
    ? (await session.query<statements.WaitingRow>(statements.waitingFailures(ledger.quoted)))[0]
    : undefined;
  const [backlog] = mapping.marksKept
    ? await session.query<statements.BacklogRow>(statements.backlog(ledger.quoted))
    : [];
  const [openings] = mapping.openingsKept
    ? await session.query<{ wallets: string }>(statements.openingBalances(mapping))
    : [];
  const immediateForeignKeys = await session.query<ImmediateForeignKey>(
    statements.immediateForeignKeys(ledger.oid, mapping.wallet.table.oid),
  );
  return {
    ledger: ledger.quoted,
    state: triggers.triggers.find(({ key }) => key === 'sync')?.state ?? 'missing',
    ...triggers,
    waitingFailures: Number(waiting?.waiting ?? 0),
    oldestFailure: waiting?.oldest ?? null,
    sqlStates: waiting?.states ?? [],
    waitingMarks: Number(backlog?.marks ?? 0),
    oldestMark: backlog?.oldestMark ?? null,
    waitingActivity: Number(backlog?.activity ?? 0),
    withoutHistory: Number(openings?.wallets ?? 0),
    immediateForeignKeys,
  };
}

/**
 * Whether there is anything to remove: a function of the sync, without which it has no trigger, or (as far
 * as this role may read it) a record that it stands.
 */
export async function hasSync(session: Queryable, mapping: ResolvedMapping): Promise<boolean> {
  const names = functionNames(mapping.ledger.table.quoted);
  const [row] = await session.query<{ exist: boolean }>(statements.functionsExist(names));
  if (row?.exist === true) return true;
  const [records] = await session.query<{ readable: boolean }>(statements.installationsReadable);
  return records?.readable === true && (await standing(session, mapping)) !== null;
}

/**
 * Compares the triggers in the catalog with those that were asked for when they were installed; where
 * nothing is on record, only the trigger that follows the ledger is expected.
 */
export async function triggerStatus(
  session: Queryable,
  mapping: ResolvedMapping,
): Promise<Pick<SyncStatus, 'guard' | 'protected' | 'deferred' | 'triggers' | 'remedy'>> {
  const recorded = await standing(session, mapping);
  const asked = recorded ?? { guard: 'off', protect: false, deferred: false, triggers: {} };
  const expected = expectedTriggers(mapping, asked, await readParts(session, mapping));
  const found = await readTriggers(session, mapping);
  return {
    guard: asked.guard,
    deferred: asked.deferred,
    protected: expected.some(({ purpose }) => purpose === 'protection'),
    remedy: recorded === null ? 'trueup sync install' : installCommand(recorded),
    triggers: statesOf(expected, found, asked.triggers),
  };
}
