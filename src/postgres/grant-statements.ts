import { quoteIdentifier } from './identifiers.js';

/** GRANT statements as text: the remedy of a right that a role lacks. */

/** One GRANT. All names are quoted already. */
export function grant(rights: string, on: string, role: string): string {
  return `GRANT ${rights} ON ${on} TO ${role}`;
}

/** What lets a role read one of Trueup's own tables. */
export function grantsOnOwn(table: string, role: string): string {
  return `${grant('USAGE', 'SCHEMA trueup', role)}; ${grant('SELECT', `trueup.${table}`, role)}`;
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

const DENIED =
  /^permission denied for (table|view|materialized view|foreign table|relation|sequence|schema|database) (.+)$/;

/** What failed for want of a right: what the server said, the statement, and who sent it. */
export interface Denied {
  readonly message: string;
  readonly text: string;
  /** Not quoted. */
  readonly role: string;
}

/**
 * The GRANT that a refused statement lacks; undefined where the server says too little (it speaks
 * another language), or the statement does not name the table, such as one that a function reads.
 */
export function grantFor(denied: Denied): string | undefined {
  const [, kind, name] = DENIED.exec(denied.message) ?? [];
  if (kind === undefined || name === undefined) return undefined;
  const role = quoteIdentifier(denied.role);
  if (kind === 'schema') return grant('USAGE', `SCHEMA ${quoteIdentifier(name)}`, role);
  if (kind === 'database') return grant('CREATE', `DATABASE ${quoteIdentifier(name)}`, role);
  if (kind === 'sequence') {
    // That of a serial column lies beside its table; the statement names that alone.
    const [, schema] = new RegExp(`INSERT INTO (${NAME})\\.`).exec(denied.text) ?? [];
    const place = schema === undefined ? '' : `${schema}.`;
    return grant('USAGE', `SEQUENCE ${place}${quoteIdentifier(name)}`, role);
  }
  const [named, schema] = naming(name).exec(denied.text) ?? [];
  if (named === undefined || schema === undefined) return undefined;
  const rights = rightsOn(named, denied.text);
  return grant(rights, `${schema}.${quoteIdentifier(name)}`, role);
}

/** A name as statements write it. */
const NAME = '"(?:[^"]|"")+"|[A-Za-z_][A-Za-z0-9_]*';

function naming(name: string): RegExp {
  return new RegExp(
    `(${NAME})\\.(?:${literally(quoteIdentifier(name))}|${literally(name)}(?![A-Za-z0-9_]))`,
  );
}

/** What a statement does to a table that it names like this. */
function rightsOn(named: string, text: string): string {
  const after = (words: string): boolean =>
    new RegExp(`${words}\\s+(?:ONLY\\s+)?${literally(named)}(?![A-Za-z0-9_."])`).test(text);
  const inserts = after('INSERT INTO');
  const [updates, deletes] = [after('UPDATE'), after('DELETE FROM')];
  const reads = updates || deletes || after('(?<!DELETE )FROM') || after('JOIN') || !inserts;
  const locks = reads && /\bFOR (NO KEY )?(UPDATE|SHARE|KEY SHARE)\b/.test(text);
  return [
    ...(reads || /\b(RETURNING|ON CONFLICT)\b/.test(text) ? ['SELECT'] : []),
    ...(inserts ? ['INSERT'] : []),
    ...(updates || locks || (inserts && text.includes('DO UPDATE')) ? ['UPDATE'] : []),
    ...(deletes ? ['DELETE'] : []),
  ].join(', ');
}

function literally(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
