import { error, info, ok, orOk, unknown, warning, type Examine, type Verdict } from './model.js';
import * as statements from './server-statements.js';
import { tablesOf } from './triggers.js';

/** Checks of the server, of sessions that pass the triggers by, and of transactions that stay open. */

/** The newest major version that Trueup is tested on. */
const NEWEST_TESTED = 18;

const serverVersion: Examine = async ({ session }) => {
  const [row] = await session.query<statements.ServerRow>(statements.server);
  const what = `PostgreSQL ${row?.version ?? 'of an unknown version'}`;
  return [
    Math.floor((row?.number ?? 0) / 10_000) > NEWEST_TESTED
      ? info(`${what}, newer than any that was tested`)
      : ok(what),
    ...(row?.standby === true ? [info('it is a standby: repair and install on its primary')] : []),
  ];
};

const replicaSetting: Examine = async ({ session }) => {
  const rows = await session.query<statements.RoleSettingRow>(statements.replicaSettings);
  const problems = rows.map(({ whose, remedy }) =>
    error(`sessions of ${whose} begin with session_replication_role = replica`, remedy),
  );
  const [own] = await session.query<statements.ServerRow>(statements.server);
  const fromSettings = ['user', 'database', 'database user', 'global'];
  if (own?.replication === 'replica' && !fromSettings.includes(own.source)) {
    problems.push(
      error(
        `sessions begin with session_replication_role = replica (${own.source})`,
        'ALTER SYSTEM RESET session_replication_role; SELECT pg_reload_conf()',
      ),
    );
  }
  return orOk(problems, 'no session begins with session_replication_role = replica');
};

/** What another session has set cannot be read; so it is told who could. */
const replicaRoles: Examine = async ({ session }) => {
  const [row] = await session.query<statements.ReplicaRoleRow>(statements.replicaRoles);
  const granted = row?.granted ?? [];
  const who = [
    `superusers ${(row?.superusers ?? []).join(', ')}`,
    ...(granted.length === 0 ? [] : [`and ${granted.join(', ')}`]),
  ].join(' ');
  return [
    info(
      `${who} can switch the triggers off in their sessions; the present setting of a session cannot be seen`,
      granted.length === 0
        ? null
        : granted
            .map(
              (role) =>
                `REVOKE SET ON PARAMETER session_replication_role FROM "${role.replaceAll('"', '""')}"`,
            )
            .join('; '),
    ),
  ];
};

const subscription: Examine = async ({ session, mapping }) => {
  const rows = await session.query<statements.SubscriptionRow>(
    statements.subscriptions(tablesOf({ mapping }), mapping.ledger.table.oid),
  );
  return orOk(
    rows.map(({ subscription: name, table, isLedger, enabled, remedy }): Verdict => {
      const what = `subscription ${name} brings rows into ${table}`;
      if (!enabled) return info(`${what}; it is switched off`);
      return isLedger ? error(what, remedy) : warning(what, remedy);
    }),
    'no subscription feeds these tables',
  );
};

const oldestTransaction: Examine = async ({ session, transactionSeconds }) => {
  const [sight] = await session.query<{ sees: boolean; role: string }>(statements.seesActivity);
  const rows = await session.query<statements.TransactionRow>(
    statements.oldTransactions(transactionSeconds),
  );
  const old = rows.map(({ pid, database, role, application, state, seconds, writes }) =>
    warning(
      `process ${String(pid)} (role ${role ?? 'unknown'}, database ${database}, ${application ?? 'no name'}, ` +
        `${state ?? 'state unknown'}) has ${writes ? 'written and not committed' : 'kept a snapshot'} for ${String(seconds)} s`,
      `SELECT pg_terminate_backend(${String(pid)})`,
    ),
  );
  if (sight?.sees !== true) {
    const remedy = `GRANT pg_read_all_stats TO ${sight?.role ?? 'this role'}`;
    old.push(unknown('what the sessions of other roles do cannot be seen', remedy));
  }
  return orOk(old, `no transaction is older than ${String(transactionSeconds)} s`);
};

const preparedTransaction: Examine = async ({ session, transactionSeconds }) => {
  const rows = await session.query<statements.PreparedRow>(
    statements.preparedTransactions(transactionSeconds),
  );
  return orOk(
    rows.map(({ gid, database, seconds, remedy }) =>
      warning(
        `transaction ${gid} of database ${database} is prepared since ${String(seconds)} s`,
        remedy,
      ),
    ),
    'no prepared transaction is left',
  );
};

export const serverChecks = {
  server_version: serverVersion,
  replica_setting: replicaSetting,
  replica_roles: replicaRoles,
  subscription,
  oldest_transaction: oldestTransaction,
  prepared_transaction: preparedTransaction,
} as const;
