import type { Database } from '../../postgres/database.js';
import * as statements from './run-statements.js';

/** One thing that a run found and that nobody has settled: it was not repaired, and no later run has looked. */
export type OpenFinding = statements.OpenRow;

/** What a run has left open. */
export interface OpenOfRun extends statements.OpenCountRow {
  /** Those below zero first, then the largest differences; 1,000 at most. */
  readonly findings: readonly OpenFinding[];
}

/** The report of a run has all of them. */
export const MOST_OPEN = 1_000;

/** What a run has left open by now. */
export async function openOf(database: Database, runId: string): Promise<OpenOfRun> {
  const [count] = await database.query<statements.OpenCountRow>(statements.countOpen(runId));
  const { total = 0, review = 0 } = count ?? {};
  if (total === 0) return { total, review, findings: [] };
  const findings = await database.query<OpenFinding>(statements.openFindings(runId, MOST_OPEN));
  return { total, review, findings };
}
