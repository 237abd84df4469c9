import type { Field, Part } from '../../core/comparison.js';
import type { Cause, Evidence } from '../../core/evidence.js';
import type { RecordedState } from '../../reconcile/record-statements.js';
import type { RunCounts, RunState } from '../status/model.js';

/** A report is about one run: what was checked, what was found, and what became of it. */

/** About the run as a whole. */
export interface ReportRun {
  readonly runId: string;
  readonly kind: string;
  readonly ledger: string;
  readonly database: string;
  /** Nothing was changed, and nothing but this report is on record. */
  readonly dryRun: boolean;
  readonly state: RunState;
  readonly startedAt: Date;
  /** null: it has not ended. */
  readonly finishedAt: Date | null;
  readonly startedBy: string;
  readonly host: string | null;
  readonly unattended: boolean;
  readonly version: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly exitStatus: number | null;
  /** Why it failed, or was stopped. */
  readonly error: string | null;
  /** null: it ended without a word. */
  readonly counts: RunCounts | null;
}

/**
 * What became of a finding. `found`: a dry run saw what a run would repair. `reported`: there is no right
 * value to write. The others as in `trueup.findings`.
 */
export type FindingState = 'repaired' | 'found' | RecordedState;

/** One drifted cache; of a skipped or refused wallet only its ids and the reason are known. */
export interface ReportFinding {
  readonly state: FindingState;
  readonly userId: string | null;
  readonly walletId: string | null;
  readonly profileId: string | null;
  readonly part: Part | null;
  readonly field: Field | null;
  readonly cached: string | null;
  readonly expected: string | null;
  /** In coins; null where it is no number. */
  readonly delta: string | null;
  readonly cause: Cause | null;
  /** Known of what a run has just seen; not kept with repairs. */
  readonly evidence: Evidence | null;
  readonly message: string | null;
  /** When it was found, or repaired; null: told by a run under way. */
  readonly at: Date | null;
}

/** What writes a report: told every finding, and at the end the run. */
export interface ReportWriter {
  /** Before the first finding: what is known of the run by then. */
  begin(): void;
  add(finding: ReportFinding): void;
  end(run: ReportRun): void;
}

/** The kinds of files, by their extension. */
export const FORMATS = ['html', 'csv', 'json'] as const;
export type ReportFormat = (typeof FORMATS)[number];

/** The format that a file's name asks for; undefined for any other name. */
export function formatOf(file: string): ReportFormat | undefined {
  const [, extension] = /[^/\\]\.([a-z]+)$/i.exec(file) ?? [];
  return FORMATS.find((format) => format === extension?.toLowerCase());
}
