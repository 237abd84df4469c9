import { TrueupError } from '../../core/errors.js';
import type { ResolvedMapping } from '../../mapping/model.js';
import type { Database, Queryable } from '../../postgres/database.js';
import { toCounts } from '../status/read.js';
import { openReport } from './open.js';
import type { ReportFinding, ReportRun } from './model.js';
import * as statements from './report-statements.js';

/** Rows that are read at a time. */
const PAGE = 5_000;

const READING = {
  readOnly: true,
  settings: { transaction_isolation: 'repeatable read' },
} as const;

const UUID = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i;

/**
 * Writes the report of a run from its record: all of one moment, in a fixed amount of memory.
 *
 * @param which the id of a run, or `last`
 * @throws TrueupError `run_not_found`, `file_unwritable`, `invalid_argument` (no extension that is known),
 *   `permission_denied`
 */
export async function writeRecordedReport(
  database: Database,
  mapping: ResolvedMapping,
  { run: which, file }: { readonly run: string; readonly file: string },
): Promise<ReportRun> {
  return database.transaction(async (session) => {
    const run = await findRun(session, mapping, which);
    const report = openReport(file, run.runId);
    try {
      await session.query(statements.declareFindings(run.runId));
      for (;;) {
        const rows = await session.query<statements.FindingRow>(statements.fetchFindings(PAGE));
        for (const row of rows) report.add(row as ReportFinding);
        if (rows.length < PAGE) break;
      }
      report.complete(run);
      return run;
    } finally {
      report.abandon();
    }
  }, READING);
}

async function findRun(
  session: Queryable,
  mapping: ResolvedMapping,
  which: string,
): Promise<ReportRun> {
  const ledger = mapping.ledger.table.quoted;
  const last = which === 'last';
  const [row] =
    last || UUID.test(which)
      ? await session.query<statements.RunRow>(statements.run(ledger, last ? undefined : which))
      : [];
  if (row === undefined) {
    const what = last
      ? `no run of ${ledger} is on record`
      : `there is no run ${which} of ${ledger}`;
    throw new TrueupError('run_not_found', what, {
      hint: 'Give the id that the run has printed. A dry run leaves no record: give it --report itself.',
    });
  }
  return {
    ...row,
    dryRun: false,
    state: row.state as ReportRun['state'],
    counts: toCounts(row.counts),
  };
}
