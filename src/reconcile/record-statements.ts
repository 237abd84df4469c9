import { CACHES, type Field } from '../core/comparison.js';
import type { Statement } from '../postgres/database.js';
import type { Checkpoint, Progress } from './checkpoint.js';
import { keepSuspects, suspectColumns, type SuspectRecord } from './survey-statements.js';

/** Statements about the row of a run, and what it counted. */

/** What is known of a run when it begins. */
export interface NewRun {
  readonly id: string;
  readonly ledger: string;
  readonly options: object;
  readonly version: string;
  readonly scope: 'all' | 'incremental' | 'some';
  readonly host: string;
  readonly process: number;
  readonly unattended: boolean;
  readonly fingerprint: string;
}

/** Writes the row, unless a run over the whole ledger is under way. Before it looks at anything. */
export function beginRun(run: NewRun, token: string): Statement {
  return {
    text: `INSERT INTO trueup.runs (id, kind, ledger, options, version, scope, host, process, unattended,
                          fingerprint, watermark, token, backend, heartbeat_at)
VALUES ($1, 'reconcile', $2, $3, $4, $5, $6, $7, $8, $9, pg_snapshot_xmin(pg_current_snapshot()), $10,
        pg_backend_pid(), clock_timestamp())
    ON CONFLICT (ledger) WHERE kind = 'reconcile' AND state = 'running' AND scope <> 'some' DO NOTHING
RETURNING id`,
    values: [
      run.id,
      run.ledger,
      JSON.stringify(run.options),
      run.version,
      run.scope,
      run.host,
      run.process,
      run.unattended,
      run.fingerprint,
      token,
    ],
  };
}

/** A run as it was left. */
export interface LeftRun {
  readonly id: string;
  readonly state: string;
  readonly scope: NewRun['scope'];
  readonly options: Readonly<Record<string, unknown>>;
  readonly fingerprint: string | null;
  readonly checkpoint: Checkpoint | null;
  readonly resumed: number;
}

/** A run of this ledger; without an id the last one, but for runs of some users that are over. */
export function findRun(ledger: string, id: string | undefined): Statement {
  return {
    text: `SELECT r.id, r.state, r.scope, r.options, r.fingerprint, r.checkpoint, r.resumed
             FROM trueup.runs AS r
            WHERE r.ledger = $1 AND r.kind = 'reconcile'${id === undefined ? " AND NOT (r.scope = 'some' AND r.state IN ('running', 'finished'))" : ' AND r.id = $2'}
            ORDER BY r.started_at DESC LIMIT 1`,
    values: id === undefined ? [ledger] : [ledger, id],
  };
}

/**
 * Takes up a run that has stopped, unless another one over the whole ledger is under way. A run that was told
 * to pause goes on pausing where no person takes it up.
 */
export function resumeRun(
  run: Pick<NewRun, 'id' | 'options' | 'host' | 'process' | 'unattended'>,
  token: string,
): Statement {
  return {
    text: `UPDATE trueup.runs AS r
              SET state = 'running', resumed = r.resumed + 1, options = $3, host = $4, process = $5, unattended = $6,
                  token = $2, backend = pg_backend_pid(), heartbeat_at = clock_timestamp(),
                  control = CASE WHEN $6 AND r.control = 'pause' THEN 'pause' ELSE 'run' END, waiting = NULL, error = NULL, finished_at = NULL, exit_status = NULL, counts = NULL
            WHERE r.id = $1 AND r.state IN ('interrupted', 'stopped', 'failed', 'abandoned')
              AND (r.scope = 'some' OR NOT EXISTS (
                     SELECT FROM trueup.runs AS o WHERE o.ledger = r.ledger AND o.kind = 'reconcile'
                        AND o.state = 'running' AND o.scope <> 'some'))
        RETURNING r.id`,
    values: [run.id, token, JSON.stringify(run.options), run.host, run.process, run.unattended],
  };
}

/** How a run ended. */
export interface Ending {
  readonly state: 'finished' | 'interrupted' | 'stopped' | 'failed';
  readonly exitStatus: number | null;
  readonly counts: object | null;
  readonly error: string | null;
}

/** Ends a run, as far as this token still holds it. */
export function endRun(id: string, token: string, ending: Ending): Statement {
  return {
    text: `UPDATE trueup.runs AS r
              SET state = $3, finished_at = clock_timestamp(), exit_status = $4, counts = $5, error = $6,
                  backend = NULL, waiting = NULL
            WHERE r.id = $1 AND r.token = $2 RETURNING r.id`,
    values: [
      id,
      token,
      ending.state,
      ending.exitStatus,
      ending.counts === null ? null : JSON.stringify(ending.counts),
      ending.error,
    ],
  };
}

