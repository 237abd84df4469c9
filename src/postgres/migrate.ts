import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { TrueupError } from '../core/errors.js';
import { ROOT } from '../root.js';
import type { Database, Queryable, Statement } from './database.js';
import { quoteLiteral } from './identifiers.js';
import * as statements from './statements.js';

/** What a migration belongs to: `ledger` is left out where an application has a ledger of its own. */
export type SchemaPart = 'operations' | 'ledger';

/** One numbered file of sql/. */
export interface Migration {
  readonly number: number;
  readonly name: string;
  readonly part: SchemaPart;
  readonly text: string;
  readonly checksum: string;
}

const FOLDER = fileURLToPath(new URL('sql/', ROOT));
const FILE_NAME = /^(\d{4})_([a-z0-9_]+)\.sql$/;
const HEADER = /^--! part: (operations|ledger)\n/;

/** Reads sql/, in order. A released file is never edited: its checksum is compared. */
export function readMigrations(folder = FOLDER): Migration[] {
  return readdirSync(folder)
    .sort()
    .map((file) => {
      const [, number, name] = FILE_NAME.exec(file) ?? [];
      const text = readFileSync(`${folder}/${file}`, 'utf8');
      const part = HEADER.exec(text)?.[1];
      if (number === undefined || name === undefined || part === undefined) {
        throw new TrueupError('migration_changed', `${file} is not a migration`, {
          hint: 'Name it NNNN_name.sql and begin it with "--! part: operations" or "... ledger".',
        });
      }
      return {
        number: Number(number),
        name,
        part: part === 'ledger' ? 'ledger' : 'operations',
        text,
        checksum: createHash('sha256').update(text).digest('hex'),
      };
    });
}

/**
 * Brings the schema `trueup` up to date. Safe when several processes do it at once: the first one
 * does the work, the others wait and find it done.
 *
 * @returns the migrations that this call applied
 * @throws TrueupError `migration_changed`, `schema_newer`, `permission_denied`
 */
export async function migrate(
  database: Database,
  parts: readonly SchemaPart[],
  migrations = readMigrations(),
): Promise<Migration[]> {
  const wanted = migrations.filter((migration) => parts.includes(migration.part));
  const missing = await missingMigrations(database, wanted, migrations);
  if (missing.length === 0) return [];
  return database.transaction(async (session) => {
    await session.query(statements.lockMigrations);
    await session.query(statements.createSchema);
    await session.query(statements.createMigrationTable);
    const pending = await missingMigrations(session, wanted, migrations);
    for (const migration of pending) {
      await session.query({ text: migration.text });
      await session.query(statements.recordMigration(migration));
    }
    return pending;
  });
}

/**
 * The SQL that {@link migrate} would run, as text without parameters; empty where nothing is to be
 * done. It only reads.
 *
 * @throws TrueupError `migration_changed`, `schema_newer`
 */
export async function planMigration(
  database: Queryable,
  parts: readonly SchemaPart[],
  migrations = readMigrations(),
): Promise<string> {
  const wanted = migrations.filter((migration) => parts.includes(migration.part));
  const pending = await missingMigrations(database, wanted, migrations);
  if (pending.length === 0) return '';
  return [
    'BEGIN',
    statements.lockMigrations.text,
    statements.createSchema.text,
    statements.createMigrationTable.text,
    ...pending.flatMap((one) => [
      one.text.trim().replace(/;$/, ''),
      withoutParameters(statements.recordMigration(one)),
    ]),
    'COMMIT',
  ]
    .map((text) => `${text};\n`)
    .join('');
}

function withoutParameters({ text, values = [] }: Statement): string {
  return text.replaceAll(/\$(\d+)/g, (_, place) => quoteLiteral(String(values[Number(place) - 1])));
}

/**
 * Which migrations of these parts the database has not seen. Needs SELECT on trueup.migrations.
 *
 * @throws TrueupError `migration_changed`, `schema_newer`
 */
export function pendingMigrations(
  session: Queryable,
  parts: readonly SchemaPart[],
  migrations = readMigrations(),
): Promise<Migration[]> {
  const wanted = migrations.filter((migration) => parts.includes(migration.part));
  return missingMigrations(session, wanted, migrations);
}

/**
 * Which of the wanted migrations the database has not seen.
 *
 * @throws TrueupError `migration_changed`, `schema_newer`
 */
async function missingMigrations(
  session: Queryable,
  wanted: readonly Migration[],
  known: readonly Migration[] = wanted,
): Promise<Migration[]> {
  const [place] = await session.query<{ exists: boolean }>(statements.migrationTableExists);
  if (place?.exists !== true) return [...wanted];
  const rows = await session.query<statements.AppliedMigration>(statements.appliedMigrations);
  for (const row of rows) refuseStranger(row, known);
  const applied = new Set(rows.map((row) => row.number));
  return wanted.filter((migration) => !applied.has(migration.number));
}

function refuseStranger(row: statements.AppliedMigration, known: readonly Migration[]): void {
  const file = known.find((migration) => migration.number === row.number);
  if (file === undefined) {
    throw new TrueupError(
      'schema_newer',
      `the database has migration ${String(row.number)} (${row.name}), which this Trueup does not know`,
      { hint: 'Use the newer version of Trueup that migrated the database.' },
    );
  }
  if (file.checksum !== row.checksum) {
    throw new TrueupError(
      'migration_changed',
      `sql file ${String(row.number)} (${file.name}) is not the one that was applied to the database`,
      { hint: 'Restore the released file; change the schema with a new one.' },
    );
  }
}
