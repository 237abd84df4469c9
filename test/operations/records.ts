import { randomUUID } from 'node:crypto';
import type { TestDatabase } from '../support/database.js';

/** Rows as runs leave them, made by hand: what reads them does not care who wrote them. */

export const LEDGER = '"trueup"."entries"';

export const COUNTS = {
  checked: 1_000,
  drifted: 3,
  balanceDrifts: 3,
  earningsDrifts: 1,
  findings: 4,
  repaired: 4,
  skipped: 0,
  errors: 0,
  seconds: 1.5,
  incomplete: null,
  exitStatus: 0,
};

/** A run as it is on record. Ages are seconds before now. */
export interface RunFixture {
  readonly id?: string;
  readonly ledger?: string;
  readonly kind?: string;
  readonly scope?: string;
  readonly state?: string;
  readonly exitStatus?: number | null;
  readonly counts?: object | null;
  readonly options?: object;
  readonly startedAge?: number;
  /** null: it has not finished. */
  readonly finishedAge?: number | null;
  readonly heartbeatAge?: number | null;
  readonly backend?: number | null;
  readonly error?: string | null;
  readonly host?: string | null;
  readonly process?: number | null;
  readonly progress?: object | null;
  readonly control?: string;
  readonly waiting?: string | null;
  readonly unattended?: boolean;
}

/** @returns its id */
export async function insertRun(db: TestDatabase, run: RunFixture = {}): Promise<string> {
  const id = run.id ?? randomUUID();
  await db.run(
    `INSERT INTO trueup.runs (id, kind, ledger, scope, state, options, version, started_at, finished_at,
                              exit_status, counts, error, host, process, heartbeat_at, backend, progress, control,
                              waiting, unattended)
     VALUES ($1, $2, $3, $4, $5, $6, '1.2.3', now() - make_interval(secs => $7), now() - make_interval(secs => $8),
             $9, $10, $11, $12, $13, now() - make_interval(secs => $14), $15, $16, $17, $18, $19)`,
    [
      id,
      run.kind ?? 'reconcile',
      run.ledger ?? LEDGER,
      run.scope ?? 'all',
      run.state ?? 'finished',
      JSON.stringify(run.options ?? { all: true, batchSize: 10_000 }),
      run.startedAge ?? 3_700,
      run.finishedAge === undefined ? 3_600 : run.finishedAge,
      run.exitStatus === undefined ? 0 : run.exitStatus,
      run.counts === undefined ? JSON.stringify(COUNTS) : JSON.stringify(run.counts),
      run.error ?? null,
      run.host ?? null,
      run.process ?? null,
      run.heartbeatAge ?? null,
      run.backend ?? null,
      run.progress === undefined ? null : JSON.stringify(run.progress),
      run.control ?? 'run',
      run.waiting ?? null,
      run.unattended ?? false,
    ],
  );
  return id;
}

export interface FindingFixture {
  readonly runId: string;
  readonly ledger?: string;
  readonly state?: string;
  readonly walletId?: string | null;
  readonly profileId?: string | null;
  readonly userId?: string | null;
  readonly part?: string | null;
  readonly field?: string | null;
  readonly cached?: string | null;
  readonly expected?: string | null;
  readonly delta?: string | null;
  readonly cause?: string | null;
  readonly message?: string | null;
  readonly settled?: boolean;
}

export async function insertFinding(db: TestDatabase, finding: FindingFixture): Promise<void> {
  const told = {
    ...{ state: 'reported', walletId: '1', profileId: '101', userId: '11' },
    ...{ part: 'wallet', field: 'balance', cached: '10', expected: '60', delta: '50' },
    ...{ cause: 'no_history', message: null, settled: false, ledger: LEDGER },
    ...finding,
  };
  await db.run(
    `INSERT INTO trueup.findings (run_id, ledger, wallet_id, profile_id, user_id, state, part, field, cached,
                                  expected, delta, cause, message, settled_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, CASE WHEN $14 THEN now() END)`,
    [
      ...[told.runId, told.ledger, told.walletId, told.profileId, told.userId, told.state],
      ...[told.part, told.field, told.cached, told.expected, told.delta, told.cause, told.message],
      told.settled,
    ],
  );
}

/** Forgets every run and everything that was found. */
export async function forget(db: TestDatabase): Promise<void> {
  await db.run(`TRUNCATE trueup.runs, trueup.findings, trueup.repairs, trueup.verified_ranges,
                         trueup.sync_failures, trueup.profile_marks, trueup.alerts`);
}
