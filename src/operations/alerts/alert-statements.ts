import type { Statement } from '../../postgres/database.js';
import type { AlertKind, Condition } from './conditions.js';

/** Alerts: conditions that people know of, and the outbox of what they have still to be told. */

/** What is not delivered for so long is not news any more; it stays on record. */
export const TOLD_WITHIN = '7 days';

/** Who delivers an alert has it for himself for so long; whoever dies meanwhile gives it back so. */
const CLAIMED_FOR = '2 minutes';

/** The pause after a failed delivery: first, and at most. It doubles in between. */
const FIRST_RETRY = '5 seconds';
const LONGEST_RETRY = '15 minutes';

/** Of two that raise alerts about one ledger, the second sees what the first has told. */
export function lockConditions(ledger: string): Statement {
  return {
    text: `SELECT pg_advisory_xact_lock(hashtextextended('trueup alerts of ' || $1, 0))`,
    values: [ledger],
  };
}

export interface RunFactsRow {
  readonly incompleteBefore: string | null;
  readonly wallets: string;
}

/** What is on record beside the summary of a run that has ended; no row for one over some users only. */
export function runFacts(ledger: string, runId: string): Statement {
  return {
    text: `
      WITH run AS (SELECT started_at FROM trueup.runs WHERE id = $2 AND scope <> 'some'),
      before AS (
        SELECT r.counts, r.exit_status FROM trueup.runs AS r, run
         WHERE r.ledger = $1 AND r.kind = 'reconcile' AND r.scope <> 'some' AND r.id <> $2
           AND r.started_at < run.started_at AND r.counts IS NOT NULL
         ORDER BY r.started_at DESC LIMIT 1)
      SELECT (SELECT CASE WHEN counts ->> 'incomplete' = 'rail' THEN NULL
                          ELSE coalesce(counts ->> 'incomplete',
                                        CASE WHEN (counts ->> 'skipped')::bigint > 0 THEN 'locked wallets' END) END
                FROM before) AS "incompleteBefore",
             (SELECT coalesce(sum(wallets), 0) FROM trueup.verified_ranges WHERE ledger = $1)::text AS wallets
        FROM run`,
    values: [ledger, runId],
  };
}

export interface OpenFindingsRow {
  readonly state: string;
  readonly count: string;
  readonly wallets: string;
  readonly mark: string;
}

/**
 * What waits, by state. The mark is a sum of hashes: it does not depend on the order, nor on which run
 * has written the rows.
 */
export function openFindings(ledger: string): Statement {
  return {
    text: `
      SELECT state, count(*)::text AS count, count(DISTINCT coalesce(wallet_id, 'profile ' || profile_id))::text AS wallets,
             sum(hashtextextended(concat_ws('|', wallet_id, profile_id, part, field, cached, expected), 0))::text AS mark
        FROM trueup.findings WHERE ledger = $1 AND settled_at IS NULL
       GROUP BY state`,
    values: [ledger],
  };
}

export interface ClockFactsRow {
  readonly sinceSuccess: number | null;
  readonly everSucceeded: boolean;
  readonly oldestUnverified: number | null;
}

/** What has not happened for how long, in seconds of the database's clock. */
export function clockFacts(ledger: string): Statement {
  return {
    text: `
      WITH success AS (
        SELECT max(finished_at) AS at FROM trueup.runs
         WHERE ledger = $1 AND kind = 'reconcile' AND scope <> 'some' AND state = 'finished' AND exit_status IN (0, 2)
      ), beginning AS (
        SELECT min(claimed_at) AS at FROM trueup.schedule_slots WHERE ledger = $1)
      SELECT extract(epoch FROM clock_timestamp() - coalesce(success.at, beginning.at))::float8 AS "sinceSuccess",
             success.at IS NOT NULL AS "everSucceeded",
             (SELECT extract(epoch FROM clock_timestamp() - min(verified_at))::float8
                FROM trueup.verified_ranges WHERE ledger = $1) AS "oldestUnverified"
        FROM success, beginning`,
    values: [ledger],
  };
}

