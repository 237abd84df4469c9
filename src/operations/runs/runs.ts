import { TrueupError } from '../../core/errors.js';
import type { ResolvedMapping } from '../../mapping/model.js';
import type { Database } from '../../postgres/database.js';
import { findRun } from './find.js';
import { openOf, type OpenOfRun } from './open.js';
import * as statements from './run-statements.js';
import type { FoundRow, RepairedRow, RunRow } from './run-statements.js';

/** A run as it is on record. */
export type Run = RunRow;

/** A run with what it found and did. */
export interface RunDetails extends Run {
  /** What it found, by what became of it, part, field and cause. */
  readonly found: readonly FoundRow[];
  /** Its ten largest repairs. */
  readonly largest: readonly RepairedRow[];
  /** What it found and nobody has settled by now. */
  readonly open: OpenOfRun;
}

/** Which runs are listed. */
export interface RunsRequest {
  /** How many at most. Default: 20. */
  readonly limit?: number | undefined;
  /** Also the passes of the healer, and repairs of single wallets. */
  readonly all?: boolean | undefined;
}

const LISTED = 20;
const LARGEST = 10;

/** The last runs of a ledger, the newest first. */
export async function listRuns(
  database: Database,
  mapping: ResolvedMapping,
  { limit = LISTED, all = false }: RunsRequest,
): Promise<readonly Run[]> {
  return database.query<RunRow>(statements.lastRuns(mapping.ledger.table.quoted, limit, all));
}

/** One run, with what it found and did. @throws TrueupError `run_not_found`, `invalid_argument` */
export async function showRun(
  database: Database,
  mapping: ResolvedMapping,
  which: string,
): Promise<RunDetails> {
  const run = await findRun(database, mapping, which);
  const found = await database.query<FoundRow>(statements.foundByKind(run.runId));
  const largest = await database.query<RepairedRow>(statements.largestRepairs(run.runId, LARGEST));
  return { ...run, found, largest, open: await openOf(database, run.runId) };
}

/** Where there is nobody to be told. */
function whatInstead({ kind, state, runId }: RunRow): string {
  if (kind !== 'reconcile') return 'Only runs of trueup reconcile can be steered.';
  return state === 'finished'
    ? 'trueup runs lists the runs.'
    : `trueup reconcile --resume ${runId} goes on with it.`;
}

/** What a run can be told. */
export type Steering = 'pause' | 'resume' | 'stop';

const CONTROLS = { pause: 'pause', resume: 'run', stop: 'stop' } as const;

/**
 * Tells a run under way, on whatever host, to wait, to go on, or to end after its batch.
 *
 * @throws TrueupError `run_not_found`, `run_not_running`, `invalid_argument`
 */
export async function steerRun(
  database: Database,
  mapping: ResolvedMapping,
  request: { readonly run: string; readonly action: Steering },
): Promise<Run> {
  const run = await findRun(database, mapping, request.run, statements.lastSteerable);
  const told = await database.query(statements.steer(run.runId, CONTROLS[request.action]));
  if (told.length === 0) {
    throw new TrueupError(
      'run_not_running',
      run.kind === 'reconcile'
        ? `run ${run.runId} is not under way: it is ${run.state}`
        : `run ${run.runId} is of kind ${run.kind}`,
      { hint: `${whatInstead(run)} Nothing was changed.` },
    );
  }
  return findRun(database, mapping, run.runId);
}
