import type { Catalog, CatalogColumn, CatalogTable } from '../catalog.js';
import { coinPoints } from './columns.js';

/** Which columns name rows of which other tables: by a foreign key, else by their names. */

export interface Link {
  readonly column: CatalogColumn;
  readonly target: CatalogTable;
  /** The column of the target that it names. */
  readonly key: CatalogColumn;
  /** `shared`: both tables name the same row of a third one, such as a user. */
  readonly how: 'foreign key' | 'name' | 'shared';
}

/** A column and where it is. */
export interface Place {
  readonly table: CatalogTable;
  readonly column: CatalogColumn;
}

/** Kinds of columns that can be ids. */
export const ID_KINDS: ReadonlySet<string> = new Set(['integer', 'uuid', 'text']);

/** Words at the end of a column's name that say that it names a row. */
const ID_WORDS = new Set(['id', 'uuid', 'guid', 'ref', 'fk', 'no', 'number', 'key', 'code']);

/** Names of columns that may name a row without any such word. */
const BARE_WORDS = new Set([
  'wallet',
  'account',
  'user',
  'player',
  'customer',
  'profile',
  'member',
  'owner',
]);

/** The links of a whole catalog, found on demand. */
export class Links {
  readonly #byOid: ReadonlyMap<string, CatalogTable>;
  readonly #catalog: Catalog;
  /** What unique columns name, and where they are: the likeliest to hold coins first. */
  readonly #sharing: ReadonlyMap<string, readonly Shared[]>;
  /** Tables by a name, with the column that names their rows; the likeliest first. */
  readonly #named = new Map<string, readonly Shared[]>();

  constructor(catalog: Catalog) {
    this.#byOid = new Map(catalog.map((table) => [table.oid, table]));
    this.#catalog = catalog;
    const sharing = new Map<string, Shared[]>();
    for (const table of catalog) {
      for (const key of table.columns) {
        for (const name of key.unique ? namesOf(table, key) : []) {
          const others = sharing.get(name) ?? [];
          others.push({ table, key });
          sharing.set(name, others);
        }
      }
    }
    this.#sharing = new Map([...sharing].map(([name, all]) => [name, likeliest(all, () => 0)]));
  }

  /** Every link of a table to another one. */
  from(table: CatalogTable): Link[] {
    return table.columns.flatMap((column) => this.#of(table, column));
  }

  /** Whether two columns name the same rows: one those of the other, or both those of a third table. */
  isSame(one: Place, other: Place): boolean {
    const names = new Set(namesOf(other.table, other.column));
    return (
      this.#of(one.table, one.column).some(
        ({ target, key }) => target === other.table && key === other.column,
      ) || namesOf(one.table, one.column).some((name) => names.has(name))
    );
  }

  #of(table: CatalogTable, column: CatalogColumn): Link[] {
    if (!ID_KINDS.has(column.kind)) return [];
    return this.#byForeignKey(table, column) ?? this.#byName(table, column);
  }

  /** Links to tables that name the same row of a third one (or, without foreign keys, by the same word). */
  shared(from: CatalogTable): Link[] {
    return from.columns.flatMap((column) =>
      namesOf(from, column).flatMap((name) =>
        (this.#sharing.get(name) ?? [])
          .filter(({ table, key }) => table !== from && key.kind === column.kind)
          .map(({ table, key }) => ({ column, target: table, key, how: 'shared' as const })),
      ),
    );
  }

  /** Undefined where no foreign key says anything about the column. */
  #byForeignKey(table: CatalogTable, column: CatalogColumn): Link[] | undefined {
    const keys = table.foreignKeys.filter(
      ({ columns }) => columns.length === 1 && columns[0] === column.name,
    );
    if (keys.length === 0) return undefined;
    return keys.flatMap(({ target, targetColumns }) => {
      const other = this.#byOid.get(target);
      const key = other?.columns.find(({ name }) => name === targetColumns[0]);
      if (other === undefined || key === undefined || other === table) return [];
      return [{ column, target: other, key, how: 'foreign key' as const }];
    });
  }

  #byName(table: CatalogTable, column: CatalogColumn): Link[] {
    const stem = stemOf(column.words);
    if (stem === '') return [];
    return this.#tablesNamed(stem, table.schema).flatMap(({ table: target, key }) => {
      if (target === table || key.kind !== column.kind) return [];
      return [{ column, target, key, how: 'name' as const }];
    });
  }

  /** The tables of a name: those of the same schema, and only where it has none those of others. */
  #tablesNamed(stem: string, schema: string): readonly Shared[] {
    const here = this.#search(stem, schema);
    return here.length > 0 ? here : this.#search(stem, undefined);
  }

  #search(stem: string, schema: string | undefined): readonly Shared[] {
    const memo = JSON.stringify([stem, schema]);
    const known = this.#named.get(memo);
    if (known !== undefined) return known;
    const all = this.#catalog.flatMap((table) => {
      if (schema !== undefined && table.schema !== schema) return [];
      const key = isNamed(table, stem) > 0 ? (keyOf(table) ?? namedKey(table)) : undefined;
      return key === undefined ? [] : [{ table, key }];
    });
    const found = likeliest(all, (table) => isNamed(table, stem));
    this.#named.set(memo, found);
    return found;
  }
}

