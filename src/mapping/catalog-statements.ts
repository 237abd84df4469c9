import type { Statement } from '../postgres/database.js';

/**
 * Statements that read the whole catalog of a database, in a fixed number however many tables there
 * are. They need no right but to connect: the catalog is everybody's to read.
 */

/**
 * The relations that may belong to an application: not PostgreSQL's own, not Trueup's, not those of an
 * extension, no temporary ones, and of a partitioned table only the whole.
 */
const RELATIONS = `relations AS MATERIALIZED (
  SELECT c.oid, n.oid AS schema_id, n.nspname, c.relname, c.relkind
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition AND c.relpersistence <> 't'
     AND n.nspname NOT IN ('information_schema', 'trueup') AND n.nspname !~ '^pg_'
     AND NOT EXISTS (SELECT FROM pg_depend d
                      WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'))`;

export interface RelationRow {
  readonly oid: string;
  readonly schema: string;
  readonly name: string;
  /** pg_class.relkind. */
  readonly kind: string;
  /** Its name alone finds it on the search_path. */
  readonly visible: boolean;
  /** This role may read some column of it. */
  readonly readable: boolean;
  /** This role may look into its schema. */
  readonly usable: boolean;
  /** Row-level security keeps rows of it from this role. */
  readonly rowsHidden: boolean;
}

export const relations: Statement = {
  text: `WITH ${RELATIONS}
SELECT r.oid::text, r.nspname AS schema, r.relname AS name, r.relkind::text AS kind,
       coalesce(pg_table_is_visible(r.oid), false) AS visible,
       coalesce(has_schema_privilege(r.schema_id, 'USAGE') AND has_any_column_privilege(r.oid, 'SELECT'), false) AS readable,
       coalesce(has_schema_privilege(r.schema_id, 'USAGE'), false) AS usable,
       coalesce(row_security_active(r.oid), false) AS "rowsHidden"
  FROM relations r`,
};

/** One column; its shape is that of one table's columns in statements.ts, but for what indexes say. */
export interface CatalogColumnRow {
  readonly table: string;
  readonly name: string;
  readonly type: string;
  readonly baseType: string;
  readonly scale: number | null;
  readonly nullable: boolean;
  readonly generated: boolean;
  readonly defaultSql: string | null;
  readonly readable: boolean;
  readonly identity: boolean;
}

export const columns: Statement = {
  text: `WITH RECURSIVE ${RELATIONS}, domains (type_id, base_id, modifier) AS (
  SELECT t.oid, t.typbasetype, t.typtypmod FROM pg_type t WHERE t.typtype = 'd'
  UNION ALL
  SELECT d.type_id, t.typbasetype, t.typtypmod
    FROM domains d JOIN pg_type t ON t.oid = d.base_id AND t.typtype = 'd'
), plain AS (
  SELECT d.* FROM domains d JOIN pg_type b ON b.oid = d.base_id AND b.typtype <> 'd'
)
SELECT r.oid::text AS "table", a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type,
       format_type(coalesce(p.base_id, a.atttypid), NULL) AS "baseType",
       CASE WHEN coalesce(p.base_id, a.atttypid) = 'numeric'::regtype AND coalesce(p.modifier, a.atttypmod) >= 4
            THEN ((coalesce(p.modifier, a.atttypmod) - 4) & 2047 # 1024) - 1024 END AS scale,
       NOT a.attnotnull AS nullable, a.attgenerated <> '' AS generated, a.attidentity <> '' AS identity,
       CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END AS "defaultSql",
       coalesce(has_column_privilege(r.oid, a.attnum, 'SELECT'), false) AS readable
  FROM relations r
  JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN plain p ON p.type_id = a.atttypid
  LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
 ORDER BY r.oid, a.attnum`,
};

export interface IndexRow {
  readonly table: string;
  readonly unique: boolean;
  readonly primary: boolean;
  /** The condition of a partial index; null: it holds for every row. */
  readonly predicate: string | null;
  /** The key's columns in order; an expression is an empty text. */
  readonly columns: readonly string[];
}

export const indexes: Statement = {
  text: `WITH ${RELATIONS}
SELECT r.oid::text AS "table", i.indisunique AS unique, i.indisprimary AS primary,
       pg_get_expr(i.indpred, i.indrelid) AS predicate,
       ARRAY(SELECT coalesce(a.attname::text, '')
               FROM generate_series(0, i.indnkeyatts - 1) AS k (n)
               LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k.n] AND a.attnum > 0
              ORDER BY k.n) AS columns
  FROM relations r JOIN pg_index i ON i.indrelid = r.oid AND i.indisvalid`,
};

export interface ForeignKeyRow {
  readonly table: string;
  readonly target: string;
  readonly columns: readonly string[];
  readonly targetColumns: readonly string[];
}

export const foreignKeys: Statement = {
  text: `WITH ${RELATIONS}
SELECT r.oid::text AS "table", k.confrelid::text AS target,
       ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS c (number, place)
               JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = c.number ORDER BY c.place) AS columns,
       ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS c (number, place)
               JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = c.number ORDER BY c.place) AS "targetColumns"
  FROM relations r JOIN pg_constraint k ON k.conrelid = r.oid AND k.contype = 'f'`,
};

export interface CheckRow {
  readonly table: string;
  readonly column: string;
  readonly definition: string;
}

/** The conditions that look at one column only. */
export const checks: Statement = {
  text: `WITH ${RELATIONS}
SELECT r.oid::text AS "table", a.attname AS "column", pg_get_expr(k.conbin, k.conrelid) AS definition
  FROM relations r
  JOIN pg_constraint k ON k.conrelid = r.oid AND k.contype = 'c' AND cardinality(k.conkey) = 1
  JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum = k.conkey[1]`,
};
