import type { Statement } from '../../postgres/database.js';
import type { RecordedState } from '../../reconcile/record-statements.js';
import { STATE } from './gone-statements.js';

/** Statements about runs on record. Times are those of the database; coins travel as text. */

const instant = (time: string): string =>
  `to_char(${time} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')`;

const RUN = `r.id::text AS "runId", r.kind, r.scope, ${STATE} AS state, r.unattended, r.version, r.options, r.resumed,
       r.started_by AS "startedBy", r.host, r.process, ${instant('r.started_at')} AS "startedAt",
       ${instant('r.finished_at')} AS "finishedAt", r.exit_status AS "exitStatus", r.error, r.control, r.waiting,
       extract(epoch FROM coalesce(r.finished_at, clock_timestamp()) - r.started_at)::float8 AS seconds,
       CASE WHEN r.state = 'running' AND r.heartbeat_at IS NOT NULL
            THEN extract(epoch FROM clock_timestamp() - r.heartbeat_at)::float8 END AS "silentFor",
       coalesce(r.counts, r.progress, '{}') AS counts`;

/** A run as it is on record. */
export interface RunRow {
  readonly runId: string;
  readonly kind: 'reconcile' | 'heal' | 'service' | 'approve' | 'apply' | 'undo';
  readonly scope: 'all' | 'incremental' | 'some';
  /** `abandoned` as soon as its process is gone, also where nobody has written it down yet. */
  readonly state: 'running' | 'finished' | 'interrupted' | 'stopped' | 'failed' | 'abandoned';
  readonly unattended: boolean;
  readonly version: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** How often it was resumed. */
  readonly resumed: number;
  readonly startedBy: string;
  readonly host: string | null;
  readonly process: number | null;
  readonly startedAt: string;
  readonly finishedAt: string | null;
  readonly exitStatus: number | null;
  readonly error: string | null;
  /** What it is told to do. */
  readonly control: 'run' | 'pause' | 'stop';
  /** Why it waits just now. */
  readonly waiting: string | null;
  /** From its start to its end, or to now. */
  readonly seconds: number;
  /** Of a run that has not said how it ended: seconds since its last sign of life. */
  readonly silentFor: number | null;
  /** What it counted, or had counted at its checkpoint. */
  readonly counts: Readonly<Record<string, unknown>>;
}

/**
 * The last runs of a ledger, the newest first.
 *
 * @param all also passes of the healer and single wallets, of which there may be thousands
 */
export function lastRuns(ledger: string, limit: number, all: boolean): Statement {
  return {
    text: `SELECT ${RUN} FROM trueup.runs AS r
            WHERE r.ledger = $1${all ? '' : ` AND r.kind NOT IN ('heal', 'service')`}
            ORDER BY r.started_at DESC, r.id LIMIT $2`,
    values: [ledger, limit],
  };
}

/** The last run of some kinds. */
export function lastOfKinds(ledger: string, kinds: readonly RunRow['kind'][]): Statement {
  return {
    text: `SELECT ${RUN} FROM trueup.runs AS r WHERE r.ledger = $1 AND r.kind = ANY ($2::text[])
            ORDER BY r.started_at DESC, r.id LIMIT 1`,
    values: [ledger, kinds],
  };
}

/** The run that can be told what to do: the one under way, else the last one. */
export function lastSteerable(ledger: string): Statement {
  return {
    text: `SELECT ${RUN} FROM trueup.runs AS r WHERE r.ledger = $1 AND r.kind = 'reconcile'
            ORDER BY r.state = 'running' DESC, r.scope <> 'some' DESC, r.started_at DESC, r.id LIMIT 1`,
    values: [ledger],
  };
}

/** The runs whose id begins so; two at most, which is one too many. */
export function runsLike(ledger: string, prefix: string): Statement {
  return {
    text: `SELECT ${RUN} FROM trueup.runs AS r
            WHERE r.ledger = $1 AND starts_with(r.id::text, $2) LIMIT 2`,
    values: [ledger, prefix],
  };
}

