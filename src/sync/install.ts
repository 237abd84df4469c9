import { TrueupError } from '../core/errors.js';
import type { ResolvedMapping } from '../mapping/model.js';
import { refuseSharedProfiles } from '../mapping/resolve.js';
import type { Mapping } from '../mapping/schema.js';
import {
  beginning,
  type Database,
  type Queryable,
  type TransactionOptions,
} from '../postgres/database.js';
import { sqlStateOf } from '../postgres/failures.js';
import { planInstallation, planRemoval, recordOpenings, type Change } from './generate-plan.js';
import { wantedOf, type InstallOptions, type Wanted } from './options.js';
import { refuseForeignParts, refuseSharedCaches } from './others.js';
import { readParts } from './parts.js';
import * as statements from './statements.js';
import { expectedTriggers, readTriggers, tablesOf } from './triggers.js';

/**
 * Creating a trigger waits for every open transaction that has written to its table, and everybody who
 * writes later waits behind it. So it gives up soon, lets them go on, and tries again; and sooner than
 * deadlock_timeout (1 s), so that if somebody in a circle has to give way, it is never the application.
 * Operators in the triggers' conditions are those of PostgreSQL, whatever the role's search_path says.
 */
const CHANGING: TransactionOptions = {
  settings: { lock_timeout: '200ms', search_path: 'pg_catalog' },
  retries: 8,
};

/** What an installation or a removal did. */
export interface SyncChange {
  /** What stands now; null where nothing does. */
  readonly now: Wanted | null;
  /** What stood before. */
  readonly before: Wanted | null;
}

/**
 * Installs the triggers of a mapping, or makes them what the options say, in one transaction. From its
 * commit on, every entry is followed; what was wrong before is for reconcile to repair.
 *
 * @throws TrueupError `mapping_mismatch` (a profile with two wallets, or caches that another installed
 *   ledger decides), `invalid_argument`, `permission_denied`, `tables_busy`
 */
export async function installSync(
  database: Database,
  mapping: ResolvedMapping,
  source: Mapping,
  options: InstallOptions = {},
): Promise<SyncChange> {
  const wanted = wantedOf(mapping, options);
  // Before the transaction, whose search_path finds no table of an application by its name alone.
  await refuseSharedCaches(database, mapping);
  await refuseSharedProfiles(database, mapping);
  await database.query({ text: recordOpenings(mapping) });
  return change(database, mapping, async (session, attempt) => {
    await session.query(statements.lockInstallations);
    return install(session, mapping, { source, wanted, attempt });
  });
}

/** The same, unless this ledger has ever been given triggers: a removal by a person is respected. */
export async function installSyncOnce(
  database: Database,
  mapping: ResolvedMapping,
  source: Mapping,
): Promise<void> {
  if (await wasEverInstalled(database, mapping)) return;
  const wanted = wantedOf(mapping, {});
  await refuseSharedCaches(database, mapping);
  await change(database, mapping, async (session, attempt) => {
    await session.query(statements.lockInstallations);
    if (await wasEverInstalled(session, mapping)) return { now: wanted, before: wanted };
    return install(session, mapping, { source, wanted, attempt });
  });
}

/**
 * Removes every trigger and function of a mapping. Removing what is not there is no error.
 *
 * @throws TrueupError `permission_denied`, `tables_busy`
 */
export function removeSync(database: Database, mapping: ResolvedMapping): Promise<SyncChange> {
  return change(database, mapping, async (session, attempt) => {
    await session.query(statements.lockInstallations);
    const before = await wantedBefore(session, mapping);
    const { locked } = await removal(session, mapping, attempt);
    await session.query({ text: script(locked) });
    return { now: null, before };
  });
}

/**
 * The SQL that {@link installSync} would run now, to the letter, or {@link removeSync}. It only reads.
 *
 * @throws TrueupError `mapping_mismatch` (a profile with two wallets, or caches that another installed
 *   ledger decides), `invalid_argument`
 */
