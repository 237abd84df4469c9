import { read, readFlag, readText, readWhole, shape, wrong } from '../../core/arguments.js';
import type { Finding, Tally } from '../../core/drift.js';
import type { ExitStatus } from '../../core/exit.js';
import {
  readFunction,
  readPart,
  readPositiveCoins,
  readSignal,
  type ReconcileProblem,
  type ReconcileProgress,
} from '../../reconcile/options.js';
import type { Verdict } from '../../reconcile/rails.js';

/** What a plan is applied with. The rails are held against the whole plan, before the first repair. */
export interface ApplyOptions {
  /** The plan that `reconcile` has written. */
  readonly file: string;
  /** Only tell what would be repaired, and what has changed since; nothing is written. */
  readonly dryRun?: boolean | undefined;
  /** Stop before the first repair where the plan has more wallets to repair than this. */
  readonly maxRepairs?: number | undefined;
  /** The same as a part of the wallets that the plan looked at, 0 to 1. */
  readonly maxRepairRatio?: number | undefined;
  /** Stop before the first repair where a cache would be changed by more coins than this. */
  readonly maxDelta?: bigint | number | string | undefined;
  /** Nobody watches: repair 5% of the wallets at most, or 100, unless maxRepairRatio says otherwise. */
  readonly unattended?: boolean | undefined;
  /** Writes a report of it into this file: `.html`, `.csv` or `.json`; not of a dry run. */
  readonly report?: string | undefined;
  /** Exit status 2 for drift even where all of it was repaired. */
  readonly failOnDrift?: boolean | undefined;
  /** Stops after the batch under way. */
  readonly signal?: AbortSignal | undefined;
  readonly onFinding?: ((finding: Finding) => void) | undefined;
  /** A wallet that was left: code `changed` where it is not as planned, `locked`, or an error's. */
  readonly onProblem?: ((problem: ReconcileProblem) => void) | undefined;
  readonly onProgress?: ((progress: ReconcileProgress) => void) | undefined;
}

/** What became of a plan. Every count is of this run. */
export interface ApplySummary extends Tally {
  /** Of a dry run nothing is on record under it. */
  readonly runId: string;
  readonly dryRun: boolean;
  /** Lines of the plan: wallets, and profiles without one. */
  readonly planned: number;
  /** Wallets that were left because they are not as planned any more. */
  readonly changed: number;
  /** Wallets of which nothing is wrong by now: they need no repair, as after an earlier run by this plan. */
  readonly inSync: number;
  readonly seconds: number;
  readonly incomplete: 'interrupted' | 'rail' | null;
  readonly rail: Verdict | null;
  readonly exitStatus: ExitStatus;
}

const APPLY = shape<ApplyOptions>(
  'the options of applyPlan',
  {
    file: readText,
    dryRun: readFlag,
    maxRepairs: readWhole(0, Number.MAX_SAFE_INTEGER),
    maxRepairRatio: readPart,
    maxDelta: readPositiveCoins,
    unattended: readFlag,
    report: readText,
    failOnDrift: readFlag,
    signal: readSignal,
    onFinding: readFunction,
    onProblem: readFunction,
    onProgress: readFunction,
  },
  ['file'],
);

/** The options as they are worked with. */
export interface CheckedApplyOptions extends Omit<ApplyOptions, 'maxDelta'> {
  readonly dryRun: boolean;
  readonly maxDelta?: bigint | undefined;
}

/** @throws TrueupError `invalid_argument` */
export function checkApplyOptions(given: ApplyOptions): CheckedApplyOptions {
  const { maxDelta, ...others } = read(APPLY, given);
  if (others.dryRun === true && others.report !== undefined) {
    throw wrong('a report of an applied plan is made from its record, and a dry run leaves none');
  }
  return {
    ...others,
    dryRun: others.dryRun ?? false,
    ...(maxDelta === undefined ? {} : { maxDelta: BigInt(maxDelta) }),
  };
}