/** Caches of one kind that a run found, and what it did with them. */
export interface FoundRow {
  /** What became of them: `repaired`, or a state of trueup.findings. */
  readonly state: string;
  readonly part: string | null;
  readonly field: string | null;
  readonly cause: string | null;
  readonly count: string;
  /** Coins by which they differed, added up without their signs. */
  readonly coins: string;
}

/** What a run found, by kind. */
export function foundByKind(runId: string): Statement {
  return {
    text: `SELECT f.state, f.part, f.field, f.cause, count(*)::text AS count,
       trim_scale(coalesce(sum(abs(f.delta)), 0))::text AS coins
  FROM (SELECT 'repaired' AS state, c.part, c.field, c.cause, c.delta
          FROM trueup.repaired_caches AS c
         WHERE c.run_id = $1 AND c.repaired_at >= (SELECT r.started_at FROM trueup.runs AS r WHERE r.id = $1)
         UNION ALL
        SELECT f.state, f.part, f.field, f.cause, f.delta FROM trueup.findings AS f WHERE f.run_id = $1) AS f
 GROUP BY f.state, f.part, f.field, f.cause
 ORDER BY f.state, count(*) DESC, f.part, f.field, f.cause`,
    values: [runId],
  };
}

/** What a run found, and nobody has settled. */
export interface OpenRow {
  readonly state: RecordedState;
  readonly userId: string | null;
  /** null: a profile without a wallet. */
  readonly walletId: string | null;
  readonly profileId: string | null;
  /** null: it is about the wallet as a whole. */
  readonly part: string | null;
  readonly field: string | null;
  readonly cached: string | null;
  readonly expected: string | null;
  readonly delta: string | null;
  readonly cause: string | null;
  /** Of what is about the wallet as a whole: why. */
  readonly message: string | null;
}

/** The open findings of a run: those below zero first, then by their differences, the largest first. */
export function openFindings(runId: string, limit: number): Statement {
  return {
    text: `SELECT f.state, f.user_id AS "userId", f.wallet_id AS "walletId", f.profile_id AS "profileId", f.part, f.field,
       f.cached, f.expected, trim_scale(f.delta)::text AS delta, f.cause, f.message
  FROM trueup.findings AS f WHERE f.run_id = $1 AND f.settled_at IS NULL
 ORDER BY f.state = 'critical' DESC, abs(f.delta) DESC NULLS LAST, f.id LIMIT $2`,
    values: [runId, limit],
  };
}

/** How many they are, and how many of them wait for approval. */
export interface OpenCountRow {
  readonly total: number;
  readonly review: number;
}

export function countOpen(runId: string): Statement {
  return {
    text: `SELECT count(*)::float8 AS total, count(*) FILTER (WHERE f.state = 'review')::float8 AS review
             FROM trueup.findings AS f WHERE f.run_id = $1 AND f.settled_at IS NULL`,
    values: [runId],
  };
}

/** One repaired cache. */
export interface RepairedRow {
  readonly userId: string | null;
  readonly walletId: string;
  readonly part: string;
  readonly field: string;
  readonly before: string | null;
  readonly after: string;
  readonly delta: string | null;
  readonly cause: string;
}

/** The repairs of a run that moved the most coins. */
export function largestRepairs(runId: string, limit: number): Statement {
  return {
    text: `SELECT c.user_id AS "userId", c.wallet_id AS "walletId", c.part, c.field, c.before, c.after,
       trim_scale(c.delta)::text AS delta, c.cause
  FROM trueup.repaired_caches AS c
 WHERE c.run_id = $1 AND c.repaired_at >= (SELECT r.started_at FROM trueup.runs AS r WHERE r.id = $1)
 ORDER BY abs(c.delta) DESC NULLS LAST, c.wallet_id, c.part, c.field LIMIT $2`,
    values: [runId, limit],
  };
}

/** Tells a run under way what to do; it hears of it within a second. No row: it is not under way, or of a kind that does not listen. */
export function steer(runId: string, control: RunRow['control']): Statement {
  return {
    text: `UPDATE trueup.runs AS r SET control = $2 WHERE r.id = $1 AND r.kind = 'reconcile' AND r.state = 'running' RETURNING r.id`,
    values: [runId, control],
  };
}
