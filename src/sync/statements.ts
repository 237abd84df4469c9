import type { ResolvedMapping, Table } from '../mapping/model.js';
import type { Mapping } from '../mapping/schema.js';
import type { Statement } from '../postgres/database.js';
import type { Guard } from './options.js';

/** The number of the advisory lock under which triggers are installed and removed. */
const INSTALLATION_LOCK = '7219004312';

/** Statements about installed sync triggers and their failures. */

/** What is on record about the installation on a ledger. */
export interface InstallationRow {
  readonly guard: Guard;
  readonly protected: boolean;
  readonly deferred: boolean;
  readonly removed: boolean;
  readonly triggers: Readonly<Record<string, string>>;
}

export function installationOf(ledger: string): Statement {
  return {
    text: `SELECT guard, protected, deferred, removed_at IS NOT NULL AS removed, triggers
             FROM trueup.sync_installations WHERE ledger = $1`,
    values: [ledger],
  };
}

/** Whether the records of installations are in this database, and may be read. */
export const installationsReadable: Statement = {
  text: `SELECT has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') AS readable
           FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
          WHERE n.nspname = 'trueup' AND c.relname = 'sync_installations'`,
};

export interface OtherInstallationRow {
  /** Schema-qualified and quoted. */
  readonly ledger: string;
  readonly mapping: Mapping;
}

/**
 * What is installed on other ledgers, as long as a trigger of it stands. One whose trigger is on this table
 * is this ledger under an older name, unless it came there from a parent of which this table is a part.
 */
export function otherInstallations(ledger: string, ledgerOid: string): Statement {
  return {
    text: `WITH called AS (
             SELECT t.tgrelid, format('trueup."%s"', p.proname) AS function_name
               FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
               JOIN pg_namespace n ON n.oid = p.pronamespace
              WHERE n.nspname = 'trueup' AND NOT t.tgisinternal
           )
           SELECT i.ledger, i.mapping FROM trueup.sync_installations i
            WHERE i.ledger <> $1 AND i.removed_at IS NULL
              AND EXISTS (SELECT FROM called AS c WHERE c.function_name = i.function_name)
              AND (NOT EXISTS (SELECT FROM called AS c
                                WHERE c.function_name = i.function_name AND c.tgrelid = $2::oid)
                   OR EXISTS (SELECT FROM called AS c JOIN pg_inherits h ON h.inhparent = c.tgrelid
                               WHERE c.function_name = i.function_name AND h.inhrelid = $2::oid))
            ORDER BY i.ledger`,
    values: [ledger, ledgerOid],
  };
}

/** Whether any of these functions is in the schema `trueup`: every trigger of a sync has one. */
export function functionsExist(names: readonly string[]): Statement {
  return {
    text: `SELECT EXISTS (SELECT FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
                         WHERE n.nspname = 'trueup' AND p.proname = ANY ($1::name[])) AS exist`,
    values: [names],
  };
}

/** Who holds locks on these tables in one of these modes, the longest transaction first. */
export interface HolderRow {
  readonly pid: number;
  readonly kind: string | null;
  readonly application: string | null;
  readonly role: string | null;
  readonly seconds: string | null;
}

export function lockHolders(tableOids: readonly string[]): Statement {
  return {
    text: `SELECT a.pid, a.backend_type AS kind, a.application_name AS application, a.usename AS role,
                  extract(epoch FROM clock_timestamp() - min(a.xact_start))::bigint::text AS seconds
             FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
            WHERE l.locktype = 'relation' AND l.granted AND l.relation = ANY ($1::oid[])
              AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
              AND l.mode NOT IN ('AccessShareLock', 'RowShareLock') AND l.pid <> pg_backend_pid()
            GROUP BY 1, 2, 3, 4 ORDER BY min(a.xact_start) NULLS LAST LIMIT 3`,
    values: [tableOids],
  };
}

/** Held until the end of the transaction: who installs or removes at the same time waits for it. */
export const lockInstallations: Statement = {
  text: `SELECT pg_advisory_xact_lock(${INSTALLATION_LOCK})`,
};

/** Whether this ledger was ever given sync triggers, also if they were removed since. */
export function wasInstalled(ledger: string): Statement {
  return {
    text: 'SELECT EXISTS (SELECT FROM trueup.sync_installations WHERE ledger = $1) AS installed',
    values: [ledger],
  };
}

/** Whether Trueup's own bookkeeping is in this database. */
export const operationsExist: Statement = {
  text: `SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                         WHERE n.nspname = 'trueup' AND c.relname = 'sync_failures') AS exists`,
};

/** A trigger of Trueup as the catalog has it. */
export interface TriggerRow {
  readonly tableOid: string;
  /** Schema-qualified and quoted. */
  readonly table: string;
  readonly name: string;
  /** pg_trigger.tgenabled: O origin, A always, R replica only, D disabled. */
  readonly enabled: string;
  /** On some partition of the table it is not enabled. */
  readonly partDisabled: boolean;
  /** Its function is one of the schema `trueup`. */
  readonly ofTrueup: boolean;
  readonly functionName: string;
  readonly body: string;
  /** The function runs with the rights of its owner. */
  readonly definer: boolean;
  readonly settings: string | null;
  /** As PostgreSQL prints it, up to its function: how that is printed depends on the search_path. */
  readonly definition: string;
}

/** A trigger `t` as PostgreSQL prints it, up to its function. */
export const PRINTED = `regexp_replace(pg_get_triggerdef(t.oid), ' EXECUTE FUNCTION .*$', '')`;

