import { TrueupError } from '../core/errors.js';
import { DEFAULT_REASONS, unearnedReasons } from '../core/reasons.js';
import type { Queryable } from '../postgres/database.js';
import { quoteIdentifier, splitTableName } from '../postgres/identifiers.js';
import { checkFit } from './fit.js';
import { checkActivity, type NamedActivity } from './activity.js';
import type {
  Activity,
  Column,
  Kind,
  Ledger,
  Profile,
  ResolvedMapping,
  Table,
  Wallet,
} from './model.js';
import type { LoadedMapping } from './load.js';
import { isOwn } from './own.js';
import type { Mapping } from './schema.js';
import * as statements from './statements.js';

/** A table of the mapping with what the catalog says about each column that is named. */
interface Found {
  readonly table: Table;
  readonly rows: ReadonlyMap<string, statements.ColumnRow>;
}

/**
 * Holds a mapping against the database and learns the types of its columns.
 *
 * @throws TrueupError `mapping_mismatch` with every reason at once; `schema_missing` when Trueup's
 *   own tables are meant and are not there
 */
export async function resolveMapping(
  session: Queryable,
  { mapping, source }: LoadedMapping,
): Promise<ResolvedMapping> {
  const problems: string[] = [];
  const ledger = await readPart<Ledger>(session, 'ledger', mapping.ledger, problems);
  const wallet = await readPart<Wallet>(session, 'wallet', mapping.wallet, problems);
  const profile =
    mapping.profile === undefined
      ? undefined
      : await readPart<Omit<Profile, 'link'>>(session, 'profile', mapping.profile, problems);
  if (profile !== undefined && mapping.wallet.profile === undefined) {
    problems.push('wallet.profile is missing: it says to which profile a wallet belongs');
  }
  if (problems.length > 0) throw mismatch(mapping, source, problems);
  const link = wallet.profile;
  const parts =
    profile === undefined || link === undefined
      ? { ledger, wallet }
      : { ledger, wallet, profile: { ...profile, link } };
  const fit = checkFit(parts);
  const activity = await resolveActivity(session, mapping, parts, fit.problems);
  if (fit.problems.length > 0) throw mismatch(mapping, source, fit.problems);
  const [holds] = await session.query<{ exists: boolean }>(statements.holdsExist);
  const [marks] = await session.query<{ readable: boolean }>(statements.marksState);
  const [openings] = await session.query<{ readable: boolean }>(statements.openingsState);
  const reasons = { ...DEFAULT_REASONS, ...mapping.reasons };
  return {
    ...parts,
    ...(activity === undefined ? {} : { activity }),
    sharedProfilesPossible: fit.sharedProfilesPossible,
    numbered: [ledger.sequence, ledger.balanceAfter, ledger.writer].every(
      (one) => one !== undefined,
    ),
    reasons,
    unearned: unearnedReasons(reasons),
    holdsKept: holds?.exists === true,
    marksKept: marks?.readable === true,
    openingsKept: openings?.readable === true,
  };
}

/**
 * Makes sure that no profile has two wallets, where no index promises it. It reads every wallet,
 * unless one is named: then it looks at the profile of that wallet alone.
 *
 * @throws TrueupError `mapping_mismatch`
 */
export async function refuseSharedProfiles(
  session: Queryable,
  mapping: ResolvedMapping,
  walletId?: string,
): Promise<void> {
  const { wallet, profile } = mapping;
  if (profile === undefined || !mapping.sharedProfilesPossible) return;
  const [shared] = await session.query<statements.SharedProfileRow>(
    walletId === undefined
      ? statements.sharedProfile(mapping)
      : statements.sharedProfileOf(mapping, profile, walletId),
  );
  if (shared === undefined) return;
  throw new TrueupError(
    'mapping_mismatch',
    `profile ${shared.profile} has ${shared.wallets} wallets in ${wallet.table.quoted}: which one would it show?`,
    { hint: 'Give each profile one wallet, or leave the profile part out of the mapping.' },
  );
}

