import { TrueupError } from '../core/errors.js';
import type { SchemaPart } from '../postgres/migrate.js';
import { pendingMigrations } from '../postgres/migrate.js';
import type { Queryable } from '../postgres/database.js';
import { error, ok, warning, type Verdict } from './model.js';
import { withoutTable } from './work.js';
import * as statements from './work-statements.js';

/** Checks of Trueup's own schema. They need no mapping, so they are made before it is resolved. */

/** The command that brings the schema up to date. */
export const MIGRATE = 'trueup migrate';

/** Whether the schema is there. */
export async function schemaExists(session: Queryable, own: boolean): Promise<readonly Verdict[]> {
  const [place] = await session.query<statements.PlaceRow>(statements.placeOf('migrations'));
  if (place?.tableExists === true) return [ok('the schema trueup is there')];
  const what = 'Trueup has no schema in this database';
  return [own ? error(what, MIGRATE) : warning(what, 'trueup sync install')];
}

/** Whether every migration was applied, and as it is in this Trueup. */
export async function migrations(session: Queryable, own: boolean): Promise<readonly Verdict[]> {
  const without = await withoutTable(session, 'migrations');
  if (without !== undefined) return without;
  const parts: readonly SchemaPart[] = own ? ['operations', 'ledger'] : ['operations'];
  try {
    const pending = await pendingMigrations(session, parts);
    if (pending.length === 0) return [ok('every migration is applied')];
    const names = pending.map(({ number, name }) => `${String(number)} ${name}`).join(', ');
    return [error(`migrations wait: ${names}`, MIGRATE)];
  } catch (problem) {
    if (!(problem instanceof TrueupError)) throw problem;
    if (problem.code !== 'migration_changed' && problem.code !== 'schema_newer') throw problem;
    return [error(problem.message, problem.hint ?? null)];
  }
}
