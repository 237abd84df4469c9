import { TrueupError } from '../core/errors.js';
import { loadMapping, type LoadedMapping } from '../mapping/load.js';
import { isOwn } from '../mapping/own.js';
import { resolveMapping } from '../mapping/resolve.js';
import type { Database } from '../postgres/database.js';
import { migrate, type Migration } from '../postgres/migrate.js';
import { installSyncOnce } from '../sync/install.js';
import { restoreShipped } from '../postgres/shipped.js';
import { examine } from '../doctor/run.js';
import type { DoctorOptions, DoctorReport } from '../doctor/model.js';
import { connect, disconnect, schemaParts } from './connect.js';
import { checkTrueupOptions, type TrueupOptions } from './options.js';
import { Trueup } from './trueup.js';

/**
 * Opens Trueup: connects (or starts the embedded server), brings Trueup's schema up to date, and
 * holds the mapping against the database.
 *
 * @throws TrueupError `invalid_argument`, `database_unreachable`, `database_unsupported`, `embedded_failed`,
 *   `config_not_found`, `config_invalid`, `mapping_mismatch`, `schema_missing`, `schema_newer`,
 *   `migration_changed`, `permission_denied`
 */
export async function openTrueup(options: TrueupOptions = {}): Promise<Trueup> {
  const checked = checkTrueupOptions(options);
  const { readOnly, healer, posting } = checked;
  const loaded = loadMapping(checked.config, checked.reasons);
  const connection = await connect(checked);
  const { server, database } = connection;
  try {
    const own = isOwn(loaded.mapping);
    if (!readOnly || (own && server !== undefined)) await prepare(database, loaded);
    const mapping = await resolveMapping(database, loaded);
    return new Trueup(
      { ...connection, mapping, source: loaded.mapping },
      { healer, readOnly, posting },
    );
  } catch (error) {
    await disconnect(connection);
    throw error;
  }
}

/**
 * Only brings Trueup's schema up to date.
 *
 * @returns the migrations that were applied
 * @throws TrueupError as {@link openTrueup}
 */
export async function migrateDatabase(options: TrueupOptions = {}): Promise<Migration[]> {
  const checked = checkTrueupOptions(options);
  if (checked.readOnly)
    throw new TrueupError('read_only', 'a migration writes: leave readOnly out');
  const loaded = loadMapping(checked.config);
  const connection = await connect(checked);
  try {
    return await prepare(connection.database, loaded);
  } finally {
    await disconnect(connection);
  }
}

/**
 * Puts the triggers and functions of Trueup's own schema back as its migrations made them.
 *
 * @returns the triggers, as `name of table`
 * @throws TrueupError as {@link openTrueup}
 */
export async function restoreTriggers(options: TrueupOptions = {}): Promise<string[]> {
  const checked = checkTrueupOptions(options);
  if (checked.readOnly) throw new TrueupError('read_only', 'restoring writes: leave readOnly out');
  const loaded = loadMapping(checked.config);
  const { server, database } = await connect(checked);
  try {
    await prepare(database, loaded);
    return await restoreShipped(database);
  } finally {
    await disconnect({ server, database });
  }
}

/**
 * Looks at everything that caches rely on, and says what is amiss, why it matters and what mends it.
 * Reads only, also where the mapping does not fit or Trueup has never been; a role with SELECT will do.
 *
 * @throws TrueupError `database_unreachable`, `database_unsupported`, `embedded_failed`,
 *   `config_not_found`, `config_invalid`, `invalid_argument`
 */
export async function examineDatabase(
  options: TrueupOptions & DoctorOptions = {},
): Promise<DoctorReport> {
  const { skip, transactionSeconds, ...others } = options;
  const checked = checkTrueupOptions(others);
  const loaded = loadMapping(checked.config, checked.reasons);
  const { server, database } = await connect(checked);
  try {
    return await examine(database, loaded, {
      ...(skip === undefined ? {} : { skip }),
      ...(transactionSeconds === undefined ? {} : { transactionSeconds }),
    });
  } finally {
    await disconnect({ server, database });
  }
}

/**
 * Migrates. A mapping that does not fit is refused before anything is written. Trueup's own ledger
 * is given its sync triggers, once: if a person removes them later, that is respected.
 */
async function prepare(database: Database, loaded: LoadedMapping): Promise<Migration[]> {
  if (!isOwn(loaded.mapping)) {
    await resolveMapping(database, loaded);
    return migrate(database, schemaParts(loaded.mapping));
  }
  const applied = await migrate(database, schemaParts(loaded.mapping));
  const mapping = await resolveMapping(database, loaded);
  await installSyncOnce(database, mapping, loaded.mapping);
  return applied;
}
