import type { Statement } from '../../postgres/database.js';
import { IS_GONE } from '../runs/gone-statements.js';

/** Statements that tell how a ledger is from Trueup's records. They read only. */

/** The tables that status reads. */
const TABLES = [
  ...['runs', 'findings', 'checkpoints', 'verified_ranges', 'alerts', 'alert_hooks'],
  ...['sync_failures', 'profile_marks', 'activity_failures'],
];

export interface PlaceRow {
  /** Trueup has made its schema here. */
  readonly schemaExists: boolean;
  /** Tables that are not there: an older Trueup made the schema. null: none. */
  readonly missing: readonly string[] | null;
  readonly unreadable: readonly string[] | null;
  readonly role: string;
}

/** Whether the tables are there, and may be read. The catalog answers every role. */
export const place: Statement = {
  text: `SELECT n.oid IS NOT NULL AS "schemaExists", format('%I', current_user) AS role,
                array_agg(t.name ORDER BY t.place) FILTER (WHERE c.oid IS NULL) AS missing,
                array_agg(t.name ORDER BY t.place) FILTER (WHERE c.oid IS NOT NULL AND NOT (
                  has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT'))) AS unreadable
           FROM unnest($1::text[]) WITH ORDINALITY AS t (name, place)
           LEFT JOIN pg_namespace n ON n.nspname = 'trueup'
           LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = t.name
          GROUP BY n.oid`,
  values: [TABLES],
};

export interface RunRow {
  readonly runId: string;
  readonly state: string;
  readonly scope: string;
  readonly startedAt: Date;
  readonly endedAt: Date;
  readonly age: number;
  readonly startedBy: string;
  readonly host: string | null;
  readonly process: number | null;
  readonly resumed: number;
  readonly exitStatus: number | null;
  readonly error: string | null;
  readonly counts: Readonly<Record<string, unknown>> | null;
  readonly progress: Readonly<Record<string, unknown>> | null;
  readonly control: string;
  readonly waiting: string | null;
  /** A complete check, whatever it found. */
  readonly success: boolean;
  /** It says that it runs, and nobody has heard of it. */
  readonly dead: boolean;
}

/**
 * The runs over a whole ledger that matter now: those under way, the one that ended last, and the last
 * one that looked at everything. A run is dead when its session is gone, or has not beaten for a while.
 */
export function latestRuns(ledger: string): Statement {
  return {
    text: `WITH checks AS MATERIALIZED (
  SELECT r.*, ${IS_GONE} AS dead,
         coalesce(r.finished_at, r.heartbeat_at, r.started_at) AS ended_at,
         r.state = 'finished' AND r.exit_status IN (0, 2)
           AND r.counts ->> 'incomplete' IS NULL AND coalesce(r.counts ->> 'skipped', '0') = '0' AS success
    FROM trueup.runs r
   WHERE r.ledger = $1 AND r.kind = 'reconcile' AND (r.scope <> 'some' OR r.options @> '{"all": true}')
), chosen AS (
  SELECT id FROM checks WHERE state = 'running' AND NOT dead
  UNION
  (SELECT id FROM checks WHERE state <> 'running' OR dead ORDER BY ended_at DESC, id LIMIT 1)
  UNION
  (SELECT id FROM checks WHERE success ORDER BY ended_at DESC, id LIMIT 1)
)
SELECT r.id::text AS "runId", r.state, CASE r.scope WHEN 'incremental' THEN r.scope ELSE 'all' END AS scope,
       r.started_at AS "startedAt", r.ended_at AS "endedAt", ${age('r.ended_at')} AS age,
       r.started_by AS "startedBy", r.host, r.process, r.resumed, r.exit_status AS "exitStatus", r.error,
       r.counts, r.progress, r.control, r.waiting, r.success, r.dead
  FROM checks r JOIN chosen USING (id)
 ORDER BY r.ended_at DESC, r.id`,
    values: [ledger],
  };
}

/** Seconds since then, by the clock of the database; never less than none. */
function age(time: string): string {
  return `greatest(extract(epoch FROM clock_timestamp() - ${time}), 0)::float8`;
}

export interface NowRow {
  readonly at: Date;
}

export const now: Statement = { text: 'SELECT clock_timestamp() AS at' };

export interface OpenRow {
  readonly state: string;
  readonly part: string | null;
  readonly field: string | null;
  readonly cause: string | null;
  readonly findings: number;
  readonly coins: string;
}

/** What is open, by kind. */
export function openFindings(ledger: string): Statement {
  return {
    text: `SELECT state, part, field, cause, count(*)::float8 AS findings,
                  trim_scale(coalesce(sum(abs(delta)), 0))::text AS coins
             FROM trueup.findings WHERE ledger = $1 AND settled_at IS NULL
            GROUP BY state, part, field, cause
            ORDER BY count(*) DESC, state, part, field, cause`,
    values: [ledger],
  };
}

/** Whose open findings of some states these are. */
export interface WhoseRow {
  /** The wallet, where it is one only. */
  readonly walletId: string | null;
  /** The newest run that has left some of them. */
  readonly runId: string;
}

