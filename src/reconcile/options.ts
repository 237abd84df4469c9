import type { Finding, Tally } from '../core/drift.js';
import type { ExitStatus } from '../core/exit.js';
import { TrueupError } from '../core/errors.js';

/** What reconcile is asked to do. Exactly one of `all` and `userIds`. */
export interface ReconcileOptions {
  /** Every wallet. */
  readonly all?: boolean;
  /** The wallets of these users. */
  readonly userIds?: readonly string[];
  /** Report only; nothing is written, not even a record of the run. */
  readonly dryRun?: boolean;
  /** Wallets a batch; default {@link DEFAULT_BATCH_SIZE}. */
  readonly batchSize?: number;
  /** Look at so many wallets at most. */
  readonly limit?: number;
  /** Exit status 2 for drift even where all of it was repaired. */
  readonly failOnDrift?: boolean;
  /** Stops the run after the batch under way. */
  readonly signal?: AbortSignal;
  readonly onFinding?: (finding: Finding) => void;
  /** A wallet that drifted and could not be repaired now. */
  readonly onProblem?: (problem: ReconcileProblem) => void;
  readonly onProgress?: (progress: ReconcileProgress) => void;
}

/** A wallet that the run had to leave as it is. */
export interface ReconcileProblem {
  readonly type: 'skip' | 'error';
  readonly walletId: string;
  readonly userId: string | null;
  readonly code: string;
  readonly message: string;
}

/** How far a run has come. */
export interface ReconcileProgress {
  readonly checked: number;
  /** Wallets to look at in all. */
  readonly total: number;
  readonly drifted: number;
  readonly repaired: number;
}

/** How a run ended. */
export interface ReconcileSummary extends Tally {
  readonly runId: string;
  readonly dryRun: boolean;
  readonly seconds: number;
  /** Why not every wallet was looked at; null where every one was. */
  readonly incomplete: 'limit' | 'interrupted' | null;
  readonly exitStatus: ExitStatus;
}

/** Large enough to be as fast as one statement over all, small enough that a batch takes 0.1 s. */
const DEFAULT_BATCH_SIZE = 10_000;

/** A batch is one statement's work; beyond this its memory and its snapshot grow for nothing. */
export const MAX_BATCH_SIZE = 1_000_000;

/** The options with defaults filled in. */
export interface CheckedOptions extends ReconcileOptions {
  readonly dryRun: boolean;
  readonly batchSize: number;
  /** undefined: every wallet. */
  readonly userIds?: readonly string[];
}

/** @throws TrueupError `invalid_argument` */
export function checkOptions(options: ReconcileOptions): CheckedOptions {
  const userIds = options.userIds ?? [];
  if (options.all === true && userIds.length > 0) {
    throw invalid('all and userIds exclude each other', 'Choose all, or some users.');
  }
  if (options.all !== true && userIds.length === 0) {
    throw invalid('neither all nor userIds is given', 'Choose all, or name some users.');
  }
  const batchSize = options.batchSize ?? DEFAULT_BATCH_SIZE;
  checkCount('batchSize', batchSize, MAX_BATCH_SIZE);
  if (options.limit !== undefined) checkCount('limit', options.limit, Number.MAX_SAFE_INTEGER);
  return {
    ...options,
    dryRun: options.dryRun ?? false,
    batchSize,
    ...(options.all === true ? {} : { userIds: [...new Set(userIds)] }),
  };
}

function checkCount(name: string, value: number, highest: number): void {
  if (Number.isSafeInteger(value) && value >= 1 && value <= highest) return;
  throw invalid(`${name} is ${String(value)}`, `Give a whole number from 1 to ${String(highest)}.`);
}

function invalid(message: string, hint: string): TrueupError {
  return new TrueupError('invalid_argument', message, { hint });
}