/** A table, and the column that names its rows. */
interface Shared {
  readonly table: CatalogTable;
  readonly key: CatalogColumn;
}

/**
 * Where one word may mean hundreds of tables, so many are looked at: every ledger with every wallet
 * would be a million pairs.
 */
const MOST_BY_NAME = 20;

/** The likeliest to hold coins; of equals the first by name. */
function likeliest(all: readonly Shared[], points: (table: CatalogTable) => number): Shared[] {
  if (all.length <= 1) return [...all];
  return all
    .map((one) => ({ one, points: points(one.table) + coinPoints(one.table) }))
    .sort((one, other) => other.points - one.points)
    .slice(0, MOST_BY_NAME)
    .map(({ one }) => one);
}

/** How well a table answers to a name. */
function isNamed({ words }: CatalogTable, stem: string): number {
  const name = words.join('');
  if (name === stem) return 8;
  if (name.endsWith(stem)) return 5;
  return words.includes(stem) ? 3 : 0;
}

/** What a column of this name would name a row of: `wallet_id` and `walletid` a `wallet`; '' nothing. */
function stemOf(words: readonly string[]): string {
  const last = words.at(-1) ?? '';
  if (words.length > 1 && ID_WORDS.has(last)) return words.slice(0, -1).join('');
  if (words.length === 1 && last.length > 4 && last.endsWith('id')) return last.slice(0, -2);
  return BARE_WORDS.has(last) ? words.join('') : '';
}

/** The column that names the rows of a table. */
export function keyOf(table: CatalogTable): CatalogColumn | undefined {
  const candidates = table.columns.filter(({ kind, unique }) => unique && ID_KINDS.has(kind));
  return (
    candidates.find(({ primaryKey }) => primaryKey) ??
    candidates.find(({ words }) => ['id', 'uuid'].includes(words.join(' ')))
  );
}

/** What would name the rows, if an index said so: of a view, or of a table without a key. */
function namedKey(table: CatalogTable): CatalogColumn | undefined {
  return table.columns.find(({ words, kind }) => words.join(' ') === 'id' && ID_KINDS.has(kind));
}

/** What a column names, as comparable text: the ends of its foreign keys, else the word of its own name. */
function namesOf(table: CatalogTable, { name, words, kind, primaryKey }: CatalogColumn): string[] {
  if (!ID_KINDS.has(kind)) return [];
  const ends = table.foreignKeys
    .filter(({ columns }) => columns.length === 1 && columns[0] === name)
    .map(({ target, targetColumns }) => `key ${target} ${targetColumns[0] ?? ''}`);
  if (ends.length > 0) return ends;
  const stem = stemOf(words);
  // A table's own id may be named after it: wallet_id of the wallets is no link to anything.
  const own = primaryKey && table.words.join('').endsWith(stem);
  return stem === '' || own ? [] : [`name ${table.schema} ${stem}`];
}