/** An alert that was raised just now. */
export interface RaisedRow {
  readonly id: string;
  readonly kind: AlertKind;
  readonly state: 'open' | 'recovered';
  readonly message: string;
}

/**
 * Raises what is news, by what people know: conditions that are new or have another signature, and
 * conditions that are well again.
 */
export function raise(
  ledger: string,
  runId: string | null,
  open: readonly (Condition & { readonly severity: string })[],
  well: readonly AlertKind[],
): Statement {
  return {
    text: `
      WITH asked AS (
        SELECT * FROM jsonb_to_recordset($3::jsonb)
                   AS a (kind text, message text, signature text, details jsonb, severity text)
      ), told AS (
        INSERT INTO trueup.alert_conditions AS c (ledger, kind, signature, message)
        SELECT $1, a.kind, a.signature, a.message FROM asked AS a
        ON CONFLICT (ledger, kind) DO UPDATE
          SET signature = excluded.signature, message = excluded.message, changed_at = clock_timestamp()
          WHERE c.signature <> excluded.signature
        RETURNING kind, opened_at
      ), recovered AS (
        DELETE FROM trueup.alert_conditions WHERE ledger = $1 AND kind = ANY ($4) RETURNING kind, message, opened_at
      ), news AS (
        SELECT a.kind, 'open' AS state, a.message, a.severity, a.details, t.opened_at
          FROM asked AS a JOIN told AS t USING (kind)
        UNION ALL
        SELECT r.kind, 'recovered', 'recovered: ' || r.message, 'info', '{}'::jsonb, r.opened_at FROM recovered AS r
      )
      INSERT INTO trueup.alerts (ledger, kind, state, run_id, message, body)
      SELECT $1, n.kind, n.state, $2, n.message,
             jsonb_build_object('severity', n.severity, 'openedAt', n.opened_at, 'details', n.details)
        FROM news AS n ORDER BY n.state DESC, n.kind
      RETURNING id::text, kind, state, message`,
    values: [ledger, runId, JSON.stringify(open), well],
  };
}

/** An alert as it is delivered. */
export interface OutboxRow {
  readonly id: string;
  readonly ledger: string;
  readonly kind: string;
  readonly state: string;
  readonly runId: string | null;
  readonly message: string;
  readonly body: {
    readonly severity: string;
    readonly openedAt: string;
    readonly details: Readonly<Record<string, unknown>>;
  };
  readonly raisedAt: Date;
  readonly attempts: number;
  readonly deliveredTo: readonly string[];
}

/** Whether a process with hooks was ever there. */
export function hasHooks(ledger: string): Statement {
  return { text: 'SELECT FROM trueup.alert_hooks WHERE ledger = $1', values: [ledger] };
}

/** The first process with hooks is there. No row: another one was before it. */
export function firstHooks(ledger: string): Statement {
  return {
    text: 'INSERT INTO trueup.alert_hooks (ledger) VALUES ($1) ON CONFLICT DO NOTHING RETURNING ledger',
    values: [ledger],
  };
}

/**
 * Drops what was raised while there were no hooks, but for the last alert of everything that is wrong still:
 * that is news for whoever comes, and the rest is history.
 */
export function dropHistory(ledger: string): Statement {
  return {
    text: `
      UPDATE trueup.alerts AS a SET dropped_at = clock_timestamp()
       WHERE a.ledger = $1 AND a.delivered_at IS NULL
         AND a.id NOT IN (SELECT max(o.id) FROM trueup.alerts AS o
                            JOIN trueup.alert_conditions AS c ON c.ledger = o.ledger AND c.kind = o.kind
                           WHERE o.ledger = $1 AND o.state = 'open' GROUP BY o.kind)`,
    values: [ledger],
  };
}

/**
 * Takes the next alert that is due, past those that others are about to take. What was open when the first
 * hooks came is as old as they are.
 */
