import type { Tally } from './drift.js';

/** Exit statuses of every command, and of reconcile in particular. */
export const EXIT = {
  ok: 0,
  error: 1,
  drift: 2,
  incomplete: 3,
  rail: 4,
  usage: 64,
} as const;

/** One of {@link EXIT}. */
export type ExitStatus = (typeof EXIT)[keyof typeof EXIT];

/**
 * The exit status of a run of reconcile. Precedence: an error, a safety rail, drift that is still
 * there (or a wallet below zero), an incomplete run, in sync.
 *
 * @param run.incomplete a limit or an interruption kept the run from looking at every wallet
 * @param run.rail a safety rail stopped it before its first repair
 * @param run.failOnDrift drift is reported by status 2 even where all of it was repaired
 */
export function exitStatusOf(
  tally: Tally,
  run: {
    readonly incomplete: boolean;
    readonly failOnDrift: boolean;
    readonly rail?: boolean;
  },
): ExitStatus {
  if (tally.errors > 0) return EXIT.error;
  if (run.rail === true) return EXIT.rail;
  if (tally.findings > tally.repaired || tally.critical > 0) return EXIT.drift;
  if (run.failOnDrift && tally.findings > 0) return EXIT.drift;
  if (run.incomplete || tally.skipped > 0) return EXIT.incomplete;
  return EXIT.ok;
}
