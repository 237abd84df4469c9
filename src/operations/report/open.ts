import { TrueupError } from '../../core/errors.js';
import { WholeFile } from '../file.js';
import { HtmlReport } from './page.js';
import {
  FORMATS,
  formatOf,
  type ReportFinding,
  type ReportFormat,
  type ReportRun,
} from './model.js';
import type { ReportWriter } from './model.js';
import { CsvReport, JsonReport } from './tables.js';

/** A report that is being written. */
export interface OpenReport {
  add(finding: ReportFinding): void;
  /** Puts the file into its place. */
  complete(run: ReportRun): void;
  /** Leaves what was there before; nothing after {@link complete}. */
  abandon(): void;
}

const WRITERS: Readonly<Record<ReportFormat, (file: WholeFile, runId: string) => ReportWriter>> = {
  html: (file) => new HtmlReport(file),
  csv: (file, runId) => new CsvReport(file, runId),
  json: (file) => new JsonReport(file),
};

/**
 * Begins a report in the format that the file's name asks for.
 *
 * @throws TrueupError `invalid_argument`, `file_unwritable`
 */
export function openReport(path: string, runId: string): OpenReport {
  const format = refuseName(path);
  const file = WholeFile.begin(path);
  const writer = WRITERS[format](file, runId);
  writer.begin();
  return {
    add: (finding) => {
      writer.add(finding);
    },
    complete: (run) => {
      writer.end(run);
      file.complete();
    },
    abandon: () => {
      file.abandon();
    },
  };
}

/** @returns the format. @throws TrueupError `invalid_argument`: the name asks for none that is known */
export function refuseName(path: string): ReportFormat {
  const format = formatOf(path);
  if (format !== undefined) return format;
  throw new TrueupError('invalid_argument', `${path} is no name of a report`, {
    hint: `Let it end with ${FORMATS.map((one) => `.${one}`).join(', ')}.`,
  });
}