export function claimAlert(ledger: string): Statement {
  return {
    text: `
      UPDATE trueup.alerts AS a
         SET attempts = a.attempts + 1, next_attempt_at = clock_timestamp() + interval '${CLAIMED_FOR}'
       WHERE a.id = (SELECT n.id FROM trueup.alerts AS n JOIN trueup.alert_hooks AS h USING (ledger)
                      WHERE n.ledger = $1 AND n.delivered_at IS NULL AND n.next_attempt_at <= clock_timestamp()
                        AND n.dropped_at IS NULL
                        AND greatest(n.raised_at, h.since) > clock_timestamp() - interval '${TOLD_WITHIN}'
                      ORDER BY n.id LIMIT 1 FOR UPDATE OF n SKIP LOCKED)
      RETURNING a.id::text, a.ledger, a.kind, a.state, a.run_id AS "runId", a.message, a.body,
                a.raised_at AS "raisedAt", a.attempts, a.delivered_to AS "deliveredTo"`,
    values: [ledger],
  };
}

/** One of the hooks has accepted it: it is not given to that one again. */
export function acceptedBy(id: string, hook: string): Statement {
  return {
    text: `UPDATE trueup.alerts SET delivered_to = array_append(array_remove(delivered_to, $2), $2) WHERE id = $1`,
    values: [id, hook],
  };
}

/** Every hook has accepted it. */
export function delivered(id: string): Statement {
  return {
    text: `UPDATE trueup.alerts SET delivered_at = clock_timestamp(), last_error = NULL WHERE id = $1`,
    values: [id],
  };
}

/** A hook did not accept it: it is tried again later. */
export function postpone(id: string, attempts: number, reason: string): Statement {
  return {
    text: `
      UPDATE trueup.alerts
         SET last_error = $3, next_attempt_at = clock_timestamp()
             + least(interval '${FIRST_RETRY}' * power(2, least($2::integer - 1, 20)), interval '${LONGEST_RETRY}')
       WHERE id = $1 AND delivered_at IS NULL`,
    values: [id, attempts, reason],
  };
}

/** Gives an alert back that was not tried after all. */
export function giveBack(id: string): Statement {
  return {
    text: `UPDATE trueup.alerts SET attempts = attempts - 1, next_attempt_at = clock_timestamp()
            WHERE id = $1 AND delivered_at IS NULL`,
    values: [id],
  };
}

/** An alert on record. */
export interface AlertRow {
  readonly id: string;
  readonly kind: AlertKind;
  readonly state: 'open' | 'recovered';
  readonly severity: 'critical' | 'warning' | 'info';
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
  readonly runId: string | null;
  readonly raisedAt: Date;
  /** null: no hook has accepted it yet. */
  readonly deliveredAt: Date | null;
  /** When it was dropped: the first hook came too late for it. null: it was not. */
  readonly droppedAt: Date | null;
  readonly attempts: number;
  readonly lastError: string | null;
}

/** The last alerts, the newest first. */
export function listAlerts(ledger: string, limit: number): Statement {
  return {
    text: `
      SELECT a.id::text, a.kind, a.state, a.run_id AS "runId", a.message, a.body ->> 'severity' AS severity,
             a.body -> 'details' AS details, a.raised_at AS "raisedAt", a.delivered_at AS "deliveredAt",
             a.dropped_at AS "droppedAt",
             a.attempts, a.last_error AS "lastError"
        FROM trueup.alerts AS a WHERE a.ledger = $1
       ORDER BY a.id DESC LIMIT $2`,
    values: [ledger, limit],
  };
}

/** Something that is wrong now. */
export interface ConditionRow {
  readonly kind: AlertKind;
  readonly message: string;
  readonly openedAt: Date;
  /** When it was last told. */
  readonly changedAt: Date;
}

/** What is wrong now, as people were told of it. */
export function listConditions(ledger: string): Statement {
  return {
    text: `SELECT kind, message, opened_at AS "openedAt", changed_at AS "changedAt"
             FROM trueup.alert_conditions WHERE ledger = $1 ORDER BY opened_at, kind`,
    values: [ledger],
  };
}