export async function planSync(
  database: Database,
  mapping: ResolvedMapping,
  source: Mapping,
  options: InstallOptions | 'remove' = {},
): Promise<string> {
  const wanted = options === 'remove' ? undefined : wantedOf(mapping, options);
  const work = async (session: Queryable): Promise<string> => {
    if (wanted !== undefined) await refuseSharedCaches(session, mapping);
    const planned =
      wanted === undefined
        ? await removal(session, mapping, 0)
        : await installation(session, mapping, { source, wanted, attempt: 0 });
    return script([
      ...(wanted === undefined ? [] : [recordOpenings(mapping)]),
      beginning(CHANGING),
      statements.lockInstallations.text,
      ...planned.before,
      ...planned.locked,
      'COMMIT',
    ]);
  };
  return database.transaction(work, { readOnly: true });
}

interface Installing {
  readonly source: Mapping;
  readonly wanted: Wanted;
  readonly attempt: number;
}

async function install(
  session: Queryable,
  mapping: ResolvedMapping,
  installing: Installing,
): Promise<SyncChange> {
  const before = await wantedBefore(session, mapping);
  const planned = await installation(session, mapping, installing);
  await session.query({ text: script(planned.before) });
  await session.query({ text: script(planned.locked) });
  return { now: installing.wanted, before };
}

async function installation(
  session: Queryable,
  mapping: ResolvedMapping,
  { source, wanted, attempt }: Installing,
): Promise<Change> {
  await refuseSharedProfiles(session, mapping);
  const parts = await readParts(session, mapping);
  const found = await readTriggers(session, mapping, parts);
  const expected = expectedTriggers(mapping, wanted, parts);
  refuseForeignParts(mapping, expected, found);
  return planInstallation({ mapping, found, attempt }, expected, { source, wanted });
}

async function removal(
  session: Queryable,
  mapping: ResolvedMapping,
  attempt: number,
): Promise<Change> {
  const found = await readTriggers(session, mapping);
  return planRemoval({ mapping, found, attempt }, await recordsExist(session));
}

function script(texts: readonly string[]): string {
  return texts.map((text) => `${text};\n`).join('');
}

async function change(
  database: Database,
  mapping: ResolvedMapping,
  work: (session: Queryable, attempt: number) => Promise<SyncChange>,
): Promise<SyncChange> {
  try {
    return await database.transaction(work, CHANGING);
  } catch (error) {
    if (sqlStateOf(error) !== '55P03') throw error;
    throw await busy(database, mapping, error);
  }
}

async function busy(
  database: Database,
  mapping: ResolvedMapping,
  cause: unknown,
): Promise<TrueupError> {
  const tables = [...tablesOf(mapping), ...(await readParts(database, mapping))];
  const holders = await database.query<statements.HolderRow>(
    statements.lockHolders(tables.map(({ oid }) => oid)),
  );
  const told = holders.map(
    ({ pid, kind, application, role, seconds }) =>
      `process ${String(pid)} (${[kind, application, role].filter((one) => one !== null && one !== '').join(', ')})` +
      (seconds === null ? '' : ` since ${seconds} s`),
  );
  return new TrueupError(
    'tables_busy',
    `the tables of ${mapping.ledger.table.quoted} were written to at every attempt, so nothing was changed` +
      (told.length === 0 ? '' : `; they are held by ${told.join(', ')}`),
    { hint: 'Try again when those transactions have ended, or at a quieter time.', cause },
  );
}

async function wantedBefore(session: Queryable, mapping: ResolvedMapping): Promise<Wanted | null> {
  const before = await standing(session, mapping);
  if (before === null) return null;
  const { guard, protect, deferred } = before;
  return { guard, protect, deferred };
}

/** What is on record as installed on a ledger. */
export async function standing(
  session: Queryable,
  mapping: ResolvedMapping,
): Promise<(Wanted & { triggers: Readonly<Record<string, string>> }) | null> {
  if (!(await recordsExist(session))) return null;
  const [row] = await session.query<statements.InstallationRow>(
    statements.installationOf(mapping.ledger.table.quoted),
  );
  if (row === undefined || row.removed) return null;
  const { guard, deferred, triggers } = row;
  return { guard, protect: row.protected, deferred, triggers };
}

/** Whether Trueup's own bookkeeping is in this database. */
export async function recordsExist(session: Queryable): Promise<boolean> {
  const [row] = await session.query<{ exists: boolean }>(statements.operationsExist);
  return row?.exists === true;
}

async function wasEverInstalled(session: Queryable, mapping: ResolvedMapping): Promise<boolean> {
  const [row] = await session.query<{ installed: boolean }>(
    statements.wasInstalled(mapping.ledger.table.quoted),
  );
  return row?.installed === true;
}
