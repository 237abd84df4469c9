import type { Statement } from '../postgres/database.js';
import { quoteIdentifier } from '../postgres/identifiers.js';
import type { Column, Table } from './model.js';

/** What the catalog says about one table. */
export interface TableRow {
  readonly oid: string;
  readonly schema: string;
  readonly name: string;
  /** pg_class.relkind: r table, p partitioned table, v view, m materialized view, f foreign table. */
  readonly kind: string;
  readonly columns: readonly ColumnRow[];
}

export interface ColumnRow {
  readonly name: string;
  /** As format_type prints it, with its modifier, such as numeric(10,2). */
  readonly type: string;
  /** The plain type behind it: a domain is followed to its base. */
  readonly baseType: string;
  /** Digits after the point of a numeric column; null where the type does not say. */
  readonly scale: number | null;
  readonly nullable: boolean;
  readonly generated: boolean;
  /** A unique index over this column alone holds for every row. */
  readonly unique: boolean;
}

/**
 * One table with its columns, found as PostgreSQL itself would find it (`to_regclass` follows the
 * search_path for a name without a schema). The scale of numeric(p,s) stands in atttypmod: the low
 * eleven bits, less the four bytes of its header, sign-extended since PostgreSQL 15.
 */
export function findTable(schema: string | undefined, table: string): Statement {
  const name = (schema === undefined ? '' : `${quoteIdentifier(schema)}.`) + quoteIdentifier(table);
  return {
    text: `
WITH RECURSIVE found AS (
  SELECT c.oid, n.nspname, c.relname, c.relkind
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE c.oid = to_regclass($1)
), plain_type (column_number, type_id, modifier) AS (
  SELECT a.attnum, a.atttypid, a.atttypmod
    FROM found f JOIN pg_attribute a ON a.attrelid = f.oid AND a.attnum > 0 AND NOT a.attisdropped
  UNION ALL
  SELECT p.column_number, t.typbasetype, t.typtypmod
    FROM plain_type p JOIN pg_type t ON t.oid = p.type_id AND t.typtype = 'd'
)
SELECT f.oid::text, f.nspname AS schema, f.relname AS name, f.relkind::text AS kind,
       (SELECT coalesce(json_agg(json_build_object(
                 'name', a.attname,
                 'type', format_type(a.atttypid, a.atttypmod),
                 'baseType', format_type(p.type_id, NULL),
                 'scale', CASE WHEN p.type_id = 'numeric'::regtype AND p.modifier >= 4
                               THEN ((p.modifier - 4) & 2047 # 1024) - 1024 END,
                 'nullable', NOT a.attnotnull,
                 'generated', a.attgenerated <> '',
                 'unique', EXISTS (
                   SELECT FROM pg_index i
                    WHERE i.indrelid = f.oid AND i.indisunique AND i.indisvalid AND i.indnkeyatts = 1
                      AND i.indkey[0] = a.attnum AND i.indpred IS NULL)
               ) ORDER BY a.attnum), '[]')
          FROM pg_attribute a
          JOIN plain_type p ON p.column_number = a.attnum
           AND NOT EXISTS (SELECT FROM pg_type t WHERE t.oid = p.type_id AND t.typtype = 'd')
         WHERE a.attrelid = f.oid) AS columns
  FROM found f`,
    values: [name],
  };
}

/** The wallet table, with the column that names a wallet's profile. */
interface WalletColumns {
  readonly table: Table;
  readonly id: Column;
  readonly link: Column;
}

export interface SharedProfileRow {
  readonly profile: string;
  readonly wallets: string;
}

/** A profile to which several wallets belong, if there is one. */
export function sharedProfile({ table, link }: WalletColumns): Statement {
  return {
    text: `SELECT ${link.quoted}::text AS profile, count(*)::text AS wallets
             FROM ${table.quoted} WHERE ${link.quoted} IS NOT NULL
            GROUP BY ${link.quoted} HAVING count(*) > 1 LIMIT 1`,
  };
}

/** The profile of one wallet, if other wallets belong to it as well. */
export function sharedProfileOf({ table, id, link }: WalletColumns, walletId: string): Statement {
  return {
    text: `SELECT ${link.quoted}::text AS profile, count(*)::text AS wallets
             FROM ${table.quoted}
            WHERE ${link.quoted} = (SELECT o.${link.quoted} FROM ${table.quoted} AS o WHERE o.${id.quoted} = $1::${id.baseType})
            GROUP BY ${link.quoted} HAVING count(*) > 1`,
    values: [walletId],
  };
}
