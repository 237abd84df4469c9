import type { Statement } from '../../postgres/database.js';

/** Statements about runs that a person has ordered: an approval, a plan, an undo. Time is the database's. */

/** Says that its process lives. */
export function beat(id: string): Statement {
  return {
    text: `UPDATE trueup.runs AS r SET heartbeat_at = clock_timestamp(), backend = pg_backend_pid()
            WHERE r.id = $1 AND r.state = 'running'`,
    values: [id],
  };
}

/** How a run ended. */
export interface Ending {
  readonly state: 'finished' | 'interrupted' | 'stopped' | 'failed';
  readonly exitStatus: number;
  readonly counts: object | null;
  readonly error: string | null;
}

/** Ends it. */
export function end(id: string, { state, exitStatus, counts, error }: Ending): Statement {
  return {
    text: `UPDATE trueup.runs AS r
              SET state = $2, finished_at = clock_timestamp(), exit_status = $3, counts = $4, error = $5, backend = NULL
            WHERE r.id = $1`,
    values: [id, state, exitStatus, counts === null ? null : JSON.stringify(counts), error],
  };
}
