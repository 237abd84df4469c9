import { TrueupError } from '../core/errors.js';
import { readCatalog, type Catalog } from '../mapping/catalog.js';
import { closedTables } from '../mapping/propose/closed.js';
import { activityNotes } from '../mapping/propose/notes.js';
import { propose, type Proposal, type Proposals } from '../mapping/propose/proposal.js';
import { refuseSharedProfiles, resolveMapping } from '../mapping/resolve.js';
import type { Queryable } from '../postgres/database.js';
import { grantsToRead } from '../postgres/grant-statements.js';
import { roleOf } from '../postgres/role.js';
import { connect, disconnect } from './connect.js';
import { checkTrueupOptions, type TrueupOptions } from './options.js';

/** How to look at a database that is to be adopted. */
export interface ProposeOptions extends Pick<
  TrueupOptions,
  'databaseUrl' | 'home' | 'embeddedDatabase' | 'applicationName'
> {
  /** Also look into the wallets whether a profile has two. Default: true. */
  readonly lookAtWallets?: boolean;
}

/**
 * To print defaults and conditions the server opens each table for a moment, and would wait for as
 * long as somebody rebuilds one of them.
 */
const READING = { readOnly: true, settings: { lock_timeout: '5s' } } as const;

/**
 * Reads the catalog of a database and proposes mappings for the ledger, wallets and profiles that it
 * finds there, the likeliest first. It only reads, and needs SELECT on these tables at most; the
 * database need never have seen Trueup.
 *
 * @throws TrueupError `nothing_to_adopt` where no tables fit, with what came nearest;
 *   `permission_denied` where tables would fit that this role may not read, with the GRANT; and as
 *   {@link openTrueup} does while connecting
 */
export async function proposeMapping(options: ProposeOptions = {}): Promise<Proposals> {
  const { lookAtWallets = true, ...others } = options;
  const connection = await connect(checkTrueupOptions(others));
  try {
    return await connection.database.transaction(async (session) => {
      const catalog = await readCatalog(session);
      const found = propose(catalog);
      if (found.proposals.length === 0) {
        throw (await closedToRole(session, catalog)) ?? nothingToAdopt(found);
      }
      return await confirmed(session, found, lookAtWallets);
    }, READING);
  } finally {
    await disconnect(connection);
  }
}

/** Holds what was proposed against the database, as every mapping is before it is used. */
async function confirmed(
  session: Queryable,
  found: Proposals,
  lookAtWallets: boolean,
): Promise<Proposals> {
  const proposals: Proposal[] = [];
  for (const proposal of found.proposals) {
    const source = { mapping: proposal.mapping, source: 'the proposal' };
    const mapping = await resolveMapping(session, source);
    // Only of the likeliest: it reads every wallet.
    const look = lookAtWallets && proposals.length === 0;
    const shared = look ? await sharedProfile(() => refuseSharedProfiles(session, mapping)) : null;
    proposals.push(shared === null ? proposal : withoutProfile(proposal, shared));
  }
  return { ...found, proposals };
}

async function sharedProfile(look: () => Promise<void>): Promise<string | null> {
  try {
    await look();
    return null;
  } catch (error) {
    if (error instanceof TrueupError && error.code === 'mapping_mismatch') return error.message;
    throw error;
  }
}

/** Columns of the wallet that mean something only with a profile. */
const PROFILE_ROLES: readonly string[] = ['profile', 'currency', 'primary'];

function withoutProfile(proposal: Proposal, why: string): Proposal {
  const { ledger, wallet } = proposal.mapping;
  const left: Record<string, unknown> = { ...wallet };
  for (const role of PROFILE_ROLES) Reflect.deleteProperty(left, role);
  const parts = proposal.parts.flatMap((part) => {
    if (part.part === 'profile' || part.part === 'activity') return [];
    const columns = part.columns.filter(
      ({ role }) => part.part !== 'wallet' || !PROFILE_ROLES.includes(role),
    );
    return [{ ...part, columns }];
  });
  const gone = new Set(activityNotes(proposal.mapping));
  const notes = [
    `the profile part was left out: ${why}`,
    ...proposal.notes.filter((note) => !gone.has(note)),
  ];
  return { ...proposal, mapping: { ledger, wallet: left as typeof wallet }, parts, notes };
}

/** The catalog tells a ledger from its columns, also where this role may not read a row of it. */
async function closedToRole(
  session: Queryable,
  catalog: Catalog,
): Promise<TrueupError | undefined> {
  const closed = closedTables(catalog);
  if (closed.length === 0) return undefined;
  const role = await roleOf(session);
  const names = closed.map(({ quoted }) => quoted).join(', ');
  return new TrueupError(
    'permission_denied',
    `role ${role} may not read ${names}: by the catalog a ledger with wallets is there, and its rows are closed to this role`,
    { hint: grantsToRead(closed, role) },
  );
}

function nothingToAdopt({ runnersUp, looked }: Proposals): TrueupError {
  const nearest = runnersUp.map(
    ({ part, table, against }) => `${table} is no ${part}: ${against.join('; ')}`,
  );
  const tables = looked === 1 ? '1 table or view' : `${String(looked)} tables and views`;
  return new TrueupError(
    'nothing_to_adopt',
    [`among ${tables} no ledger with wallets was found`, ...nearest].join('\n  '),
    {
      hint:
        'Looked for: a table of entries with a signed amount (integer or numeric) and a column that ' +
        'names the wallet, by a foreign key or its name; and a table of wallets with a balance and a ' +
        'unique id. If they are there under other names, write trueup.config.json by hand (README.md).',
    },
  );
}
