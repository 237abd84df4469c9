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

/** Writes the row of a run that follows a plan. */
export function startApply(run: {
  readonly id: string;
  readonly ledger: string;
  readonly options: object;
  readonly version: string;
  readonly host: string;
  readonly process: number;
}): Statement {
  return {
    text: `INSERT INTO trueup.runs (id, kind, ledger, options, version, host, process)
           VALUES ($1, 'apply', $2, $3, $4, $5, $6)`,
    values: [run.id, run.ledger, JSON.stringify(run.options), run.version, run.host, run.process],
  };
}

/** Ends it. */
export function endApply(
  id: string,
  ending: {
    readonly state: 'finished' | 'interrupted' | 'stopped' | 'failed';
    readonly exitStatus: number;
    readonly counts: object | null;
    readonly error: string | null;
  },
): Statement {
  const { state, exitStatus, counts, error } = ending;
  return {
    text: `UPDATE trueup.runs AS r
              SET state = $2, finished_at = clock_timestamp(), exit_status = $3, counts = $4, error = $5
            WHERE r.id = $1`,
    values: [id, state, exitStatus, counts === null ? null : JSON.stringify(counts), error],
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
