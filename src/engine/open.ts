import { TrueupError } from '../core/errors.js';
import { loadMapping, type LoadedMapping } from '../mapping/load.js';
import { isOwn } from '../mapping/own.js';
import { resolveMapping } from '../mapping/resolve.js';
import type { Database } from '../postgres/database.js';
import { migrate, type Migration } from '../postgres/migrate.js';
import { installSyncOnce } from '../sync/sync.js';
import { connect, disconnect } from './connect.js';
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
 * Migrates. A mapping that does not fit is refused before anything is written. Trueup's own ledger
 * is given its sync triggers, once: if a person removes them later, that is respected.
 */
async function prepare(database: Database, loaded: LoadedMapping): Promise<Migration[]> {
  if (!isOwn(loaded.mapping)) {
    await resolveMapping(database, loaded);
    return migrate(database, ['operations']);
  }
  const applied = await migrate(database, ['operations', 'ledger']);
  const mapping = await resolveMapping(database, loaded);
  await installSyncOnce(database, mapping, loaded.mapping);
  return applied;
}
