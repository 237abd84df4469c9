import type { Statement } from '../../postgres/database.js';

/**
 * Slots: the moments at which a job was due. Whoever inserts the row runs the job, and every other
 * process finds it taken. All times are of the database's clock.
 */

/** A slot is given up by its holder when it has not beaten for so long. */
const DEAD_AFTER = '30 seconds';

/** A slot whose holder dies again and again is not taken over for ever. */
export const MOST_ATTEMPTS = 5;

/** Slots are kept for so long, as a record. */
const KEPT = '400 days';

/** Which slots: those of one job on one ledger. */
export interface Job {
  readonly ledger: string;
  readonly job: string;
}

/** Who is at work on a slot. */
export interface Holder {
  /** Of the scheduler: it stays the same from slot to slot. */
  readonly token: string;
  readonly host: string;
  readonly process: number;
}

export interface SlotRow {
  readonly dueAt: Date;
  readonly outcome: string | null;
  readonly detail: string | null;
  readonly runId: string | null;
  readonly attempts: number;
}

const SLOT = 'due_at AS "dueAt", outcome, detail, run_id AS "runId", attempts';

export const databaseClock: Statement = { text: 'SELECT clock_timestamp() AS now' };

/** Nobody is at work on a slot `s`, or it was this scheduler, which has given it up. */
function isFree(token: string): string {
  return `s.finished_at IS NULL AND (s.token = ${token} OR s.heartbeat_at IS NULL
                     OR s.heartbeat_at < clock_timestamp() - interval '${DEAD_AFTER}')`;
}

/**
 * Takes a slot, unless it was taken. It is recorded as skipped where there is a reason not to run the job
 * now: other work under way, or that the slot was due before anybody had asked for this schedule.
 *
 * @param wasMissed it was due before this process looked
 * @param busy why this process cannot run it
 */
export function claimSlot(
  { ledger, job }: Job,
  due: Date,
  how: {
    readonly holder: Holder;
    readonly schedule: string;
    readonly wasMissed: boolean;
    readonly busy: string | null;
  },
): Statement {
  const { holder, schedule, wasMissed, busy } = how;
  return {
    text: `
      WITH other_slot AS (
        SELECT 'the slot of ' || to_char(s.due_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI "UTC"')
               || ' is still at work on ' || s.host || ' (process ' || s.process || ')' AS reason
          FROM trueup.schedule_slots AS s
         WHERE s.ledger = $1 AND s.job = $2 AND s.finished_at IS NULL AND s.due_at <> $3
           AND NOT (${isFree('$4')})
         ORDER BY s.due_at DESC LIMIT 1
      ), other_run AS (
        SELECT 'run ' || r.id || ' is still under way on ' || coalesce(r.host, 'an unknown host')
               || ' (process ' || coalesce(r.process::text, 'unknown') || ')' AS reason
          FROM trueup.runs AS r
         WHERE r.ledger = $1 AND r.kind = 'reconcile' AND r.state = 'running' AND r.scope <> 'some'
           AND r.heartbeat_at > clock_timestamp() - interval '${DEAD_AFTER}'
         LIMIT 1
      ), verdict AS (
        SELECT coalesce(
                 CASE WHEN $8 AND NOT EXISTS (SELECT FROM trueup.schedule_slots AS s
                                               WHERE s.ledger = $1 AND s.job = $2 AND s.schedule = $7
                                                 AND s.due_at < $3)
                      THEN 'it was due before this schedule began' END,
                 $9, (SELECT reason FROM other_slot), (SELECT reason FROM other_run)) AS reason
      )
      INSERT INTO trueup.schedule_slots
             (ledger, job, due_at, token, host, process, schedule, heartbeat_at, finished_at, outcome, detail)
      SELECT $1, $2, $3, $4, $5, $6, $7, clock_timestamp(),
             CASE WHEN reason IS NOT NULL THEN clock_timestamp() END,
             CASE WHEN reason IS NOT NULL THEN 'skipped' END, reason
        FROM verdict
      ON CONFLICT DO NOTHING
      RETURNING ${SLOT}`,
    values: [
      ...[ledger, job, due, holder.token, holder.host, holder.process],
      ...[schedule, wasMissed, busy],
    ],
  };
}

/** Takes over a slot that nobody is at work on any more. Of several that try, one succeeds. */
export function takeOverSlot({ ledger, job }: Job, due: Date, holder: Holder): Statement {
  return {
    text: `
      UPDATE trueup.schedule_slots AS s
         SET token = $4, host = $5, process = $6, heartbeat_at = clock_timestamp(), attempts = s.attempts + 1
       WHERE s.ledger = $1 AND s.job = $2 AND s.due_at = $3 AND ${isFree('$4')}
      RETURNING ${SLOT}`,
    values: [ledger, job, due, holder.token, holder.host, holder.process],
  };
}

