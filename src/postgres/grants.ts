import { quoteIdentifier } from './identifiers.js';

/** GRANT statements as text: the remedy of a right that a role lacks. */

/** One GRANT. All names are quoted already. */
export function grant(rights: string, on: string, role: string): string {
  return `GRANT ${rights} ON ${on} TO ${role}`;
}

/** A table that a role may not read. */
export interface ClosedTable {
  readonly schema: string;
  /** Schema-qualified and quoted. */
  readonly quoted: string;
  /** The role may look into its schema. */
  readonly usable: boolean;
  /** It has SELECT on every column, if only it could look into the schema. */
  readonly selectable: boolean;
}

/** What lets a role read tables, as one text. */
export function grantsToRead(tables: readonly ClosedTable[], role: string): string {
  const schemas = new Set(tables.filter(({ usable }) => !usable).map(({ schema }) => schema));
  return [
    ...[...schemas].map((schema) => grant('USAGE', `SCHEMA ${quoteIdentifier(schema)}`, role)),
    ...tables.flatMap(({ quoted, selectable }) =>
      selectable ? [] : [grant('SELECT', quoted, role)],
    ),
  ].join('; ');
}
