import { isRepairable, type Finding } from '../core/drift.js';
import { messageOf, TrueupError } from '../core/errors.js';
import { causePhrase, FIELD_NAMES, UNKNOWN_ADVICE } from '../core/phrases.js';
import { count as countWords, shellWord } from '../operations/words.js';
import type {
  ReconcilePause,
  ReconcileProblem,
  ReconcileSummary,
  ReconcileWarning,
} from '../index.js';

/** How results read: lines for people, JSON Lines for programs. Text out, nothing is printed here. */

/** `user 1  profile balance 0 -> 494  repaired  (entry 7 was missed)` */
export function findingLine(finding: Finding): string {
  const field = FIELD_NAMES[finding.field];
  const change = `${finding.cached ?? 'null'} -> ${finding.expected}`;
  const phrase = causePhrase(finding);
  const note =
    finding.state === 'review'
      ? `${phrase}: waits for approval`
      : finding.repaired || !isLeftAlone(finding)
        ? phrase
        : `${phrase}: not repaired`;
  return (
    `${whose(finding)}  ${finding.part} ${field} ${change}` +
    `${finding.repaired ? '  repaired' : ''}  (${note})`
  );
}

/** The same, one after the other; below the first whose cause is unknown stands what to do. */
export function findingLines(): (finding: Finding) => string {
  let advised = false;
  return (finding) => {
    const line = findingLine(finding);
    if (advised || finding.cause !== 'unknown') return line;
    advised = true;
    return `${line}\n  ${UNKNOWN_ADVICE}`;
  };
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
  const what = { skip: 'skipped', error: 'could not be repaired', critical: 'is critical' }[
    problem.type
  ];
  return `wallet ${problem.walletId}${who} ${what}: ${problem.message}`;
}

/** The end of a run, in two lines. */
export function summaryLines(summary: ReconcileSummary): string {
  // A run that a rail stops has only seen who drifted: which caches, and why, a dry run tells.
  const unexplained = summary.incomplete === 'rail' && summary.findings === 0;
  const counts = [
    `checked ${String(summary.checked)}`,
    `drifted ${String(summary.drifted)}`,
    ...(unexplained
      ? []
      : [
          `balance drifts ${String(summary.balanceDrifts)}`,
          `earnings drifts ${String(summary.earningsDrifts)}`,
          `findings ${String(summary.findings)}`,
        ]),
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
  const left = summary.findings - summary.repaired - summary.review;
  const soFar = summary.incomplete === null ? '' : ' so far';
  const sentences = [
    ...(summary.drifted + summary.skipped === 0 ? [`nothing drifted${soFar}`] : []),
    ...(summary.repaired > 0 && left + summary.review === 0 && summary.rail === null
      ? [`all that ${soFar === '' ? 'drifted' : 'was found so far'} was repaired`]
      : []),
    ...(!summary.dryRun && left > 0
      ? [`${countWords(left, 'finding')} could not be repaired`]
      : []),
    ...reviewSentence(summary),
    ...(summary.critical > 0 ? [`wallets below zero: ${String(summary.critical)}`] : []),
    ...(summary.skipped > 0 ? ['some wallets were locked and left as they are: run again'] : []),
    ...(summary.dryRun ? ['dry run: nothing was changed'] : []),
    ...(summary.incomplete === 'limit' ? ['incomplete: the limit was reached'] : []),
    ...(summary.incomplete === 'interrupted' ? ['incomplete: interrupted'] : []),
    ...(summary.incomplete === 'stopped' ? ['incomplete: told to stop'] : []),
    ...(summary.incomplete === 'run_time' ? ['incomplete: its time was over'] : []),
    ...railSentence(summary),
  ];
  return sentences.join('; ');
}

function reviewSentence({ review, dryRun, runId }: ReconcileSummary): string[] {
  if (review === 0) return [];
  const findings = countWords(review, 'finding');
  if (dryRun) return [`${findings} would wait for approval`];
  return [
    `${findings} ${review === 1 ? 'waits' : 'wait'} for approval (trueup runs approve ${runId})`,
  ];
}

function railSentence({ rail, dryRun, repaired }: ReconcileSummary): string[] {
  if (rail === null) return [];
  const when = `before ${repaired === 0 ? 'the first' : 'any further'} repair: ${rail.message}`;
  return [dryRun ? `a run would stop ${when}` : `stopped ${when}`];
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
  const named = config === undefined ? '' : ` --config ${shellWord(config)}`;
  if (summary.rail !== null) {
    return `To repair all the same (see first what drifted, with --dry-run):\n  ${summary.rail.override}${named}`;
  }
  return `It goes on where it stopped with:\n  trueup reconcile --resume ${summary.runId}${named}`;
}

/**
 * Says that a run waits, and why: each kind of reason once, since a busy server may stop it before
 * every batch. What a person tells it is said each time.
 */
export function waitingLines(): (pause: ReconcilePause) => string | undefined {
  const said = new Set<string>();
  return ({ kind, reason }) => {
    if (kind === null || reason === null || (kind !== 'told' && said.has(kind))) return undefined;
    said.add(kind);
    return `waiting: ${reason}`;
  };
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
