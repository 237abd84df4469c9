import { csvNumber, csvText } from '../../core/csv.js';
import type { WholeFile } from '../file.js';
import type { ReportFinding, ReportRun, ReportWriter } from './model.js';
import { TotalsCounter, type Totals } from './totals.js';

/** Reports for programs and spreadsheets: every finding, written as it is told. */

const COLUMNS = [
  ...[
    'state',
    'user_id',
    'wallet_id',
    'profile_id',
    'part',
    'field',
    'cached',
    'expected',
    'delta',
  ],
  ...['cause', 'message', 'at', 'run_id'],
];

/** CSV (RFC 4180) with a head; what a spreadsheet would run as a formula is text. */
export class CsvReport implements ReportWriter {
  readonly #file: WholeFile;
  readonly #runId: string;

  constructor(file: WholeFile, runId: string) {
    this.#file = file;
    this.#runId = runId;
  }

  begin(): void {
    this.#file.write(`${COLUMNS.join(',')}\r\n`);
  }

  add(finding: ReportFinding): void {
    const fields = [
      finding.state,
      csvNumber(finding.userId),
      csvNumber(finding.walletId),
      csvNumber(finding.profileId),
      finding.part ?? '',
      finding.field ?? '',
      csvNumber(finding.cached),
      csvNumber(finding.expected),
      csvNumber(finding.delta),
      finding.cause ?? '',
      csvText(finding.message),
      finding.at?.toISOString() ?? '',
      this.#runId,
    ];
    this.#file.write(`${fields.join(',')}\r\n`);
  }

  end(): void {
    // The last finding has ended with its line.
  }
}

/** One JSON object, a finding a line; the run and the totals stand behind the findings. */
export class JsonReport implements ReportWriter {
  readonly #file: WholeFile;
  readonly #counter = new TotalsCounter();
  #first = true;

  constructor(file: WholeFile) {
    this.#file = file;
  }

  begin(): void {
    this.#file.write('{"type":"report","version":1,"findings":[');
  }

  add(finding: ReportFinding): void {
    this.#counter.add(finding);
    const { evidence, ...others } = finding;
    const told = evidence === null ? others : finding;
    this.#file.write(`${this.#first ? '' : ','}\n${JSON.stringify(told)}`);
    this.#first = false;
  }

  end(run: ReportRun): void {
    const totals = totalsJson(this.#counter.totals);
    this.#file.write(`\n],"run":${JSON.stringify(run)},"totals":${JSON.stringify(totals)}}\n`);
  }
}

function totalsJson(totals: Totals): object {
  const { findings, parts, causes, corrected, sizes, unsized } = totals;
  return {
    findings,
    states: Object.fromEntries(totals.states),
    parts,
    causes,
    corrected,
    sizes: sizes.map(({ from, findings: ofSize }) => ({ from: String(from), findings: ofSize })),
    unsized,
  };
}
