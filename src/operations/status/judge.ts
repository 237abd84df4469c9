import { EXIT, type ExitStatus } from '../../core/exit.js';
import { ageWords, count, coinsWords, shellWord } from '../words.js';
import type { Status, StatusProblem, StatusRun } from './model.js';

/** What is amiss with a ledger, from what is on record. Pure. */

const RECONCILE = 'trueup reconcile --all';

/** The gravest first, as everywhere: error, rail, drift, incomplete. */
const PRECEDENCE: readonly ExitStatus[] = [EXIT.error, EXIT.rail, EXIT.drift, EXIT.incomplete];

/** Everything of a status but the verdict. */
export type Facts = Omit<Status, 'exitStatus' | 'problems'> & {
  /** Findings that the last run left, and that are not on record one by one. */
  readonly unrecorded: number;
  /** Whose findings are critical, and whose no run can repair; null: there are none. */
  readonly critical: Whose | null;
  readonly unrepairable: Whose | null;
};

/** One wallet, or the newest run of those that have left such findings. */
export interface Whose {
  readonly walletId: string | null;
  readonly runId: string;
}

/** States of findings that no run repairs. */
export const UNREPAIRABLE: readonly string[] = ['reported', 'failed'];

/** @returns the problems, the gravest first, and the status that follows */
export function judge(facts: Facts): Pick<Status, 'exitStatus' | 'problems'> {
  const problems = [...ofLastRun(facts.lastRun), ...ofFindings(facts), ...ofAge(facts)].sort(
    (one, other) => place(one) - place(other),
  );
  return { exitStatus: problems[0]?.exitStatus ?? EXIT.ok, problems };
}

function place({ exitStatus }: StatusProblem): number {
  return PRECEDENCE.indexOf(exitStatus);
}

function ofLastRun(run: StatusRun | null): StatusProblem[] {
  if (run === null) return [];
  const because = run.error === null ? '' : `: ${run.error}`;
  const more = `trueup report ${run.runId} report.html`;
  if (run.state === 'failed') {
    return [problem(EXIT.error, `the last run failed${because}`, RECONCILE)];
  }
  if (run.state === 'stopped' || run.exitStatus === EXIT.rail) {
    return [
      problem(
        EXIT.rail,
        `a safety rail stopped the last run before its first write${because}`,
        afterRail(run),
      ),
    ];
  }
  if (run.exitStatus === EXIT.error) {
    const refused = count(run.counts?.errors ?? 0, 'wallet');
    return [
      problem(EXIT.error, `the database refused the repair of ${refused} in the last run`, more),
    ];
  }
  const resume = `trueup reconcile --resume ${run.runId}`;
  if (run.state === 'abandoned') {
    return [
      problem(EXIT.incomplete, 'the last run ended without a word: its process is gone', resume),
    ];
  }
  if (run.state === 'interrupted') {
    return [problem(EXIT.incomplete, `the last run was interrupted${because}`, resume)];
  }
  return run.exitStatus === EXIT.incomplete ? [incomplete(run)] : [];
}

/** First what drifted: wallet by wallet from the record, cache by cache from a dry run. */
function afterRail({ runId, scope, override }: StatusRun): string {
  const which = scope === 'incremental' ? '--since-checkpoint' : '--all';
  const look =
    `see what drifted: trueup report ${runId} report.html lists the wallets, ` +
    `trueup reconcile ${which} --dry-run every cache`;
  return override === null ? look : `${look}; where that is right: ${override}`;
}

function incomplete({ counts }: StatusRun): StatusProblem {
  const skipped = counts?.skipped ?? 0;
  const what =
    skipped > 0
      ? `the last run skipped ${count(skipped, 'wallet')} that others held locked`
      : `the last run did not look at every wallet (${counts?.incomplete ?? 'incomplete'})`;
  return problem(EXIT.incomplete, what, RECONCILE);
}

function ofFindings(facts: Facts): StatusProblem[] {
  const { open, review, unrecorded, lastRun } = facts;
  const left = open.filter(({ state }) => UNREPAIRABLE.includes(state));
  const critical = open.filter(({ state }) => state === 'critical');
  const undone = open.filter(({ state }) => state === 'undone');
  const run = review.runs[0] ?? 'RUN';
  const total = (of: Facts['open']): number => of.reduce((sum, one) => sum + one.findings, 0);
  return [
    ...(critical.length === 0
      ? []
      : [
          problem(
            EXIT.drift,
            `CRITICAL: ${count(total(critical), 'wallet')} with entries that sum up to less than zero without overdraft`,
            explain(facts.critical),
          ),
        ]),
    ...(left.length === 0
      ? []
      : [
          problem(
            EXIT.drift,
            `${count(total(left), 'finding')} could not be repaired`,
            explain(facts.unrepairable),
          ),
        ]),
    ...(undone.length === 0
      ? []
      : [
          problem(
            EXIT.drift,
            `an undo has left ${count(total(undone), 'cache')} that the ledger disagrees with`,
            RECONCILE,
          ),
        ]),
    ...(review.findings === 0
      ? []
      : [
          problem(
            EXIT.drift,
            `waiting for approval by a person: ${count(review.findings, 'finding')} of ${coinsWords(review.coins)} in all`,
            `trueup runs show ${run}, then trueup runs approve ${run} --all (or --wallet-id ID)`,
          ),
        ]),
    ...(unrecorded === 0 || lastRun === null
      ? []
      : [
          problem(
            EXIT.drift,
            `the last run left ${count(unrecorded, 'finding')} unrepaired`,
            RECONCILE,
          ),
        ]),
  ];
}

/** The story of the one wallet, or the run that lists them. */
function explain(whose: Whose | null): string {
  if (whose === null) return 'trueup runs';
  const { walletId, runId } = whose;
  return walletId === null
    ? `trueup runs show ${runId}, then trueup explain --wallet-id ID`
    : `trueup explain --wallet-id ${shellWord(walletId)}`;
}

function ofAge({ lastSuccess, maxAge, underWay }: Facts): StatusProblem[] {
  const meanwhile = underWay === null ? '' : '; a run is under way';
  if (lastSuccess === null) {
    return [problem(EXIT.incomplete, `no complete check is on record${meanwhile}`, RECONCILE)];
  }
  if (lastSuccess.age <= maxAge) return [];
  const what = `the last complete check is ${ageWords(lastSuccess.age)} old, more than ${ageWords(maxAge)}`;
  return [problem(EXIT.incomplete, `${what}${meanwhile}`, RECONCILE)];
}

function problem(exitStatus: ExitStatus, what: string, remedy: string | null): StatusProblem {
  return { exitStatus, what, remedy };
}