/** The triggers on these tables, and wherever else these functions of the schema `trueup` are called. */
export function triggersOf(
  tableOids: readonly string[],
  functionNames: readonly string[],
): Statement {
  return {
    text: `SELECT t.tgrelid::text AS "tableOid", format('%I.%I', m.nspname, c.relname) AS table,
                  t.tgname AS name, t.tgenabled::text AS enabled,
                  EXISTS (SELECT FROM pg_trigger part
                           WHERE part.tgparentid = t.oid AND part.tgenabled NOT IN ('O', 'A')) AS "partDisabled",
                  n.nspname = 'trueup' AS "ofTrueup", p.proname AS "functionName", p.prosrc AS body,
                  p.prosecdef AS definer, array_to_string(p.proconfig, '; ') AS settings, ${PRINTED} AS definition
             FROM pg_trigger t
             JOIN pg_proc p ON p.oid = t.tgfoid
             JOIN pg_namespace n ON n.oid = p.pronamespace
             JOIN pg_class c ON c.oid = t.tgrelid
             JOIN pg_namespace m ON m.oid = c.relnamespace
            WHERE NOT t.tgisinternal AND t.tgparentid = 0
              AND (t.tgrelid = ANY ($1::oid[]) OR n.nspname = 'trueup' AND p.proname = ANY ($2::name[]))
            ORDER BY c.oid, t.tgname`,
    values: [tableOids, functionNames],
  };
}

/** A table somewhere below one of a mapping. */
export interface PartRow extends Table {
  /** The oid of the table of the mapping. */
  readonly root: string;
  /** A partition, not a table that inherits. */
  readonly partition: boolean;
  /** Its rows are on another server. */
  readonly foreign: boolean;
}

/** The tables below these, in a tree of partitions or of inheritance; no temporary one, nobody else sees it. */
export function partsOf(roots: readonly string[]): Statement {
  return {
    text: `WITH RECURSIVE below AS (
             SELECT i.inhparent AS root, i.inhrelid AS oid FROM pg_inherits i WHERE i.inhparent = ANY ($1::oid[])
              UNION
             SELECT b.root, i.inhrelid FROM pg_inherits i JOIN below b ON i.inhparent = b.oid
           )
           SELECT b.root::text AS root, c.oid::text AS oid, n.nspname AS schema, c.relname AS name,
                  format('%I.%I', n.nspname, c.relname) AS quoted, c.relispartition AS partition,
                  c.relkind = 'f' AS foreign
             FROM below b JOIN pg_class c ON c.oid = b.oid JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relpersistence <> 't'
            ORDER BY n.nspname, c.relname`,
    values: [roots],
  };
}

/** What deferred mode and the activity table have left to do for a ledger. */
export interface BacklogRow {
  readonly deferred: boolean;
  readonly marks: string;
  readonly oldestMark: Date | null;
  readonly activity: string;
}

export function backlog(ledger: string): Statement {
  return {
    text: `SELECT EXISTS (SELECT FROM trueup.sync_installations
                           WHERE ledger = $1 AND deferred AND removed_at IS NULL) AS deferred,
                  count(m.id)::text AS marks, min(m.marked_at) AS "oldestMark",
                  (SELECT count(*) FROM trueup.activity_failures
                    WHERE ledger = $1 AND healed_at IS NULL)::text AS activity
             FROM trueup.profile_marks AS m WHERE m.ledger = $1`,
    values: [ledger],
  };
}

/** How many wallets hold coins from before the installation for which the ledger has no entry yet. */
export function openingBalances({ ledger, wallet }: ResolvedMapping): Statement {
  return {
    text: `SELECT count(*)::text AS wallets FROM trueup.opening_balances AS o
             JOIN ${wallet.table.quoted} AS w ON w.${wallet.id.quoted} = o.wallet_id::${wallet.id.baseType}
            WHERE o.ledger = $1 AND w.${wallet.balance.quoted} = o.balance +
                  (SELECT coalesce(sum(e.${ledger.amount.quoted}), 0) FROM ${ledger.table.quoted} AS e
                    WHERE e.${ledger.wallet.quoted} = w.${wallet.id.quoted})`,
    values: [ledger.table.quoted],
  };
}

export interface WaitingRow {
  readonly waiting: string;
  readonly oldest: Date | null;
  readonly states: readonly string[];
}

/** The failures of a ledger that nobody has healed yet. */
export function waitingFailures(ledger: string): Statement {
  return {
    text: `SELECT count(*)::text AS waiting, min(failed_at) AS oldest,
                  coalesce(array_agg(DISTINCT sqlstate), '{}') AS states
             FROM trueup.sync_failures WHERE ledger = $1 AND healed_at IS NULL`,
    values: [ledger],
  };
}

/**
 * Foreign keys of the ledger to the wallets that are checked at each statement, not at the commit.
 * Those of Trueup's own schema are not told: nobody but a migration alters its tables.
 */
export function immediateForeignKeys(ledgerOid: string, walletOid: string): Statement {
  return {
    text: `SELECT k.conname AS name,
                  format('ALTER TABLE %I.%I ALTER CONSTRAINT %I DEFERRABLE INITIALLY DEFERRED',
                         n.nspname, c.relname, k.conname) AS remedy
             FROM pg_constraint k
             JOIN pg_class c ON c.oid = k.conrelid
             JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE k.conrelid = $1::oid AND k.confrelid = $2::oid AND k.contype = 'f'
              AND NOT k.condeferred AND n.nspname <> 'trueup'
            ORDER BY k.conname`,
    values: [ledgerOid, walletOid],
  };
}
