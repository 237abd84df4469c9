import type { ResolvedMapping } from '../../mapping/model.js';
import type { Database, Queryable } from '../../postgres/database.js';
import { toCounts } from '../status/read.js';
import { findRun } from '../runs/find.js';
import { openReport } from './open.js';
import type { ReportFinding, ReportRun } from './model.js';
import * as statements from './report-statements.js';

/** Rows that are read at a time. */
const PAGE = 5_000;

const READING = {
  readOnly: true,
  settings: { transaction_isolation: 'repeatable read' },
} as const;

/**
 * Writes the report of a run from its record: all of one moment, in a fixed amount of memory.
 *
 * @param run its id, the first characters of it, or `last`
 * @throws TrueupError `run_not_found`, `file_unwritable`, `invalid_argument` (no extension that is known),
 *   `permission_denied`
 */
export async function writeRecordedReport(
  database: Database,
  mapping: ResolvedMapping,
  { run: which, file }: { readonly run: string; readonly file: string },
): Promise<ReportRun> {
  return database.transaction(async (session) => {
    const run = await readRun(session, mapping, which);
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

async function readRun(
  session: Queryable,
  mapping: ResolvedMapping,
  which: string,
): Promise<ReportRun> {
  const { runId } = await findRun(session, mapping, which);
  const [row] = await session.query<statements.RunRow>(statements.run(runId));
  if (row === undefined) throw new Error('a run that was found in this snapshot is there');
  return {
    ...row,
    dryRun: false,
    state: row.state as ReportRun['state'],
    counts: toCounts(row.counts),
  };
}
