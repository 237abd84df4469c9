import { immediateForeignKeys } from '../sync/statements.js';
import type { ImmediateForeignKey } from '../sync/sync.js';
import type { Column } from '../mapping/model.js';
import { error, info, ok, orOk, warning, type Context, type Examine } from './model.js';
import * as server from './server-statements.js';
import * as statements from './table-statements.js';
import { tablesOf } from './triggers.js';

/** Checks of the tables of the mapping and their indexes. */

function tables(context: Context): Promise<readonly statements.TableRow[]> {
  return context.session.query<statements.TableRow>(statements.tables(tablesOf(context)));
}

function indexes(context: Context): Promise<readonly statements.IndexRow[]> {
  return context.session.query<statements.IndexRow>(
    statements.indexes(tablesOf(context), context.mapping.ledger.table.oid),
  );
}

async function isPartitioned(context: Context): Promise<boolean> {
  return (await tables(context))[0]?.partitioned === true;
}

/** An index of the ledger that stands, whose keys begin with these columns. */
async function ledgerIndexOn(
  context: Context,
  columns: readonly Column[],
): Promise<statements.IndexRow[]> {
  return (await indexes(context)).filter(
    ({ onLedger, valid, method, keys }) =>
      onLedger && valid && method === 'btree' && columns.every(({ name }, at) => keys[at] === name),
  );
}

const ledgerIndex: Examine = async (context) => {
  const { table, wallet, amount } = context.mapping.ledger;
  const found = (await ledgerIndexOn(context, [wallet])).find(({ partial }) => !partial);
  if (found !== undefined) return [ok(`index ${found.name} begins with ${wallet.quoted}`)];
  return [
    warning(
      `no index of ${table.quoted} begins with ${wallet.quoted}`,
      statements.createIndex(table.quoted, await isPartitioned(context), [wallet.quoted], {
        include: amount.quoted,
      }),
    ),
  ];
};

const ledgerNumbers: Examine = async (context) => {
  const { table, wallet, sequence } = context.mapping.ledger;
  if (!context.mapping.numbered || sequence === undefined) {
    return [ok('Trueup does not number the entries of this ledger')];
  }
  const found = (await ledgerIndexOn(context, [wallet, sequence])).find(
    ({ unique, partial, keys }) => unique && !partial && keys.length === 2,
  );
  if (found !== undefined) return [ok(`index ${found.name} keeps the numbers apart`)];
  return [
    error(
      `no unique index of ${table.quoted} is over ${wallet.quoted} and ${sequence.quoted}`,
      statements.createIndex(
        table.quoted,
        await isPartitioned(context),
        [wallet.quoted, sequence.quoted],
        { unique: true },
      ),
    ),
  ];
};

const ledgerKeys: Examine = async (context) => {
  const { table, idempotencyKey: key } = context.mapping.ledger;
  if (key === undefined) return [ok('the mapping names no idempotency key')];
  const found = (await ledgerIndexOn(context, [key])).find(
    ({ unique, keys, partial, condition }) =>
      unique && keys.length === 1 && (!partial || /^\(?\S+ IS NOT NULL\)?$/i.test(condition ?? '')),
  );
  if (found !== undefined) return [ok(`index ${found.name} keeps ${key.quoted} apart`)];
  return [
    warning(
      `no unique index of ${table.quoted} is over ${key.quoted} alone`,
      statements.createIndex(table.quoted, await isPartitioned(context), [key.quoted], {
        unique: true,
      }),
    ),
  ];
};

const invalidIndex: Examine = async (context) =>
  orOk(
    (await indexes(context))
      .filter(({ valid }) => !valid)
      .map(({ name, table, remedy }) => warning(`index ${name} of ${table} is invalid`, remedy)),
    'every index is valid',
  );

const foreignKey: Examine = async ({ session, mapping }) => {
  const rows = await session.query<ImmediateForeignKey>(
    immediateForeignKeys(mapping.ledger.table.oid, mapping.wallet.table.oid),
  );
  return orOk(
    rows.map(({ name, remedy }) =>
      info(`foreign key ${name} is checked at every statement`, remedy),
    ),
    'no foreign key to the wallets is checked at every statement',
  );
};

const unlogged: Examine = async (context) =>
  orOk(
    (await tables(context))
      .filter((table) => table.unlogged)
      .map(({ table }) => error(`${table} is unlogged`, statements.makeLogged(table))),
    'the tables survive a crash',
  );

const rowSecurity: Examine = async (context) => {
  const [row] = await context.session.query<{ role: string }>(server.seesActivity);
  return orOk(
    (await tables(context))
      .filter(({ policies }) => policies)
      .map(({ table }) =>
        warning(
          `policies decide which rows of ${table} this role sees`,
          `ALTER ROLE ${row?.role ?? ''} BYPASSRLS`,
        ),
      ),
    'no policy hides rows from this role',
  );
};

const autovacuum: Examine = async (context) => {
  const [row] = await context.session.query<server.ServerRow>(server.server);
  return orOk(
    [
      ...(row?.autovacuum === false
        ? [
            warning(
              'autovacuum is off on this server',
              'ALTER SYSTEM SET autovacuum = on; SELECT pg_reload_conf()',
            ),
          ]
        : []),
      ...(await tables(context))
        .filter((table) => !table.autovacuum)
        .map(({ table }) =>
          warning(`autovacuum is off for ${table}`, statements.resetAutovacuum(table)),
        ),
    ],
    'autovacuum is on',
  );
};

export const tableChecks = {
  ledger_index: ledgerIndex,
  ledger_numbers: ledgerNumbers,
  ledger_keys: ledgerKeys,
  invalid_index: invalidIndex,
  foreign_key: foreignKey,
  unlogged,
  row_security: rowSecurity,
  autovacuum,
} as const;