/** A checkpoint that is to be saved, and the one that it follows. */
export interface Step {
  readonly before: Checkpoint | null;
  readonly checkpoint: Checkpoint;
  readonly progress: Progress;
  /** What was found between the two, and not repaired. */
  readonly findings: readonly FindingRow[];
  /** What a survey saw between the two. */
  readonly suspects: readonly SuspectRecord[];
}

interface HeldRun {
  readonly id: string;
  readonly token: string;
  readonly ledger: string;
}

/**
 * Saves how far a run is, with what it did not repair on the way: one statement, which takes effect once
 * however often it is sent, so a batch that is done again leaves no finding twice. No row: it was sent
 * before, or the run belongs to somebody else; {@link isSaved} tells.
 */
export function saveCheckpoint(run: HeldRun, step: Step): Statement {
  const saved = `UPDATE trueup.runs AS r SET checkpoint = $3, progress = $4
   WHERE r.id = $1 AND r.token = $2 AND r.state = 'running' AND r.checkpoint IS NOT DISTINCT FROM $5
RETURNING r.id`;
  const [checkpoint, progress] = [JSON.stringify(step.checkpoint), JSON.stringify(step.progress)];
  const before = step.before === null ? null : JSON.stringify(step.before);
  const values: unknown[] = [run.id, run.token, checkpoint, progress, before];
  const written: string[] = [];
  if (step.findings.length > 0) {
    const at = values.push(run.ledger, JSON.stringify(step.findings));
    written.push(recordFindings(`$${String(at - 1)}`, `$${String(at)}`));
  }
  if (step.suspects.length > 0) {
    const at = values.push(...suspectColumns(step.suspects));
    written.push(keepSuspects(`$${String(at - 2)}`, `$${String(at - 1)}`, `$${String(at)}`));
  }
  if (written.length === 0) return { text: saved, values };
  return { text: `WITH saved AS (${saved}), ${written.join(', ')} SELECT id FROM saved`, values };
}

/** Whether this is the checkpoint of the run, which is still held. */
export function isSaved(run: HeldRun, checkpoint: Checkpoint): Statement {
  return {
    text: `SELECT FROM trueup.runs AS r
            WHERE r.id = $1 AND r.token = $2 AND r.state = 'running' AND r.checkpoint = $3`,
    values: [run.id, run.token, JSON.stringify(checkpoint)],
  };
}

/** What became of a finding that is not repaired, as `trueup.findings` keeps it. */
export type RecordedState = 'reported' | 'review' | 'critical' | 'skipped' | 'failed' | 'undone';

/** What was found and not repaired, as `trueup.findings` keeps it. */
export interface FindingRow {
  readonly state: RecordedState;
  readonly walletId: string | null;
  readonly profileId: string | null;
  readonly userId: string | null;
  readonly part: string | null;
  readonly field: string | null;
  readonly cached: string | null;
  readonly expected: string | null;
  readonly delta: string | null;
  readonly cause: string | null;
  readonly evidence: object | null;
  readonly message: string | null;
}

/** The member of a WITH that writes rows of {@link FindingRow} (JSON) of the run that was saved. */
function recordFindings(ledger: string, rows: string): string {
  return `recorded AS (
  INSERT INTO trueup.findings (run_id, ledger, wallet_id, profile_id, user_id, state, part, field, cached,
                               expected, delta, cause, evidence, message)
  SELECT saved.id, ${ledger}, f."walletId", f."profileId", f."userId", f.state, f.part, f.field, f.cached,
         f.expected, f.delta, f.cause, f.evidence, f.message
    FROM jsonb_to_recordset(${rows}::jsonb) AS f ("walletId" text, "profileId" text, "userId" text, state text,
           part text, field text, cached text, expected text, delta numeric, cause text, evidence jsonb, message text)
   CROSS JOIN saved
)`;
}

/** What the records of a run say that it found and did. */
export interface CountsRow {
  readonly drifted: string;
  readonly balanceDrifts: string;
  readonly earningsDrifts: string;
  readonly findings: string;
  readonly repaired: string;
  readonly skipped: string;
  readonly errors: string;
  readonly review: string;
  readonly critical: string;
  /** A cache may be wrong still. What is no cache, and coins without history, do not count. */
  readonly leftWrong: boolean;
}

