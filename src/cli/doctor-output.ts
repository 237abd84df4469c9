import type { DoctorFinding, DoctorReport, Level } from '../index.js';

/** How what doctor found reads: lines for people, JSON Lines for programs. Nothing is printed here. */

/** One JSON line for a finding. */
export function doctorFindingJson(finding: DoctorFinding): string {
  return JSON.stringify({ type: 'check', ...finding });
}

/** One JSON line for the whole; it is always the last. */
export function doctorSummaryJson(report: DoctorReport): string {
  const { ledger, exitStatus } = report;
  return JSON.stringify({ type: 'summary', ledger, ...counts(report), exitStatus });
}

function counts({ findings }: DoctorReport): Record<Level, number> {
  const tally: Record<Level, number> = { ok: 0, info: 0, warning: 0, error: 0, unknown: 0 };
  for (const { level } of findings) tally[level] += 1;
  return tally;
}

/**
 * The report for people. Where columns are given (a terminal), why and the remedy stand on lines of
 * their own below what was found; else each finding is one line, for grep and mails.
 */
export function doctorLines(report: DoctorReport, onTerminal: boolean): string[] {
  const width = Math.max(...report.findings.map(({ id }) => id.length));
  const indent = ' '.repeat(LEVEL_WIDTH + width + 4);
  return [
    ...report.findings.flatMap((finding) => {
      const head = `${finding.level.padEnd(LEVEL_WIDTH)}  ${finding.id.padEnd(width)}  ${finding.what}`;
      if (finding.level === 'ok') return [head];
      const rest = [
        `why: ${finding.why}`,
        ...(finding.remedy === null ? [] : [`mend: ${finding.remedy}`]),
      ];
      return onTerminal
        ? [head, ...rest.map((line) => indent + line)]
        : [[head, ...rest].join('  |  ')];
    }),
    summaryLine(report),
  ];
}

const LEVEL_WIDTH = 'warning'.length;

function summaryLine(report: DoctorReport): string {
  const tally = counts(report);
  const parts = [
    `ok ${String(tally.ok)}`,
    `info ${String(tally.info)}`,
    `warnings ${String(tally.warning)}`,
    `errors ${String(tally.error)}`,
    `not checked ${String(tally.unknown)}`,
  ];
  return `${report.ledger ?? 'no ledger'}: ${parts.join('  ')}`;
}
