import { randomUUID } from 'node:crypto';
import type { ReconcileSummary } from '../../src/index.js';
import type { TestDatabase } from '../support/database.js';

/** Rows of runs as a test needs them: the record of what other processes did. */

export const LEDGER = '"trueup"."entries"';

/** What a run may say of its end. */
export type Counts = Partial<Omit<ReconcileSummary, 'incomplete'>> & {
  readonly incomplete?: string | null;
};

/** A summary of a run in which all was well, but for what is given. */
export function summaryOf(counts: Counts = {}): ReconcileSummary {
  return {
    runId: randomUUID(),
    dryRun: false,
    checked: 1000,
    drifted: 0,
    balanceDrifts: 0,
    earningsDrifts: 0,
    findings: 0,
    repaired: 0,
    review: 0,
    critical: 0,
    rail: null,
    resumed: 0,
    skipped: 0,
    errors: 0,
    seconds: 1,
    incomplete: null,
    exitStatus: 0,
    ...counts,
  } as ReconcileSummary;
}

/** The end of a run that a safety rail has stopped. */
export function stoppedBy(message: string): Counts {
  const override = 'trueup reconcile --resume ID --max-repairs 600';
  return { incomplete: 'rail', exitStatus: 4, rail: { rail: 'max_repairs', message, override } };
}

/** Records a run that has ended. `ago` is how long ago it began, as PostgreSQL reads it. */
export async function recordRun(
  db: TestDatabase,
  counts: Counts = {},
  more: { readonly ago?: string; readonly state?: string; readonly scope?: string } = {},
): Promise<ReconcileSummary> {
  const summary = summaryOf(counts);
  const { ago = '0', state = 'finished', scope = 'all' } = more;
  await db.run(
    `INSERT INTO trueup.runs (id, kind, ledger, options, version, scope, state, started_at, finished_at,
                              exit_status, counts)
     VALUES ($1, 'reconcile', $2, '{}', 'test', $7, $3, clock_timestamp() - $4::interval,
             clock_timestamp() - $4::interval, $5, $6)`,
    [summary.runId, LEDGER, state, ago, summary.exitStatus, JSON.stringify(summary), scope],
  );
  return summary;
}

/** A run that is under way on another host. */
export async function recordRunUnderWay(db: TestDatabase, beat = '0'): Promise<string> {
  const id = randomUUID();
  await db.run(
    `INSERT INTO trueup.runs (id, kind, ledger, options, version, scope, state, host, process, heartbeat_at)
     VALUES ($1, 'reconcile', $2, '{}', 'test', 'all', 'running', 'elsewhere', 7,
             clock_timestamp() - $3::interval)`,
    [id, LEDGER, beat],
  );
  return id;
}

/** Slots as people would read them. */
export async function slotsOf(db: TestDatabase): Promise<string[]> {
  const rows = await db.rows(
    `SELECT to_char(due_at AT TIME ZONE 'UTC', 'MM-DD HH24:MI') || ' ' || coalesce(outcome, 'open') AS slot
       FROM trueup.schedule_slots ORDER BY due_at`,
  );
  return rows.map(({ slot }) => slot ?? '');
}