/** Closes slots that nobody is at work on and that a later one has overtaken; forgets very old ones. */
export function closeOvertaken({ ledger, job }: Job, due: Date, token: string): Statement {
  return {
    text: `
      WITH forgotten AS (
        DELETE FROM trueup.schedule_slots
         WHERE ledger = $1 AND job = $2 AND finished_at IS NOT NULL AND due_at < $3
           AND due_at < clock_timestamp() - interval '${KEPT}')
      UPDATE trueup.schedule_slots AS s
         SET finished_at = clock_timestamp(), outcome = 'failed',
             detail = 'its process ended, and the next slot was due before another took it over'
       WHERE s.ledger = $1 AND s.job = $2 AND s.due_at < $3 AND ${isFree('$4')}
      RETURNING ${SLOT}`,
    values: [ledger, job, due, token],
  };
}

/**
 * Says that the holder is alive, and notes which run it is. No row: the slot has been taken over.
 * The run is the one that is under way from the same process: a ledger has one at a time.
 */
export function beatSlot({ ledger, job }: Job, due: Date, holder: Holder): Statement {
  return {
    text: `
      UPDATE trueup.schedule_slots AS s
         SET heartbeat_at = clock_timestamp(),
             run_id = coalesce((SELECT r.id FROM trueup.runs AS r
                                 WHERE r.ledger = $1 AND r.kind = 'reconcile' AND r.state = 'running'
                                   AND r.scope <> 'some' AND r.host = $5 AND r.process = $6
                                 ORDER BY r.started_at DESC LIMIT 1), s.run_id)
       WHERE s.ledger = $1 AND s.job = $2 AND s.due_at = $3 AND s.token = $4 AND s.finished_at IS NULL
      RETURNING ${SLOT}`,
    values: [ledger, job, due, holder.token, holder.host, holder.process],
  };
}

/** How a slot ended. */
export interface SlotEnd {
  readonly outcome: 'finished' | 'skipped' | 'failed';
  readonly detail: string;
  readonly runId: string | null;
}

/** Closes a slot, unless it was taken over meanwhile. */
export function finishSlot(
  { ledger, job }: Job,
  due: Date,
  token: string,
  end: SlotEnd,
): Statement {
  return {
    text: `
      UPDATE trueup.schedule_slots
         SET finished_at = clock_timestamp(), outcome = $5, detail = $6, run_id = coalesce($7, run_id)
       WHERE ledger = $1 AND job = $2 AND due_at = $3 AND token = $4 AND finished_at IS NULL
      RETURNING ${SLOT}`,
    values: [ledger, job, due, token, end.outcome, end.detail, end.runId],
  };
}

/** Gives a slot back unfinished, so that the next process takes it over without waiting. */
export function releaseSlot({ ledger, job }: Job, due: Date, token: string): Statement {
  return {
    text: `
      UPDATE trueup.schedule_slots SET heartbeat_at = NULL
       WHERE ledger = $1 AND job = $2 AND due_at = $3 AND token = $4 AND finished_at IS NULL
      RETURNING ${SLOT}`,
    values: [ledger, job, due, token],
  };
}

/** When a run last looked at every wallet of a ledger, and ended as it should. */
export function lastFullRun(ledger: string): Statement {
  return {
    text: `SELECT max(started_at) AS "startedAt" FROM trueup.runs
            WHERE ledger = $1 AND kind = 'reconcile' AND scope = 'all' AND state = 'finished'
              AND exit_status IN (0, 2) AND counts ->> 'incomplete' IS NULL`,
    values: [ledger],
  };
}

export interface EndedRun {
  readonly exitStatus: number;
}

/** A run that has come to its end, as far as it was meant to; no row for one that can go on. */
export function endedRun(runId: string): Statement {
  return {
    text: `SELECT exit_status AS "exitStatus" FROM trueup.runs WHERE id = $1 AND state = 'finished'`,
    values: [runId],
  };
}

/**
 * The last unattended run of a ledger, where it has not come to its end and is not too old: what it has
 * looked at need not be looked at again. One that a safety rail has stopped waits for people.
 */
export function unfinishedRun(ledger: string, youngerThanSeconds: number): Statement {
  return {
    text: `
      SELECT id FROM (
        SELECT r.id, r.started_at, r.unattended,
               r.state IN ('interrupted', 'abandoned') OR (r.state = 'running'
                 AND coalesce(r.heartbeat_at < clock_timestamp() - interval '${DEAD_AFTER}', true)) AS unfinished
          FROM trueup.runs AS r
         WHERE r.ledger = $1 AND r.kind = 'reconcile' AND r.scope <> 'some'
         ORDER BY r.started_at DESC LIMIT 1) AS last
       WHERE unattended AND unfinished AND started_at > clock_timestamp() - make_interval(secs => $2)`,
    values: [ledger, youngerThanSeconds],
  };
}
