import type { Statement } from '../postgres/database.js';

/** Statements about the tables of a mapping, their indexes, and who may do what with them. */

/** Whether a role is a superuser, or may become one: nobody is made a member of such a role. */
function isElevated(role: string): string {
  return `EXISTS (SELECT FROM pg_roles s WHERE s.rolsuper AND pg_has_role(${role}, s.oid, 'MEMBER'))`;
}

export interface TableRow {
  readonly oid: string;
  readonly table: string;
  readonly partitioned: boolean;
  readonly unlogged: boolean;
  readonly autovacuum: boolean;
  /** Policies hide rows from the role of this session. */
  readonly policies: boolean;
  readonly owner: string;
  /** The owner is a superuser, or may become one. */
  readonly ownerElevated: boolean;
  /** This role is, or may act as, the owner. */
  readonly owned: boolean;
  readonly readable: boolean;
  readonly schema: string;
}

export function tables(oids: readonly string[]): Statement {
  return {
    text: `SELECT c.oid::text AS oid, format('%I.%I', n.nspname, c.relname) AS table,
                  c.relkind = 'p' AS partitioned, c.relpersistence = 'u' AS unlogged,
                  coalesce((SELECT option_value::boolean FROM pg_options_to_table(c.reloptions)
                             WHERE option_name = 'autovacuum_enabled'), true) AS autovacuum,
                  row_security_active(c.oid) AS policies, format('%I', r.rolname) AS owner,
                  ${isElevated('r.oid')} AS "ownerElevated",
                  pg_has_role(c.relowner, 'USAGE') AS owned,
                  has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') AS readable,
                  format('%I', n.nspname) AS schema
             FROM unnest($1::oid[]) WITH ORDINALITY AS o (oid, place)
             JOIN pg_class c ON c.oid = o.oid JOIN pg_namespace n ON n.oid = c.relnamespace
             JOIN pg_roles r ON r.oid = c.relowner
            ORDER BY o.place`,
    values: [oids],
  };
}

export interface IndexRow {
  readonly table: string;
  readonly name: string;
  /** The names of its key columns in order; null for an expression. */
  readonly keys: readonly (string | null)[];
  readonly unique: boolean;
  readonly valid: boolean;
  readonly partial: boolean;
  /** The condition of a partial index. */
  readonly condition: string | null;
  readonly method: string;
  readonly onLedger: boolean;
  readonly remedy: string;
}

/** Every index of these tables. */
export function indexes(oids: readonly string[], ledgerOid: string): Statement {
  return {
    text: `SELECT format('%I.%I', n.nspname, c.relname) AS table, x.relname AS name,
                  ARRAY(SELECT a.attname::text FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (num, place)
                          LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.num AND k.num > 0
                         WHERE k.place <= i.indnkeyatts ORDER BY k.place) AS keys,
                  i.indisunique AS unique, i.indisvalid AND i.indisready AS valid,
                  i.indpred IS NOT NULL AS partial, pg_get_expr(i.indpred, i.indrelid) AS condition,
                  m.amname AS method, i.indrelid = $2::oid AS "onLedger",
                  CASE WHEN x.relkind = 'I' THEN format('DROP INDEX %I.%I', n.nspname, x.relname)
                       ELSE format('REINDEX INDEX CONCURRENTLY %I.%I', n.nspname, x.relname) END AS remedy
             FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
             JOIN pg_namespace n ON n.oid = c.relnamespace
             JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am m ON m.oid = x.relam
            WHERE i.indrelid = ANY ($1::oid[])
            ORDER BY c.relname, x.relname`,
    values: [oids, ledgerOid],
  };
}

/** The statement that makes an index; CONCURRENTLY does not work on a partitioned one. */
export function createIndex(
  table: string,
  partitioned: boolean,
  columns: readonly string[],
  rest: { unique?: boolean; include?: string; where?: string } = {},
): string {
  const kind = rest.unique === true ? 'CREATE UNIQUE INDEX' : 'CREATE INDEX';
  const include = rest.include === undefined ? '' : ` INCLUDE (${rest.include})`;
  const where = rest.where === undefined ? '' : ` WHERE ${rest.where}`;
  return `${kind}${partitioned ? '' : ' CONCURRENTLY'} ON ${table} (${columns.join(', ')})${include}${where}`;
}

/** The statement that makes an unlogged table a logged one. */
export function makeLogged(table: string): string {
  return `ALTER TABLE ${table} SET LOGGED`;
}

/** The statement that gives a table back to autovacuum. */
export function resetAutovacuum(table: string): string {
  return `ALTER TABLE ${table} RESET (autovacuum_enabled)`;
}

/** A column of a table by its oid. */
export interface NamedColumn {
  readonly oid: string;
  readonly name: string;
}

export interface ColumnRightRow {
  readonly schema: string;
  readonly table: string;
  readonly column: string;
  /** The right on the column. */
  readonly may: boolean;
  /** The right to use its schema. */
  readonly usable: boolean;
}

/** Whether a role (null: that of this session) may read or update these columns. */
export function columnRights(
  role: string | null,
  right: 'SELECT' | 'UPDATE',
  columns: readonly NamedColumn[],
): Statement {
  return {
    text: `SELECT format('%I.%I', n.nspname, c.relname) AS table, format('%I', w.name) AS column,
                  has_column_privilege(r.oid, w.oid, w.name, $2) AS may,
                  has_schema_privilege(r.oid, n.oid, 'USAGE') AS usable, format('%I', n.nspname) AS schema
             FROM unnest($3::oid[], $4::text[]) WITH ORDINALITY AS w (oid, name, place)
             JOIN pg_class c ON c.oid = w.oid JOIN pg_namespace n ON n.oid = c.relnamespace
             JOIN pg_roles r ON r.oid = $1::oid OR $1::oid IS NULL AND r.rolname = current_user
            ORDER BY w.place`,
    values: [role, right, columns.map(({ oid }) => oid), columns.map(({ name }) => name)],
  };
}

