import type { Queryable } from '../postgres/database.js';
import { quoteIdentifier } from '../postgres/identifiers.js';
import type { Column, Table } from './model.js';
import { wordsOf } from './propose/words.js';
import { toColumn } from './resolve.js';
import * as statements from './catalog-statements.js';

/** What the catalog says of a whole database, as far as a proposal needs it. */

export interface CatalogColumn extends Column {
  /** The words of its name. */
  readonly words: readonly string[];
  /** This role may read it. */
  readonly readable: boolean;
  /** The database numbers it. */
  readonly identity: boolean;
  /** It is the primary key by itself. */
  readonly primaryKey: boolean;
  /** It is a part of a primary key of several columns. */
  readonly partOfKey: boolean;
  /** A condition allows no number below zero. */
  readonly neverNegative: boolean;
  /** The conditions on it alone, as the server prints them. */
  readonly conditions: readonly string[];
  /** Some index begins with it. */
  readonly indexed: boolean;
}

/** A foreign key; one of several columns has several in both lists. */
export interface CatalogForeignKey {
  /** The oid of the table it references. */
  readonly target: string;
  readonly columns: readonly string[];
  readonly targetColumns: readonly string[];
}

export interface CatalogTable extends Table {
  /** pg_class.relkind. */
  readonly kind: string;
  /** The words of its name. */
  readonly words: readonly string[];
  readonly visible: boolean;
  readonly readable: boolean;
  /** This role may look into its schema. */
  readonly usable: boolean;
  readonly rowsHidden: boolean;
  readonly columns: readonly CatalogColumn[];
  readonly foreignKeys: readonly CatalogForeignKey[];
  /** The columns of each unique index that holds for every row. */
  readonly uniqueKeys: readonly (readonly string[])[];
}

/** Every table and view of an application, in the order of their names. */
export type Catalog = readonly CatalogTable[];

/** Reads it, in five statements however many tables there are. Needs no right on any table. */
export async function readCatalog(session: Queryable): Promise<Catalog> {
  const relations = await session.query<statements.RelationRow>(statements.relations);
  const columns = await session.query<statements.CatalogColumnRow>(statements.columns);
  const indexes = await session.query<statements.IndexRow>(statements.indexes);
  const keys = await session.query<statements.ForeignKeyRow>(statements.foreignKeys);
  const checks = await session.query<statements.CheckRow>(statements.checks);
  const of = {
    columns: grouped(columns),
    indexes: grouped(indexes),
    keys: grouped(keys),
    checks: grouped(checks),
  };
  return relations
    .map((row) => {
      const facts = {
        indexes: of.indexes.get(row.oid) ?? [],
        checks: of.checks.get(row.oid) ?? [],
      };
      return {
        ...row,
        words: wordsOf(row.name),
        quoted: `${quoteIdentifier(row.schema)}.${quoteIdentifier(row.name)}`,
        columns: (of.columns.get(row.oid) ?? []).map((column) => toCatalogColumn(column, facts)),
        foreignKeys: of.keys.get(row.oid) ?? [],
        uniqueKeys: facts.indexes.flatMap(({ unique, predicate, columns: key }) =>
          unique && predicate === null && !key.includes('') ? [key] : [],
        ),
      };
    })
    .sort(byName);
}

/** By code points, whatever the database's collation: the same catalog, the same order. */
function byName(one: Table, other: Table): number {
  if (one.schema !== other.schema) return one.schema < other.schema ? -1 : 1;
  return one.name < other.name ? -1 : Number(one.name > other.name);
}

function grouped<Row extends { readonly table: string }>(rows: readonly Row[]): Map<string, Row[]> {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const group = groups.get(row.table);
    if (group === undefined) groups.set(row.table, [row]);
    else group.push(row);
  }
  return groups;
}

/** `((amount > 0))`, `((amount)::numeric >= (0)::numeric)` and the like. */
const NOT_BELOW_ZERO = /[^<]>=? \(*0\b/;

function toCatalogColumn(
  row: statements.CatalogColumnRow,
  facts: {
    readonly indexes: readonly statements.IndexRow[];
    readonly checks: readonly statements.CheckRow[];
  },
): CatalogColumn {
  const { name } = row;
  const alone = facts.indexes.filter(
    ({ unique, columns }) => unique && columns.length === 1 && columns[0] === name,
  );
  const column = toColumn({
    ...row,
    unique: alone.some(({ predicate }) => predicate === null),
    uniqueWhere: alone.flatMap(({ predicate }) => (predicate === null ? [] : [predicate])),
  });
  return {
    ...column,
    words: wordsOf(name),
    readable: row.readable,
    identity: row.identity,
    primaryKey: alone.some(({ primary }) => primary),
    partOfKey: facts.indexes.some(
      ({ primary, columns }) => primary && columns.length > 1 && columns.includes(name),
    ),
    neverNegative: facts.checks.some(
      ({ column: checked, definition }) =>
        checked === name && NOT_BELOW_ZERO.test(definition) && !definition.includes(' OR '),
    ),
    conditions: facts.checks.flatMap(({ column: checked, definition }) =>
      checked === name ? [definition] : [],
    ),
    indexed: facts.indexes.some(({ columns }) => columns[0] === name),
  };
}
