import type { Mapping } from '../mapping/schema.js';
import type { Statement } from '../postgres/database.js';

/** The number of the advisory lock under which triggers are installed and removed. */
const INSTALLATION_LOCK = '7219004312';

/** Statements about installed sync triggers and their failures. */

export function recordInstallation(
  ledger: string,
  mapping: Mapping,
  functionName: string,
  deferred: boolean,
): Statement {
  return {
    text: `INSERT INTO trueup.sync_installations (ledger, mapping, function_name, deferred)
           VALUES ($1, $2, $3, $4)
           ON CONFLICT (ledger) DO UPDATE
              SET mapping = excluded.mapping, function_name = excluded.function_name, deferred = excluded.deferred,
                  installed_by = session_user, installed_at = clock_timestamp(), removed_at = NULL`,
    values: [ledger, JSON.stringify(mapping), functionName, deferred],
  };
}

export function recordRemoval(ledger: string): Statement {
  return {
    text: 'UPDATE trueup.sync_installations SET removed_at = clock_timestamp() WHERE ledger = $1',
    values: [ledger],
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

export interface TriggerRow {
  /** pg_trigger.tgenabled: O origin, A always, R replica only, D disabled. */
  readonly enabled: string;
  readonly body: string;
}

/** The sync trigger of a ledger as the catalog has it. */
export function installedTrigger(ledgerOid: string, trigger: string): Statement {
  return {
    text: `SELECT t.tgenabled::text AS enabled, p.prosrc AS body
             FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
            WHERE t.tgrelid = $1::oid AND t.tgname = $2`,
    values: [ledgerOid, trigger],
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
