import type { Statement } from '../../postgres/database.js';
import { STATE } from '../runs/gone-statements.js';

/** Statements that read one run from the record. They read only. */

export interface RunRow {
  readonly runId: string;
  readonly kind: string;
  readonly ledger: string;
  readonly database: string;
  readonly state: string;
  readonly startedAt: Date;
  readonly finishedAt: Date | null;
  readonly startedBy: string;
  readonly host: string | null;
  readonly unattended: boolean;
  readonly version: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly exitStatus: number | null;
  readonly error: string | null;
  readonly counts: Readonly<Record<string, unknown>> | null;
}

/** One run. */
export function run(runId: string): Statement {
  return {
    text: `SELECT id::text AS "runId", kind, ledger, current_database() AS database, ${STATE} AS state, started_at AS "startedAt",
                  finished_at AS "finishedAt", started_by AS "startedBy", host, unattended, version, options,
                  exit_status AS "exitStatus", error, counts
             FROM trueup.runs AS r WHERE id = $1`,
    values: [runId],
  };
}

/** Who asks, where, and when. */
export const here: Statement = {
  text: `SELECT current_database() AS database, session_user::text AS "startedBy", clock_timestamp() AS at`,
};

export interface HereRow {
  readonly database: string;
  readonly startedBy: string;
  readonly at: Date;
}

export interface FindingRow {
  readonly state: string;
  readonly userId: string | null;
  readonly walletId: string | null;
  readonly profileId: string | null;
  readonly part: string | null;
  readonly field: string | null;
  readonly cached: string | null;
  readonly expected: string | null;
  readonly delta: string | null;
  readonly cause: string | null;
  readonly evidence: object | null;
  readonly message: string | null;
  readonly at: Date;
}

const CURSOR = 'findings_of_run';

/**
 * Everything that a run found, repaired or not, in order of time; to be read page by page. Of a run that a
 * safety rail has stopped that is what its survey saw: wallets, each with the largest difference of its caches.
 */
export function declareFindings(runId: string): Statement {
  return {
    text: `DECLARE ${CURSOR} NO SCROLL CURSOR FOR
SELECT 'repaired' AS state, user_id AS "userId", wallet_id AS "walletId", profile_id AS "profileId", part, field,
       before AS cached, after AS expected, trim_scale(delta)::text AS delta, cause, NULL::jsonb AS evidence,
       NULL AS message, repaired_at AS at
  FROM trueup.repaired_caches WHERE run_id = $1::uuid
 UNION ALL
SELECT state, user_id, wallet_id, profile_id, part, field, cached, expected, trim_scale(delta)::text, cause, evidence,
       message, found_at
  FROM trueup.findings WHERE run_id = $1::uuid
 UNION ALL
SELECT CASE WHEN s.repairable THEN 'found' ELSE 'reported' END, NULL, s.wallet_id, NULL, NULL, NULL, NULL, NULL,
       trim_scale(s.delta)::text, NULL, NULL,
       CASE WHEN s.repairable THEN 'it would have been repaired' ELSE 'nothing could be written' END
         || '; the difference is the largest of its caches, as the survey saw it',
       r.finished_at
  FROM trueup.suspects AS s JOIN trueup.runs AS r ON r.id = s.run_id WHERE r.id = $1::uuid AND r.state = 'stopped'
 ORDER BY at, "walletId", part, field`,
    values: [runId],
  };
}

export function fetchFindings(rows: number): Statement {
  return { text: `FETCH ${String(rows)} FROM ${CURSOR}` };
}
