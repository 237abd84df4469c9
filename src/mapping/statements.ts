import type { Statement } from '../postgres/database.js';
import { quoteIdentifier } from '../postgres/identifiers.js';
import { andIsPrimary, shownProfile } from './expressions.js';
import type { Profile, ResolvedMapping } from './model.js';

/** Whether Trueup's table of holds is in this database, and may be read: a dry run needs no right on it. */
export const holdsExist: Statement = {
  text: `SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                         WHERE n.nspname = 'trueup' AND c.relname = 'holds'
                           AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')) AS exists`,
};

/** Whether Trueup's marks of deferred profiles are in this database, and may be read. */
export const marksState: Statement = {
  text: `SELECT has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') AS readable
           FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
          WHERE n.nspname = 'trueup' AND c.relname = 'profile_marks'`,
};

/** Whether Trueup's record of balances from before its installation is in this database, and may be read. */
export const openingsState: Statement = {
  text: `SELECT has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') AS readable
           FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
          WHERE n.nspname = 'trueup' AND c.relname = 'opening_balances'`,
};

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
  readonly identity: boolean;
  /** The expression of its default; null where it has none. */
  readonly defaultSql: string | null;
  /** A unique index over this column alone holds for every row. */
  readonly unique: boolean;
  /** The predicates of the partial unique indexes over this column alone. */
  readonly uniqueWhere: readonly string[];
}

/**
 * What a name without a schema means: the first on the search_path, but never one of Trueup's own
 * tables. For a role called trueup, as that of the embedded server, `"$user"` puts those first, and as
 * soon as they exist the same mapping would mean other tables than before.
 */
const FIRST_ON_PATH = `(
  SELECT p.found FROM (SELECT to_regclass(quote_ident(s.name) || '.' || $1) AS found, s.place
                         FROM unnest(current_schemas(true)) WITH ORDINALITY AS s (name, place)
                        WHERE s.name <> 'trueup') AS p
   WHERE p.found IS NOT NULL ORDER BY p.place LIMIT 1)`;

/**
 * One table with its columns, found as PostgreSQL itself would find it, Trueup's own tables aside. The scale of numeric(p,s) stands in atttypmod: the low
 * eleven bits, less the four bytes of its header, sign-extended since PostgreSQL 15.
 */
export function findTable(schema: string | undefined, table: string): Statement {
  const name = (schema === undefined ? '' : `${quoteIdentifier(schema)}.`) + quoteIdentifier(table);
  return {
    text: `
WITH RECURSIVE found AS (
  SELECT c.oid, n.nspname, c.relname, c.relkind
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE c.oid = ${schema === undefined ? FIRST_ON_PATH : 'to_regclass($1)'}
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
                 'identity', a.attidentity <> '',
                 'defaultSql', (SELECT pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d
                                 WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.attgenerated = ''),
                 'unique', EXISTS (
                   SELECT FROM pg_index i
                    WHERE i.indrelid = f.oid AND i.indisunique AND i.indisvalid AND i.indnkeyatts = 1
                      AND i.indkey[0] = a.attnum AND i.indpred IS NULL),
                 'uniqueWhere', (
                   SELECT coalesce(json_agg(pg_get_expr(i.indpred, i.indrelid)), '[]') FROM pg_index i
                    WHERE i.indrelid = f.oid AND i.indisunique AND i.indisvalid AND i.indnkeyatts = 1
                      AND i.indkey[0] = a.attnum AND i.indpred IS NOT NULL)
               ) ORDER BY a.attnum), '[]')
          FROM pg_attribute a
          JOIN plain_type p ON p.column_number = a.attnum
           AND NOT EXISTS (SELECT FROM pg_type t WHERE t.oid = p.type_id AND t.typtype = 'd')
         WHERE a.attrelid = f.oid) AS columns
  FROM found f`,
    values: [name],
  };
}

/** The constraints of a table that are checked at the commit. */
export function deferredConstraints(tableOid: string): Statement {
  return {
    text: `SELECT DISTINCT format('%I.%I', n.nspname, k.conname) AS name
             FROM pg_constraint k JOIN pg_namespace n ON n.oid = k.connamespace
            WHERE k.conrelid = $1::oid AND k.condeferred ORDER BY 1`,
    values: [tableOid],
  };
}

export interface SharedProfileRow {
  readonly profile: string;
  readonly wallets: string;
}

/** A profile that several wallets would show, if there is one. */
export function sharedProfile(mapping: ResolvedMapping): Statement {
  const profile = shownProfile(mapping, 'w');
  return {
    text: `SELECT (${profile})::text AS profile, count(*)::text AS wallets
             FROM ${mapping.wallet.table.quoted} AS w WHERE ${profile} IS NOT NULL
            GROUP BY ${profile} HAVING count(*) > 1 LIMIT 1`,
  };
}

/** A profile with several wallets that it would show, and how many such profiles there are. */
export interface SharedByRow {
  readonly profile: string;
  readonly wallets: readonly string[];
  readonly profiles: string;
}

/** The first few profiles that several wallets would show. */
export function sharedProfiles(mapping: ResolvedMapping, limit: number): Statement {
  const { wallet } = mapping;
  const profile = shownProfile(mapping, 'w');
  return {
    text: `SELECT (${profile})::text AS profile, array_agg(w.${wallet.id.quoted}::text ORDER BY w.${wallet.id.quoted}) AS wallets,
                  count(*) OVER ()::text AS profiles
             FROM ${wallet.table.quoted} AS w WHERE ${profile} IS NOT NULL
            GROUP BY ${profile} HAVING count(*) > 1 ORDER BY ${profile} LIMIT $1`,
    values: [limit],
  };
}

export interface SharersRow {
  readonly walletId: string;
  readonly others: readonly string[];
}

/** For each of these wallets that shares its profile, the others that show in it as well. */
export function sharersOf(
  mapping: ResolvedMapping,
  profile: Profile,
  walletIds: readonly string[],
): Statement {
  const { table, id } = mapping.wallet;
  const link = profile.link.quoted;
  return {
    text: `SELECT w.${id.quoted}::text AS "walletId", array_agg(o.${id.quoted}::text ORDER BY o.${id.quoted}) AS others
             FROM ${table.quoted} AS w
             JOIN ${table.quoted} AS o ON o.${link} = w.${link} AND o.${id.quoted} <> w.${id.quoted}
            WHERE w.${id.quoted} = ANY ($1::${id.baseType}[])${andIsPrimary(mapping, 'w')}${andIsPrimary(mapping, 'o')}
            GROUP BY w.${id.quoted}`,
    values: [walletIds],
  };
}

/** The profile of one wallet, if other wallets would show in it as well. */
export function sharedProfileOf(
  mapping: ResolvedMapping,
  profile: Profile,
  walletId: string,
): Statement {
  const { table, id } = mapping.wallet;
  const link = profile.link.quoted;
  return {
    text: `SELECT w.${link}::text AS profile, count(*)::text AS wallets
             FROM ${table.quoted} AS w
            WHERE w.${link} = (SELECT o.${link} FROM ${table.quoted} AS o WHERE o.${id.quoted} = $1::${id.baseType})
                  ${andIsPrimary(mapping, 'w')}
            GROUP BY w.${link} HAVING count(*) > 1`,
    values: [walletId],
  };
}