/** Whose open findings of these states are; no row where there are none. */
export function whose(ledger: string, states: readonly string[]): Statement {
  return {
    text: `SELECT CASE WHEN count(DISTINCT coalesce(wallet_id, 'profile ' || profile_id)) = 1 THEN min(wallet_id) END AS "walletId",
                  (array_agg(run_id ORDER BY id DESC))[1]::text AS "runId"
             FROM trueup.findings WHERE ledger = $1 AND settled_at IS NULL AND state = ANY ($2)
           HAVING count(*) > 0`,
    values: [ledger, states],
  };
}

/** The runs whose findings wait for a person, the newest first. */
export function runsWithReview(ledger: string): Statement {
  return {
    text: `SELECT run_id::text AS "runId" FROM trueup.findings
            WHERE ledger = $1 AND settled_at IS NULL AND state = 'review'
            GROUP BY run_id ORDER BY max(id) DESC LIMIT 10`,
    values: [ledger],
  };
}

/** Whether anything is on record about what a run has left. */
export function hasFindings(runId: string): Statement {
  return {
    text: 'SELECT EXISTS (SELECT FROM trueup.findings WHERE run_id = $1) AS recorded',
    values: [runId],
  };
}

export interface VerifiedRow {
  readonly ranges: number;
  readonly wallets: number;
  readonly ofWallets: number;
  readonly coins: string;
  readonly ofCoins: string;
  readonly valueRatio: number | null;
  /** null: never, as far as some wallets go. */
  readonly oldestAt: Date | null;
  readonly oldestAge: number | null;
}

/** How much was verified within so many seconds. */
export function verified(ledger: string, cycle: number): Statement {
  const fresh = 'FILTER (WHERE verified_at >= clock_timestamp() - make_interval(secs => $2))';
  return {
    text: `SELECT v.*, (v.coins::numeric / nullif(v."ofCoins"::numeric, 0))::float8 AS "valueRatio",
                  ${age('v."oldestAt"')} AS "oldestAge"
             FROM (SELECT count(*)::float8 AS ranges,
                          coalesce(sum(wallets) ${fresh}, 0)::float8 AS wallets,
                          coalesce(sum(wallets), 0)::float8 AS "ofWallets",
                          trim_scale(coalesce(sum(coins) ${fresh}, 0))::text AS coins,
                          trim_scale(coalesce(sum(coins), 0))::text AS "ofCoins",
                          CASE WHEN isfinite(min(verified_at)) THEN min(verified_at) END AS "oldestAt"
                     FROM trueup.verified_ranges WHERE ledger = $1) AS v`,
    values: [ledger, cycle],
  };
}

export interface WaitingRow {
  readonly syncFailures: number;
  readonly oldestSyncFailureAge: number | null;
  readonly marks: number;
  readonly oldestMarkAge: number | null;
  readonly activityFailures: number;
  readonly alerts: number;
}

/** What waits for somebody to take it up. Alerts wait where there ever was a hook to give them to. */
export function waiting(ledger: string): Statement {
  return {
    text: `SELECT f.waiting AS "syncFailures", ${age('f.oldest')} AS "oldestSyncFailureAge",
                  m.waiting AS marks, ${age('m.oldest')} AS "oldestMarkAge",
                  e.waiting AS "activityFailures", a.waiting AS alerts
             FROM (SELECT count(*)::float8 AS waiting, min(failed_at) AS oldest
                     FROM trueup.sync_failures WHERE ledger = $1 AND healed_at IS NULL) AS f,
                  (SELECT count(*)::float8 AS waiting, min(marked_at) AS oldest
                     FROM trueup.profile_marks WHERE ledger = $1) AS m,
                  (SELECT count(*)::float8 AS waiting
                     FROM trueup.activity_failures WHERE ledger = $1 AND healed_at IS NULL) AS e,
                  (SELECT count(*)::float8 AS waiting
                     FROM trueup.alerts AS l JOIN trueup.alert_hooks AS h ON h.ledger = l.ledger
                    WHERE l.ledger = $1 AND l.delivered_at IS NULL AND l.dropped_at IS NULL) AS a`,
    values: [ledger],
  };
}

export interface HolderRow {
  readonly pid: number | null;
  readonly prepared: string | null;
  readonly database: string | null;
  readonly application: string | null;
  readonly age: number | null;
}

/**
 * Who holds the watermark back: the oldest transaction of the whole server that has written and is open.
 * Its id is what pg_snapshot_xmin gives; where nobody holds it back there is no row.
 */
export const watermarkHolder: Statement = {
  text: `WITH oldest AS MATERIALIZED (SELECT pg_snapshot_xmin(pg_current_snapshot())::xid AS id)
SELECT a.pid, NULL AS prepared, a.datname AS database, nullif(a.application_name, '') AS application,
       ${age('a.xact_start')} AS age
  FROM pg_stat_activity a JOIN oldest o ON a.backend_xid = o.id
 UNION ALL
SELECT NULL, p.gid, p.database, NULL, ${age('p.prepared')}
  FROM pg_prepared_xacts p JOIN oldest o ON p.transaction = o.id
 LIMIT 1`,
};
