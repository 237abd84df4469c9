import type { Statement } from '../../postgres/database.js';
import type { FindingRow } from '../../reconcile/record-statements.js';

/** Statements about where a plan was made, and about the run that follows one. */

export interface PlaceRow {
  readonly database: string;
  /** The server's own identifier and the database's; null where this role may not ask for it. */
  readonly server: string | null;
  readonly at: Date;
}

/** Whether this role may ask the server who it is. */
export const mayIdentify: Statement = {
  text: `SELECT has_function_privilege('pg_control_system()', 'EXECUTE') AS may`,
};

export function place(identified: boolean): Statement {
  const server = identified
    ? `(SELECT c.system_identifier FROM pg_control_system() AS c) || '/' || d.oid`
    : 'NULL';
  return {
    text: `SELECT d.datname::text AS database, ${server} AS server, clock_timestamp() AS at
             FROM pg_database AS d WHERE d.datname = current_database()`,
  };
}

/** Records what was left. */
export function recordLeft(runId: string, ledger: string, rows: readonly FindingRow[]): Statement {
  return {
    text: `INSERT INTO trueup.findings (run_id, ledger, wallet_id, profile_id, user_id, state, part, field, cached,
                               expected, delta, cause, evidence, message)
           SELECT $1, $2, f."walletId", f."profileId", f."userId", f.state, f.part, f.field, f.cached,
                  f.expected, f.delta, f.cause, f.evidence, f.message
             FROM jsonb_to_recordset($3::jsonb) AS f ("walletId" text, "profileId" text, "userId" text, state text,
                    part text, field text, cached text, expected text, delta numeric, cause text, evidence jsonb,
                    message text)`,
    values: [runId, ledger, JSON.stringify(rows)],
  };
}

/** Within a transaction that holds its locks already: where {@link takeBack} leads. */
export const beforeRepair: Statement = { text: 'SAVEPOINT before_repair' };
export const takeBack: Statement = { text: 'ROLLBACK TO SAVEPOINT before_repair' };