/** Whether a repair (alias p) changed this field of the wallet or of its profile. */
const changed = (field: Field): string => `p.changes ?| '{wallet.${field},profile.${field}}'`;

/** How many caches it changed. Asking for each is three times as fast as counting what is there. */
const CHANGED_CACHES = CACHES.map(([part, field]) => `(p.changes ? '${part}.${field}')::int`).join(
  ' + ',
);

/**
 * Counts a run from its records, not from memory: a batch that was done twice, or by two processes, counts
 * once. Repairs of a run lie together in time, which their index knows. There is one of a wallet, so they are
 * counted in one pass; only users of whom something was found besides are looked up.
 */
export function countsOf(runId: string): Statement {
  return {
    text: `WITH ours AS NOT MATERIALIZED (
  SELECT p.* FROM trueup.repairs AS p
   WHERE p.run_id = $1 AND p.repaired_at >= (SELECT r.started_at FROM trueup.runs AS r WHERE r.id = $1)
), repaired AS MATERIALIZED (
  SELECT count(*) AS users, coalesce(sum(${CHANGED_CACHES}), 0) AS caches,
         count(*) FILTER (WHERE ${changed('balance')}) AS balance,
         count(*) FILTER (WHERE ${changed('lifetimeEarnings')}) AS earnings
    FROM ours AS p
), others AS MATERIALIZED (
  SELECT f.* FROM trueup.findings AS f WHERE f.run_id = $1
), users AS MATERIALIZED (
  SELECT f.wallet_id, bool_or(f.field = 'balance') AS balance, bool_or(f.field = 'lifetimeEarnings') AS earnings
    FROM others AS f WHERE f.part IS NOT NULL
   GROUP BY f.wallet_id, CASE WHEN f.wallet_id IS NULL THEN f.profile_id END
), besides AS (
  SELECT count(*) FILTER (WHERE p.wallet_id IS NULL) AS users,
         count(*) FILTER (WHERE u.balance AND (${changed('balance')}) IS NOT TRUE) AS balance,
         count(*) FILTER (WHERE u.earnings AND (${changed('lifetimeEarnings')}) IS NOT TRUE) AS earnings
    FROM users AS u LEFT JOIN ours AS p USING (wallet_id)
)
SELECT (r.users + b.users)::text AS drifted, (r.balance + b.balance)::text AS "balanceDrifts",
       (r.earnings + b.earnings)::text AS "earningsDrifts", (r.caches + o.findings)::text AS findings,
       r.caches::text AS repaired, o.skipped::text, o.errors::text, o.review::text, o.critical::text, o."leftWrong"
  FROM repaired AS r, besides AS b,
       (SELECT count(*) FILTER (WHERE f.part IS NOT NULL) AS findings,
               count(*) FILTER (WHERE f.state = 'skipped') AS skipped,
               count(*) FILTER (WHERE f.state = 'failed') AS errors,
               count(*) FILTER (WHERE f.state = 'review') AS review,
               count(*) FILTER (WHERE f.state = 'critical') AS critical,
               coalesce(bool_or(f.state <> 'critical' AND f.part IS NULL
                                OR f.field <> 'balanceAfter' AND f.cause <> 'no_history'), false) AS "leftWrong"
          FROM others AS f) AS o`,
    values: [runId],
  };
}

/** Which older findings a run has looked at again. */
export type Seen =
  | { readonly kind: 'all' }
  | { readonly kind: 'ids'; readonly walletIds: readonly string[] }
  | { readonly kind: 'upTo'; readonly walletId: string; readonly type: string };

/**
 * Closes what earlier runs left open, where this one has looked at the wallet: whatever is still wrong is
 * a finding of this run. What others found while it was at work stays open.
 *
 * @param negatives whether the run looks for wallets below zero; one that does not cannot say that none is
 */
export function settleFindings(runId: string, seen: Seen, negatives: boolean): Statement {
  const [condition, ...values] =
    seen.kind === 'all'
      ? ['true']
      : seen.kind === 'ids'
        ? ['f.wallet_id = ANY ($2::text[])', seen.walletIds]
        : [`f.wallet_id::${seen.type} <= $2::${seen.type}`, seen.walletId];
  return {
    text: `UPDATE trueup.findings AS f SET settled_at = clock_timestamp(), settled_by = $1
             FROM trueup.runs AS r
            WHERE r.id = $1 AND f.ledger = r.ledger AND f.settled_at IS NULL AND f.run_id <> r.id
              AND f.found_at < r.started_at AND ${condition}${negatives ? '' : " AND f.state <> 'critical'"}`,
    values: [runId, ...values],
  };
}
