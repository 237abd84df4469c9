import type { Statement } from './database.js';

/** Statements of the migration runner. */

/** The number of the advisory lock under which migrations run. */
const MIGRATION_LOCK = '7219004310';

/** Held until the end of the transaction, so that it also works behind a pooler. */
export const lockMigrations: Statement = {
  text: `SELECT pg_advisory_xact_lock(${MIGRATION_LOCK})`,
};

export const createSchema: Statement = { text: 'CREATE SCHEMA IF NOT EXISTS trueup' };

export const createMigrationTable: Statement = {
  text: `CREATE TABLE IF NOT EXISTS trueup.migrations (
           number     integer PRIMARY KEY,
           name       text NOT NULL,
           checksum   text NOT NULL,
           applied_by text NOT NULL DEFAULT session_user,
           applied_at timestamptz NOT NULL DEFAULT clock_timestamp())`,
};

/** Asks the catalog itself: a role without rights on the schema gets an answer too. */
export const migrationTableExists: Statement = {
  text: `SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                         WHERE n.nspname = 'trueup' AND c.relname = 'migrations') AS exists`,
};

export interface AppliedMigration {
  readonly number: number;
  readonly name: string;
  readonly checksum: string;
}

export const appliedMigrations: Statement = {
  text: 'SELECT number, name, checksum FROM trueup.migrations ORDER BY number',
};

export function recordMigration(migration: AppliedMigration): Statement {
  return {
    text: 'INSERT INTO trueup.migrations (number, name, checksum) VALUES ($1, $2, $3)',
    values: [migration.number, migration.name, migration.checksum],
  };
}

/** Whether a table of Trueup is in this database: adopted ones have no ledger of Trueup. */
export function tableExists(qualified: string): Statement {
  return {
    text: `SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                           WHERE n.nspname || '.' || c.relname = $1) AS exists`,
    values: [qualified],
  };
}

/** Nobody calls a function of Trueup but its triggers. */
export function closeFunction(name: string): Statement {
  return { text: `REVOKE ALL ON FUNCTION ${name} FROM PUBLIC` };
}

/** Switches a trigger on, in ordinary sessions or in every one. */
export function enableTrigger(table: string, trigger: string, always: boolean): Statement {
  return { text: `ALTER TABLE ${table} ENABLE ${always ? 'ALWAYS ' : ''}TRIGGER ${trigger}` };
}

/** The role of a session, quoted. */
export const currentRole: Statement = { text: 'SELECT quote_ident(current_user) AS role' };
