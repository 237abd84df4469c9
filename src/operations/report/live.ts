import { hostname } from 'node:os';
import { isRepairable, type Finding } from '../../core/drift.js';
import { TrueupError } from '../../core/errors.js';
import type { ResolvedMapping } from '../../mapping/model.js';
import type { Database } from '../../postgres/database.js';
import type { CheckedOptions, ReconcileProblem } from '../../reconcile/options.js';
import { asRecorded } from '../../reconcile/recorded-options.js';
import type { ReconcileSummary } from '../../reconcile/summary.js';
import { VERSION } from '../../version.js';
import { WholeFile } from '../file.js';
import type { ReportFinding, ReportRun } from './model.js';
import { openReport, refuseName, type OpenReport } from './open.js';
import { writeRecordedReport } from './recorded.js';
import * as statements from './report-statements.js';

/** The report of a run that is about to begin. */
export interface LiveReport {
  found(finding: Finding): void;
  problem(problem: ReconcileProblem): void;
  /** Writes it once the run has ended. */
  complete(summary: ReconcileSummary): Promise<void>;
  abandon(): void;
}

interface Source {
  readonly database: Database;
  readonly mapping: ResolvedMapping;
}

/**
 * Begins it before the run does, so that a file that cannot be written stops nobody half-way.
 *
 * @throws TrueupError `invalid_argument`, `file_unwritable`
 */
export async function liveReport(
  source: Source,
  path: string,
  options: CheckedOptions,
): Promise<LiveReport> {
  return options.dryRun ? ofDryRun(source, path, options) : ofRecord(source, path);
}

/** A dry run leaves no record, so its findings are written as they are told. */
async function ofDryRun(
  { database, mapping }: Source,
  path: string,
  options: CheckedOptions,
): Promise<LiveReport> {
  const report: OpenReport = openReport(path, '');
  let begun: statements.HereRow;
  try {
    begun = await here(database);
  } catch (error) {
    report.abandon();
    throw error;
  }
  return {
    found: (finding) => {
      report.add(toReportFinding(finding));
    },
    problem: (problem) => {
      report.add({
        ...NOTHING,
        ...idsOf(problem),
        state: stateOf(problem),
        message: problem.message,
      });
    },
    complete: async (summary) => {
      const run: ReportRun = {
        ...{ runId: summary.runId, kind: 'reconcile', ledger: mapping.ledger.table.quoted },
        ...{ database: begun.database, startedBy: begun.startedBy, startedAt: begun.at },
        finishedAt: (await here(database)).at,
        state: summary.incomplete === 'interrupted' ? 'interrupted' : 'finished',
        ...{ dryRun: true, unattended: options.unattended ?? false, host: hostname() },
        ...{ version: VERSION, options: asRecorded(options), error: null },
        ...{ exitStatus: summary.exitStatus, counts: summary },
      };
      report.complete(run);
    },
    abandon: () => {
      report.abandon();
    },
  };
}

async function here(database: Database): Promise<statements.HereRow> {
  const [row] = await database.query<statements.HereRow>(statements.here);
  if (row === undefined) throw new Error('a statement that always gives a row gave none');
  return row;
}

/** The record knows more than this process: what was repaired before the run was resumed. */
export function ofRecord(
  { database, mapping }: Source,
  path: string,
): LiveReport & { complete(summary: Pick<ReconcileSummary, 'runId'>): Promise<void> } {
  refuseName(path);
  WholeFile.begin(path).abandon();
  return {
    found: () => undefined,
    problem: () => undefined,
    complete: async ({ runId }: Pick<ReconcileSummary, 'runId'>) => {
      try {
        await writeRecordedReport(database, mapping, { run: runId, file: path });
      } catch (error) {
        if (!(error instanceof TrueupError)) throw error;
        throw new TrueupError(
          error.code,
          `run ${runId} is done and on record, but its report could not be written: ${error.message}`,
          { hint: `Write it once more: trueup report ${runId} ${path}`, cause: error },
        );
      }
    },
    abandon: () => undefined,
  };
}

const NOTHING = {
  ...{ part: null, field: null, cached: null, expected: null, delta: null, profileId: null },
  ...{ cause: null, evidence: null, at: null },
} as const;

function idsOf({ walletId, userId }: ReconcileProblem): Pick<ReportFinding, 'walletId' | 'userId'> {
  return { walletId, userId };
}

const STATES = { skip: 'skipped', error: 'failed', critical: 'critical' } as const;

function stateOf({ type }: ReconcileProblem): ReportFinding['state'] {
  return STATES[type];
}

function toReportFinding({ repaired, state, ...finding }: Finding): ReportFinding {
  const left = state ?? (isRepairable(finding.cause, finding.field) ? 'found' : 'reported');
  return { ...finding, state: repaired ? 'repaired' : left, message: null, at: null };
}
