import { read, readText, shape } from '../core/arguments.js';
import { applyPlan } from '../operations/plan/apply.js';
import {
  checkApplyOptions,
  type ApplyOptions,
  type ApplySummary,
} from '../operations/plan/apply-model.js';
import { writeRecordedReport } from '../operations/report/recorded.js';
import type { ReportRun } from '../operations/report/model.js';
import { metricsText } from '../operations/status/metrics.js';
import type { Status, StatusOptions } from '../operations/status/model.js';
import { readStatus } from '../operations/status/read.js';
import { Runs } from './runs.js';
import type { ReadSource } from './reads.js';

/** Which run a report is about, and where it goes. */
export interface ReportRequest {
  /** The id of a run, the first characters of it (four at least), or `last`. */
  readonly run: string;
  /** `.html`, `.csv` or `.json`. */
  readonly file: string;
}

const REPORT = shape<ReportRequest>('a report', { run: readText, file: readText }, ['run', 'file']);

/** What keeps an eye on runs: the health of a ledger, what runs found, and what people do about it. */
export abstract class Health<Events extends Record<keyof Events, unknown[]>> extends Runs<Events> {
  /**
   * Tells how the ledger is: the last run and the last complete check, what is verified, what is open or
   * waits, what is under way, and an exit status for monitors. It reads Trueup's records alone, so it
   * costs next to nothing. Ages are in seconds, by the clock of the database.
   *
   * @throws TrueupError also `invalid_argument`, `permission_denied` (the hint is the GRANT),
   *   `schema_missing`
   */
  status(options: StatusOptions = {}): Promise<Status> {
    return this.ask(({ database, mapping }) => readStatus(database, mapping, options));
  }

  /**
   * The same as metrics in the text format of Prometheus, for a scrape.
   *
   * @throws TrueupError as {@link status}
   */
  async metrics(options: StatusOptions = {}): Promise<string> {
    return metricsText(await this.status(options));
  }

  /**
   * Writes the report of a run from its record, as a whole or not at all: a page for people, or every
   * finding as CSV or JSON.
   *
   * @returns the run
   * @throws TrueupError also `run_not_found`, `file_unwritable`, `invalid_argument`
   */
  writeReport(request: ReportRequest): Promise<ReportRun> {
    return this.ask(async ({ database, mapping }) =>
      writeRecordedReport(database, mapping, read(REPORT, request)),
    );
  }

  /**
   * Repairs what a plan of `reconcile({ plan })` says: each wallet is locked and compared again, and is
   * written only where it is exactly as planned. What has changed since is left and told.
   *
   * @throws TrueupError also `file_unreadable`, `plan_invalid`, `plan_truncated`, `plan_altered`,
   *   `plan_foreign`, `invalid_argument`
   */
  async applyPlan(options: ApplyOptions): Promise<ApplySummary> {
    const checked = checkApplyOptions(options);
    const work = ({ database, mapping }: ReadSource): Promise<ApplySummary> =>
      applyPlan(database, mapping, checked);
    return checked.dryRun ? this.ask(work) : this.change(work);
  }
}
