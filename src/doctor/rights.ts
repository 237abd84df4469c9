import { generateSync } from '../sync/generate.js';
import type { Column, ResolvedMapping, Table } from '../mapping/model.js';
import type { Queryable } from '../postgres/database.js';
import { INSTALL } from './expected.js';
import { error, info, ok, orOk, type Context, type Examine } from './model.js';
import * as statements from './table-statements.js';
import { tablesOf } from './triggers.js';

/** Checks of what roles may do: the one of this session, and the owner of the triggers. */

const rightToCheck: Examine = async (context) => {
  const role = await roleOf(context);
  const rows = await context.session.query<statements.TableRow>(
    statements.tables(tablesOf(context)),
  );
  return orOk(
    rows
      .filter(({ readable }) => !readable)
      .map(({ table, schema }) =>
        error(
          `role ${role} may not read ${table}`,
          [
            statements.grant('USAGE', `SCHEMA ${schema}`, role),
            statements.grant('SELECT', table, role),
          ].join('; '),
        ),
      ),
    `role ${role} may check`,
  );
};

async function roleOf({ session }: Pick<Context, 'session'>): Promise<string> {
  const [row] = await session.query<statements.InstallRightRow>(statements.mayInstall);
  return row?.role ?? '';
}

/** The columns that the triggers and a repair write, and those that they read to do so. */
function columnsOf({ wallet, profile }: ResolvedMapping): {
  written: statements.NamedColumn[];
  read: statements.NamedColumn[];
} {
  const of = (
    table: Table | undefined,
    columns: readonly (Column | undefined)[],
  ): statements.NamedColumn[] =>
    columns.flatMap((column) =>
      table === undefined || column === undefined ? [] : [{ oid: table.oid, name: column.name }],
    );
  return {
    written: [wallet, profile].flatMap((part) =>
      of(part?.table, [part?.balance, part?.lifetimeEarnings, part?.updatedAt]),
    ),
    read: [
      ...of(wallet.table, [wallet.id, wallet.balance, wallet.lifetimeEarnings]),
      ...of(wallet.table, [wallet.profile, wallet.primary]),
      ...of(profile?.table, [profile?.id, profile?.balance, profile?.lifetimeEarnings]),
    ],
  };
}

/** The GRANTs that a role lacks on these columns. */
async function lackingGrants(
  session: Queryable,
  role: { readonly oid: string | null; readonly name: string },
  right: 'SELECT' | 'UPDATE',
  columns: readonly statements.NamedColumn[],
): Promise<string[]> {
  const rows = await session.query<statements.ColumnRightRow>(
    statements.columnRights(role.oid, right, columns),
  );
  const byTable = new Map<string, string[]>();
  for (const { table, column, may } of rows) {
    if (!may) byTable.set(table, [...(byTable.get(table) ?? []), column]);
  }
  const schemas = new Set(rows.filter(({ usable }) => !usable).map(({ schema }) => schema));
  return [
    ...[...schemas].map((schema) => statements.grant('USAGE', `SCHEMA ${schema}`, role.name)),
    ...[...byTable].map(([table, names]) =>
      statements.grant(`${right} (${names.join(', ')})`, table, role.name),
    ),
  ];
}

/** What a role lacks to repair caches and to keep records of it. */
export interface LackingRights {
  readonly role: string;
  /** As SQL; empty where it may. */
  readonly grants: readonly string[];
}

export async function lackingToRepair(
  session: Queryable,
  mapping: ResolvedMapping,
): Promise<LackingRights> {
  const role = await roleOf({ session });
  const { table, pendingBalance: pending } = mapping.wallet;
  const columns = [
    ...columnsOf(mapping).written,
    ...(pending === undefined ? [] : [{ oid: table.oid, name: pending.name }]),
  ];
  const me = { oid: null, name: role };
  const caches = await lackingGrants(session, me, 'UPDATE', columns);
  const records = await session.query<statements.RecordRightRow>(statements.mayRecord);
  const closed = records.filter(({ may }) => !may);
  const grants = [
    ...caches,
    ...(closed.length === 0 ? [] : [statements.grant('USAGE', 'SCHEMA trueup', role)]),
    ...closed.map((record) => statements.grant(record.grants, record.table, role)),
  ];
  return { role, grants };
}

const rightToRepair: Examine = async ({ session, mapping }) => {
  const { role, grants } = await lackingToRepair(session, mapping);
  if (grants.length === 0) return [ok(`role ${role} may repair`)];
  return [info(`role ${role} may not repair`, grants.join('; '))];
};

const rightToInstall: Examine = async (context) => {
  const [row] = await context.session.query<statements.InstallRightRow>(statements.mayInstall);
  const [ledger] = await context.session.query<statements.TableRow>(
    statements.tables(tablesOf(context)),
  );
  const role = row?.role ?? '';
  const owners = [
    ...(ledger === undefined || ledger.owned
      ? []
      : [{ name: ledger.owner, elevated: ledger.ownerElevated }]),
    ...(row === undefined || row.schemaOwner === null || row.creates
      ? []
      : [{ name: row.schemaOwner, elevated: row.schemaOwnerElevated }]),
  ];
  // To be a member of a superuser's role is to be one: that is far more than this needs.
  const elevated = owners.find((owner) => owner.elevated);
  if (elevated !== undefined) {
    const remedy = `run ${INSTALL} as role ${elevated.name}`;
    return [info(`role ${role} may not install the triggers`, remedy)];
  }
  const grants = [
    ...[...new Set(owners.map(({ name }) => name))].map((name) => `GRANT ${name} TO ${role}`),
    ...(row?.schemaExists === false && !row.creates
      ? [statements.grant('CREATE', `DATABASE ${row.database}`, role)]
      : []),
  ];
  if (grants.length === 0) return [ok(`role ${role} may install the triggers`)];
  return [info(`role ${role} may not install the triggers`, grants.join('; '))];
};

const syncOwner: Examine = async (context) => {
  const { session, mapping } = context;
  const functionName = generateSync(mapping).functionName.replaceAll('"', '');
  const [owner] = await session.query<statements.OwnerRow>(
    statements.syncOwner(functionName, mapping.ledger.table.oid, tablesOf(context)),
  );
  if (owner === undefined) return [ok('nothing: there is no sync function')];
  const { read, written } = columnsOf(mapping);
  const as = { oid: owner.oid, name: owner.role };
  const lacking = new Set([
    ...(await lackingGrants(session, as, 'SELECT', read)),
    ...(await lackingGrants(session, as, 'UPDATE', written)),
  ]);
  return orOk(
    [
      ...[...lacking].map((grant) =>
        error(`its owner ${owner.role} may not read and write every cache`, owner.setBack ?? grant),
      ),
      ...owner.hidden.map((table) =>
        error(
          `policies hide rows of ${table} from its owner ${owner.role}`,
          owner.setBack ?? `ALTER ROLE ${owner.role} BYPASSRLS`,
        ),
      ),
      ...(owner.records
        ? []
        : [
            error(
              `its owner ${owner.role} may not record failures`,
              owner.setBack ??
                `GRANT USAGE ON SCHEMA trueup TO ${owner.role}; GRANT EXECUTE ON FUNCTION trueup.record_sync_failure TO ${owner.role}`,
            ),
          ]),
    ],
    `its owner ${owner.role} has the rights that it needs`,
  );
};

export const rightChecks = {
  right_to_check: rightToCheck,
  right_to_repair: rightToRepair,
  right_to_install: rightToInstall,
  sync_owner: syncOwner,
} as const;
