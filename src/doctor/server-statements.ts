import type { Statement } from '../postgres/database.js';

/** Statements about the server, its sessions and what is fed into the tables. */

export interface ServerRow {
  readonly version: string;
  readonly number: number;
  readonly standby: boolean;
  readonly autovacuum: boolean;
  readonly role: string;
  readonly database: string;
  readonly replication: string;
  /** Where the setting of this session comes from, such as `configuration file`. */
  readonly source: string;
}

export const server: Statement = {
  text: `SELECT current_setting('server_version') AS version,
                current_setting('server_version_num')::int AS number,
                pg_is_in_recovery() AS standby, current_setting('autovacuum')::boolean AS autovacuum,
                current_user AS role, current_database() AS database,
                s.setting AS replication, s.source
           FROM pg_settings s WHERE s.name = 'session_replication_role'`,
};

export interface RoleSettingRow {
  readonly whose: string;
  readonly remedy: string;
}

/** Roles and databases whose sessions begin with the replication role `replica`. */
export const replicaSettings: Statement = {
  text: `SELECT concat_ws(' in ', CASE WHEN s.setrole = 0 THEN 'every role' ELSE 'role ' || r.rolname END,
                          'database ' || d.datname) AS whose,
                CASE WHEN s.setrole = 0 AND s.setdatabase <> 0 THEN format('ALTER DATABASE %I', d.datname)
                     WHEN s.setrole = 0 THEN 'ALTER ROLE ALL'
                     WHEN s.setdatabase <> 0 THEN format('ALTER ROLE %I IN DATABASE %I', r.rolname, d.datname)
                     ELSE format('ALTER ROLE %I', r.rolname) END
                  || ' RESET session_replication_role' AS remedy
           FROM pg_db_role_setting s
           LEFT JOIN pg_roles r ON r.oid = s.setrole
           LEFT JOIN pg_database d ON d.oid = s.setdatabase
          WHERE 'session_replication_role=replica' = ANY (s.setconfig)
            AND (s.setdatabase = 0 OR d.datname = current_database())
          ORDER BY 1`,
};

export interface ReplicaRoleRow {
  readonly superusers: readonly string[];
  readonly granted: readonly string[];
}

/** The roles that may log in and set their sessions to the replication role `replica`. */
export const replicaRoles: Statement = {
  text: `SELECT coalesce(array_agg(rolname::text ORDER BY rolname) FILTER (WHERE rolsuper), '{}') AS superusers,
                coalesce(array_agg(rolname::text ORDER BY rolname) FILTER (WHERE NOT rolsuper), '{}') AS granted
           FROM pg_roles
          WHERE rolcanlogin AND (rolsuper OR has_parameter_privilege(oid, 'session_replication_role', 'SET'))`,
};

export interface SubscriptionRow {
  readonly subscription: string;
  readonly table: string;
  readonly isLedger: boolean;
  readonly enabled: boolean;
  readonly remedy: string;
}

/** Subscriptions that bring rows into these tables or into tables below the ledger. */
export function subscriptions(tables: readonly string[], ledgerOid: string): Statement {
  return {
    text: `WITH RECURSIVE tree AS (
             SELECT unnest($1::oid[]) AS oid, false AS below
              UNION
             SELECT i.inhrelid, true FROM pg_inherits i JOIN tree t ON i.inhparent = t.oid
              WHERE t.oid = $2::oid OR t.below
           )
           SELECT s.subname AS subscription, format('%I.%I', n.nspname, c.relname) AS table,
                  t.below OR c.oid = $2::oid AS "isLedger", s.subenabled AS enabled,
                  format('ALTER SUBSCRIPTION %I DISABLE', s.subname) AS remedy
             FROM pg_subscription_rel r JOIN pg_subscription s ON s.oid = r.srsubid
             JOIN tree t ON t.oid = r.srrelid
             JOIN pg_class c ON c.oid = r.srrelid JOIN pg_namespace n ON n.oid = c.relnamespace
            ORDER BY 1, 2`,
    values: [tables, ledgerOid],
  };
}

export interface TransactionRow {
  readonly pid: number;
  readonly database: string;
  readonly role: string | null;
  readonly application: string | null;
  readonly state: string | null;
  readonly seconds: number;
  /** It has written: so it holds the watermark back, and not only the clearing away of dead rows. */
  readonly writes: boolean;
}

/**
 * Transactions of the whole server that hold something back and are older than so many seconds. A role
 * that may not read the statistics sees its own only.
 */
export function oldTransactions(seconds: number): Statement {
  return {
    text: `SELECT pid, datname AS database, usename AS role, nullif(application_name, '') AS application, state,
                  extract(epoch FROM clock_timestamp() - xact_start)::int AS seconds,
                  backend_xid IS NOT NULL AS writes
             FROM pg_stat_activity
            WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'
              AND (backend_xid IS NOT NULL OR backend_xmin IS NOT NULL)
              AND xact_start < clock_timestamp() - make_interval(secs => $1)
            ORDER BY xact_start`,
    values: [seconds],
  };
}

/** Whether this role sees what the sessions of others do. */
export const seesActivity: Statement = {
  text: `SELECT pg_has_role('pg_read_all_stats', 'USAGE') AS sees, format('%I', current_user) AS role`,
};

export interface PreparedRow {
  readonly gid: string;
  readonly database: string;
  readonly seconds: number;
  readonly remedy: string;
}

/** Prepared transactions that are older than so many seconds. */
export function preparedTransactions(seconds: number): Statement {
  return {
    text: `SELECT gid, database, extract(epoch FROM clock_timestamp() - prepared)::int AS seconds,
                  format('ROLLBACK PREPARED %L', gid) AS remedy
             FROM pg_prepared_xacts
            WHERE prepared < clock_timestamp() - make_interval(secs => $1)
            ORDER BY prepared`,
    values: [seconds],
  };
}

export interface ReadOnlyRow {
  readonly readOnly: boolean;
}

/** Whether this session can write: on a standby, and where it is set to read only, it cannot. */
export const readOnly: Statement = {
  text: `SELECT current_setting('transaction_read_only')::boolean AS "readOnly"`,
};
