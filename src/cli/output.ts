import { isRepairable, type Finding } from '../core/drift.js';
import { messageOf, TrueupError } from '../core/errors.js';
import type { ReconcileProblem, ReconcileSummary, ReconcileWarning } from '../index.js';
import { causePhrase } from './causes.js';

/** How results read: lines for people, JSON Lines for programs. Text out, nothing is printed here. */

/** Fields as people call them. */
export const FIELD_NAMES = {
  balance: 'balance',
  lifetimeEarnings: 'lifetime earnings',
  pendingBalance: 'pending balance',
  balanceAfter: 'balance after',
} as const;

/** `user 1  profile balance 0 -> 494  repaired  (entry 7 was missed)` */
export function findingLine(finding: Finding): string {
  const field = FIELD_NAMES[finding.field];
  const change = `${finding.cached ?? 'null'} -> ${finding.expected}`;
  const phrase = causePhrase(finding);
  const note = finding.repaired || !isLeftAlone(finding) ? phrase : `${phrase}: not repaired`;
  return (
    `${whose(finding)}  ${finding.part} ${field} ${change}` +
    `${finding.repaired ? '  repaired' : ''}${note === '' ? '' : `  (${note})`}`
  );
}

/** No run repairs these: there is no right value, or it is not a cache. */
function isLeftAlone({ cause, field }: Finding): boolean {
  return !isRepairable(cause, field);
}

function whose({ userId, walletId, profileId }: Finding): string {
  if (userId !== null) return `user ${userId}`;
  return walletId === null ? `profile ${profileId ?? 'null'}` : `wallet ${walletId}`;
}

/** One JSON line for a finding: ids and amounts are text. */
export function findingJson(finding: Finding): string {
  return JSON.stringify({ type: 'finding', ...finding });
}

/** One JSON line for a run; it is always the last. */
export function summaryJson(summary: ReconcileSummary): string {
  return JSON.stringify({ type: 'summary', ...summary });
}

/** One JSON line for a wallet that was left as it is. */
export function problemJson(problem: ReconcileProblem): string {
  return JSON.stringify(problem);
}

export function problemLine(problem: ReconcileProblem): string {
  const who = problem.userId === null ? '' : ` of user ${problem.userId}`;
  const what = problem.type === 'skip' ? 'skipped' : 'could not be repaired';
  return `wallet ${problem.walletId}${who} ${what}: ${problem.message}`;
}

/** The end of a run, in two lines. */
export function summaryLines(summary: ReconcileSummary): string {
  const counts = [
    `checked ${String(summary.checked)}`,
    `drifted ${String(summary.drifted)}`,
    `balance drifts ${String(summary.balanceDrifts)}`,
    `earnings drifts ${String(summary.earningsDrifts)}`,
    `findings ${String(summary.findings)}`,
    `repaired ${String(summary.repaired)}`,
    `skipped ${String(summary.skipped)}`,
    `errors ${String(summary.errors)}`,
    `seconds ${summary.seconds.toFixed(2)}`,
  ];
  return [counts.join('  '), verdict(summary), ...verifiedLines(summary)].join('\n');
}

/** How far the whole is verified, after a check of a part of it. */
function verifiedLines({ scope, oldestUnverified, dryRun }: ReconcileSummary): string[] {
  if (scope !== 'incremental') return [];
  if (oldestUnverified === null) {
    return dryRun ? [] : ['the ledger was never verified as a whole'];
  }
  return [`every wallet was verified within the last ${timeOf(oldestUnverified)}`];
}

function timeOf(seconds: number): string {
  if (seconds < 120) return `${String(Math.ceil(seconds))} s`;
  if (seconds < 7_200) return `${String(Math.ceil(seconds / 60))} min`;
  if (seconds < 172_800) return `${String(Math.ceil(seconds / 3_600))} h`;
  return `${(Math.ceil(seconds / 8_640) / 10).toFixed(1)} days`;
}

function verdict(summary: ReconcileSummary): string {
  const left = summary.findings - summary.repaired;
  const sentences = [
    ...(summary.drifted + summary.skipped === 0 ? ['nothing drifted'] : []),
    ...(summary.repaired > 0 && left === 0 ? ['all that drifted was repaired'] : []),
    ...(!summary.dryRun && left > 0 ? [`${String(left)} findings could not be repaired`] : []),
    ...(summary.skipped > 0 ? ['some wallets were locked and left as they are: run again'] : []),
    ...(summary.dryRun ? ['dry run: nothing was changed'] : []),
    ...(summary.incomplete === 'limit' ? ['incomplete: the limit was reached'] : []),
    ...(summary.incomplete === 'interrupted' ? ['incomplete: interrupted'] : []),
    ...(summary.incomplete === 'stopped' ? ['incomplete: told to stop'] : []),
    ...(summary.incomplete === 'run_time' ? ['incomplete: its time was over'] : []),
    ...(summary.rail === null ? [] : [`stopped before the first repair: ${summary.rail.message}`]),
  ];
  return sentences.join('; ');
}

/**
 * How a run that has not done everything goes on; undefined where there is nothing to go on with.
 *
 * @param config the mapping file that was named
 */
export function nextCommand(
  summary: ReconcileSummary,
  config: string | undefined,
): string | undefined {
  if (summary.dryRun || summary.incomplete === null) return undefined;
  const named = config === undefined ? '' : ` --config ${quoted(config)}`;
  if (summary.rail !== null) {
    return `To repair all the same (see first what drifted, with --dry-run):\n  ${summary.rail.override}${named}`;
  }
  return `It goes on where it stopped with:\n  trueup reconcile --resume ${summary.runId}${named}`;
}

/** As a shell takes it for one word. */
function quoted(word: string): string {
  return /^[\w./:@-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** Something that a person should know of, and that the run goes on with. */
export function warningLine({ code, message, hint }: ReconcileWarning): string {
  return `warning: ${message} [${code}]${hint === undefined ? '' : `\n  ${hint}`}`;
}

/** An error as a person reads it on stderr: what happened, its code, what to do. */
export function errorLines(error: unknown): string {
  if (!(error instanceof TrueupError)) return `trueup: ${messageOf(error)}`;
  const hint = error.hint === undefined ? '' : `\n  ${error.hint}`;
  return `trueup: ${error.message} [${error.code}]${hint}`;
}