export interface RecordRightRow {
  readonly table: string;
  readonly grants: string;
  readonly may: boolean;
}

/** Whether this role may keep the records of a repair; no row where Trueup has no tables yet. */
export const mayRecord: Statement = {
  text: `SELECT format('trueup.%I', c.relname) AS table, w.grants,
                has_schema_privilege(n.oid, 'USAGE')
                AND (SELECT bool_and(has_table_privilege(c.oid, g))
                       FROM regexp_split_to_table(w.grants, ', ') AS g) AS may
           FROM (VALUES ('migrations', 'SELECT'), ('runs', 'SELECT, INSERT, UPDATE'),
                        ('repairs', 'SELECT, INSERT, UPDATE'), ('sync_failures', 'SELECT, INSERT, UPDATE'),
                        ('holds', 'SELECT'), ('sync_installations', 'SELECT, UPDATE'),
                        ('sync_gaps', 'SELECT, INSERT, UPDATE'), ('cache_writes', 'SELECT'),
                        ('profile_marks', 'SELECT, DELETE'), ('opening_balances', 'SELECT, DELETE'),
                        ('findings', 'SELECT, INSERT, UPDATE, DELETE'), ('suspects', 'SELECT, INSERT, DELETE'),
                        ('checkpoints', 'SELECT, INSERT, UPDATE'), ('repaired_caches', 'SELECT'),
                        ('verified_ranges', 'SELECT, INSERT, UPDATE, DELETE'), ('alerts', 'SELECT, INSERT, UPDATE'),
                        ('alert_conditions', 'SELECT, INSERT, UPDATE, DELETE'), ('alert_hooks', 'SELECT, INSERT'),
                        ('schedule_slots', 'SELECT, INSERT, UPDATE, DELETE')) AS w (name, grants)
           JOIN pg_namespace n ON n.nspname = 'trueup'
           JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.name
          ORDER BY 1`,
};

export interface InstallRightRow {
  readonly schemaExists: boolean;
  /** It may create in the schema, or (where there is none) the schema. */
  readonly creates: boolean;
  readonly role: string;
  readonly database: string;
  readonly schemaOwner: string | null;
  /** That owner is a superuser, or may become one. */
  readonly schemaOwnerElevated: boolean;
}

export const mayInstall: Statement = {
  text: `SELECT n.oid IS NOT NULL AS "schemaExists", format('%I', current_user) AS role,
                format('%I', current_database()) AS database,
                (SELECT format('%I', rolname) FROM pg_roles WHERE oid = n.nspowner) AS "schemaOwner",
                n.oid IS NOT NULL AND ${isElevated('n.nspowner')} AS "schemaOwnerElevated",
                CASE WHEN n.oid IS NULL THEN has_database_privilege(current_database(), 'CREATE')
                     ELSE pg_has_role(n.nspowner, 'USAGE') END AS creates
           FROM (SELECT 1) AS one LEFT JOIN pg_namespace n ON n.nspname = 'trueup'`,
};

export interface OwnerRow {
  readonly oid: string;
  readonly role: string;
  /** Gives the function to the owner of the ledger; null: he has it. */
  readonly setBack: string | null;
  /** Tables of the mapping whose policies hide rows from the owner of the function. */
  readonly hidden: readonly string[];
  /** It may call what records failures. */
  readonly records: boolean;
}

/** The owner of the function that makes caches follow. */
export function syncOwner(
  functionName: string,
  ledgerOid: string,
  tableOids: readonly string[],
): Statement {
  return {
    text: `SELECT r.oid::text AS oid, format('%I', r.rolname) AS role,
                  (SELECT format('ALTER FUNCTION %I.%I() OWNER TO %I', n.nspname, p.proname, o.rolname)
                     FROM pg_class l JOIN pg_roles o ON o.oid = l.relowner
                    WHERE l.oid = $3::oid AND o.oid <> r.oid) AS "setBack",
                  ARRAY(SELECT format('%I.%I', cn.nspname, c.relname)
                          FROM pg_class c JOIN pg_namespace cn ON cn.oid = c.relnamespace
                         WHERE c.oid = ANY ($2::oid[]) AND c.relrowsecurity
                           AND NOT (r.rolsuper OR r.rolbypassrls)
                           AND (c.relforcerowsecurity OR NOT pg_has_role(r.oid, c.relowner, 'USAGE'))) AS hidden,
                  (SELECT bool_and(has_function_privilege(r.oid, q.oid, 'EXECUTE'))
                     FROM pg_proc q WHERE q.pronamespace = n.oid AND q.proname = 'record_sync_failure') IS NOT FALSE
                  AND has_schema_privilege(r.oid, n.oid, 'USAGE') AS records
             FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
             JOIN pg_roles r ON r.oid = p.proowner
            WHERE n.nspname || '.' || p.proname = $1`,
    values: [functionName, tableOids, ledgerOid],
  };
}

/** GRANT, as the remedy of a missing right. */
export function grant(rights: string, on: string, role: string): string {
  return `GRANT ${rights} ON ${on} TO ${role}`;
}
