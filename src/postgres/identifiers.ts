import { TrueupError } from '../core/errors.js';

/** Quotes one identifier: the only way a name of the mapping enters SQL text. */
export function quoteIdentifier(name: string): string {
  if (name === '' || name.includes('\0')) {
    throw new TrueupError(
      'config_invalid',
      `${JSON.stringify(name)} cannot be a name in PostgreSQL`,
    );
  }
  return `"${name.replaceAll('"', '""')}"`;
}

/** Quotes a text constant, for the few places where SQL takes no parameter (such as COMMENT). */
export function quoteLiteral(text: string): string {
  const doubled = text.replaceAll("'", "''");
  return doubled.includes('\\') ? `E'${doubled.replaceAll('\\', '\\\\')}'` : `'${doubled}'`;
}

const PLAIN_OR_QUOTED = /(?:"((?:[^"]|"")+)"|([^".]+))/y;

/**
 * Splits a table name as the mapping writes it: `table`, `schema.table`, and with double quotes
 * around a name that has a dot or a quote in it. Case is kept as written.
 *
 * @throws TrueupError `config_invalid`
 */
export function splitTableName(text: string): { schema: string | undefined; table: string } {
  const names: string[] = [];
  let position = 0;
  do {
    PLAIN_OR_QUOTED.lastIndex = position;
    const match = PLAIN_OR_QUOTED.exec(text);
    if (match === null) throw malformed(text);
    names.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? '');
    position = PLAIN_OR_QUOTED.lastIndex + 1;
  } while (text[position - 1] === '.');
  const [first, second] = names;
  if (first === undefined || names.length > 2 || position <= text.length) throw malformed(text);
  return second === undefined
    ? { schema: undefined, table: first }
    : { schema: first, table: second };
}

/** Writes a table's name as {@link splitTableName} reads it: quoted only where it has to be. */
export function joinTableName(schema: string | undefined, table: string): string {
  const names = schema === undefined ? [table] : [schema, table];
  return names.map((name) => (/[".]/.test(name) ? quoteIdentifier(name) : name)).join('.');
}

function malformed(text: string): TrueupError {
  return new TrueupError('config_invalid', `${JSON.stringify(text)} is not a table name`, {
    hint: 'Write table or schema.table; put a name with dots in double quotes.',
  });
}
