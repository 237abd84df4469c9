import type { Statement } from '../postgres/database.js';

/** Statements of the lease. Time is the database's: hosts may disagree about it. */

/** A run that has not beaten for so long is dead, whatever became of its session. */
const DEAD_AFTER = '30 seconds';

/** The condition under which nobody is at work on a run that is under way (alias r). */
export const IS_DEAD = `(r.backend IS NULL OR r.heartbeat_at IS NULL
        OR r.heartbeat_at < clock_timestamp() - interval '${DEAD_AFTER}'
        OR NOT EXISTS (SELECT FROM pg_stat_activity AS a WHERE a.pid = r.backend))`;

/** The kinds of runs that give signs of life while they are under way, for SQL. */
export const ALIVE_KINDS = `('reconcile', 'approve', 'apply', 'undo')`;

/** Marks the dead runs of a ledger, so that others can begin or resume. */
export function abandonDead(ledger: string): Statement {
  return {
    text: `UPDATE trueup.runs AS r
              SET state = 'abandoned', finished_at = clock_timestamp(), token = NULL, backend = NULL, waiting = NULL,
                  error = 'its process ended without a word'
            WHERE r.ledger = $1 AND r.kind IN ${ALIVE_KINDS} AND r.state = 'running' AND ${IS_DEAD}
        RETURNING r.id`,
    values: [ledger],
  };
}

/** Whether a process is at work on this run. */
export function isAtWork(runId: string): Statement {
  return {
    text: `SELECT FROM trueup.runs AS r WHERE r.id = $1 AND r.state = 'running' AND NOT ${IS_DEAD}`,
    values: [runId],
  };
}

/** Who is at work. */
export interface HolderRow {
  readonly id: string;
  readonly host: string | null;
  readonly process: number | null;
  readonly startedBy: string;
  readonly startedAt: string;
}

/** The run over the whole of a ledger that is under way. */
export function holder(ledger: string): Statement {
  return {
    text: `SELECT r.id, r.host, r.process, r.started_by AS "startedBy",
                  to_char(r.started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS "startedAt"
             FROM trueup.runs AS r
            WHERE r.ledger = $1 AND r.kind = 'reconcile' AND r.state = 'running' AND r.scope <> 'some'`,
    values: [ledger],
  };
}

/** Says that the holder lives, and asks what it is told. No row: it holds nothing any more. */
export function beat(id: string, token: string): Statement {
  return {
    text: `UPDATE trueup.runs AS r SET heartbeat_at = clock_timestamp(), backend = pg_backend_pid()
            WHERE r.id = $1 AND r.token = $2 AND r.state = 'running' RETURNING r.control`,
    values: [id, token],
  };
}

/** Says why the run is not at work just now. */
export function tellWaiting(id: string, token: string, waiting: string | null): Statement {
  return {
    text: 'UPDATE trueup.runs AS r SET waiting = $3 WHERE r.id = $1 AND r.token = $2',
    values: [id, token, waiting],
  };
}