async function resolveActivity(
  session: Queryable,
  mapping: Mapping,
  parts: Pick<ResolvedMapping, 'ledger' | 'wallet' | 'profile'>,
  problems: string[],
): Promise<Activity | undefined> {
  if (mapping.activity === undefined) return undefined;
  const { source = parts.ledger.table.name, ...names } = mapping.activity;
  const own: string[] = [];
  const unfilled: string[] = [];
  const named = new Set<string | undefined>(Object.values(names));
  const activity = await readPart<NamedActivity>(session, 'activity', names, own, (found) => {
    for (const row of found.rows.values()) {
      const filled = row.nullable || row.generated || row.identity || row.defaultSql !== null;
      if (!filled && !named.has(row.name)) unfilled.push(quoteIdentifier(row.name));
    }
  });
  if (own.length === 0) own.push(...checkActivity({ ...activity, source }, parts, unfilled));
  problems.push(...own);
  if (own.length > 0) return undefined;
  const constraints = await session.query<{ name: string }>(
    statements.deferredConstraints(activity.table.oid),
  );
  return { ...activity, source, deferredConstraints: constraints.map(({ name }) => name) };
}

/** Reads one part; what it returns is whole only while `problems` stays empty. */
async function readPart<Part>(
  session: Queryable,
  part: string,
  names: Readonly<Record<string, string | undefined>>,
  problems: string[],
  onFound?: (found: Found) => void,
): Promise<Part> {
  const { table: tableName, ...columns } = names;
  const found = await findTable(session, part, tableName ?? '', problems);
  const resolved: Record<string, Table | Column> = {};
  if (found !== undefined) {
    onFound?.(found);
    resolved['table'] = found.table;
    for (const [role, name] of Object.entries(columns)) {
      if (name === undefined) continue;
      const row = found.rows.get(name);
      if (row === undefined) {
        problems.push(
          `${part}.${role}: ${found.table.quoted} has no column ${quoteIdentifier(name)}`,
        );
      } else {
        resolved[role] = toColumn(row);
      }
    }
  }
  return resolved as Part;
}

async function findTable(
  session: Queryable,
  part: string,
  text: string,
  problems: string[],
): Promise<Found | undefined> {
  const name = splitTableName(text);
  const [row] = await session.query<statements.TableRow>(
    statements.findTable(name.schema, name.table),
  );
  if (row === undefined) {
    problems.push(`${part}.table: there is no table ${text}`);
    return undefined;
  }
  if (row.kind !== 'r' && row.kind !== 'p') {
    problems.push(`${part}.table: ${text} is ${RELATION_KINDS[row.kind] ?? 'not a table'}`);
    return undefined;
  }
  const quoted = `${quoteIdentifier(row.schema)}.${quoteIdentifier(row.name)}`;
  return {
    table: { oid: row.oid, schema: row.schema, name: row.name, quoted },
    rows: new Map(row.columns.map((column) => [column.name, column])),
  };
}

/** What a relation is that is no table, by its kind in the catalog. */
export const RELATION_KINDS: Readonly<Record<string, string>> = {
  v: 'a view, and the caches have to be in a table',
  m: 'a materialized view, and the caches have to be in a table',
  f: 'a foreign table, whose rows this server cannot lock',
  S: 'a sequence',
  i: 'an index',
  I: 'an index',
  c: 'a composite type',
};

const KINDS: Readonly<Record<string, Kind>> = {
  smallint: 'integer',
  integer: 'integer',
  bigint: 'integer',
  numeric: 'numeric',
  uuid: 'uuid',
  text: 'text',
  'character varying': 'text',
  boolean: 'boolean',
  'timestamp with time zone': 'timestamp',
  'timestamp without time zone': 'timestamp',
  json: 'json',
  jsonb: 'json',
  xid8: 'xid8',
};

/** A column as the catalog tells it. */
export function toColumn(row: statements.ColumnRow): Column {
  const kind = KINDS[row.baseType] ?? 'other';
  return {
    name: row.name,
    quoted: quoteIdentifier(row.name),
    type: row.type,
    baseType: row.baseType,
    kind,
    scale: kind === 'numeric' ? (row.scale ?? Infinity) : 0,
    nullable: row.nullable,
    unique: row.unique,
    uniqueWhere: row.uniqueWhere,
    generated: row.generated,
    identity: row.identity,
    defaultSql: row.defaultSql,
  };
}

function mismatch(mapping: Mapping, source: string, problems: readonly string[]): TrueupError {
  if (isOwn(mapping) && problems.every((problem) => problem.includes('there is no table'))) {
    return new TrueupError('schema_missing', "Trueup's own tables are not in this database", {
      hint: 'Create them with `trueup migrate`, or name your own tables in trueup.config.json.',
    });
  }
  return new TrueupError(
    'mapping_mismatch',
    `the mapping does not fit the database: ${problems.join('; ')}`,
    { hint: `Correct ${source}; names are taken exactly as the catalog spells them.` },
  );
}
