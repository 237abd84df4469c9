import {
  read,
  readFlag,
  readList,
  readWhole,
  readWords,
  shape,
  show,
  wrong,
} from '../core/arguments.js';
import type { Finding, Tally } from '../core/drift.js';
import type { ExitStatus } from '../core/exit.js';
import { TrueupError } from '../core/errors.js';

/** What reconcile is asked to do. Exactly one of `all` and `userIds`. */
export interface ReconcileOptions {
  /** Every wallet. */
  readonly all?: boolean | undefined;
  /** The wallets of these users. */
  readonly userIds?: readonly string[] | undefined;
  /** Report only; nothing is written, not even a record of the run. */
  readonly dryRun?: boolean | undefined;
  /** Wallets a batch; default {@link DEFAULT_BATCH_SIZE}. */
  readonly batchSize?: number | undefined;
  /** Batches that are looked at side by side, 1 to 16; default 1. */
  readonly jobs?: number | undefined;
  /** Look at so many wallets at most. */
  readonly limit?: number | undefined;
  /** Exit status 2 for drift even where all of it was repaired. */
  readonly failOnDrift?: boolean | undefined;
  /** Stops the run after the batch under way. */
  readonly signal?: AbortSignal | undefined;
  readonly onFinding?: ((finding: Finding) => void) | undefined;
  /** A wallet that drifted and could not be repaired now. */
  readonly onProblem?: ((problem: ReconcileProblem) => void) | undefined;
  readonly onProgress?: ((progress: ReconcileProgress) => void) | undefined;
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

/** The highest batchSize. A batch is one statement's work; beyond this its memory and its snapshot grow for nothing. */
export const MAX_BATCH_SIZE = 1_000_000;

/** Each job is a connection of its own. */
const MAX_JOBS = 16;

const OPTIONS = shape<ReconcileOptions>('the options of reconcile', {
  all: readFlag,
  userIds: readList(readWords),
  dryRun: readFlag,
  batchSize: readWhole(1, MAX_BATCH_SIZE),
  jobs: readWhole(1, MAX_JOBS),
  limit: readWhole(1, Number.MAX_SAFE_INTEGER),
  failOnDrift: readFlag,
  signal: readSignal,
  onFinding: readFunction,
  onProblem: readFunction,
  onProgress: readFunction,
});

/** A function to be called back. @throws TrueupError `invalid_argument` */
export function readFunction(value: unknown, name: string, whose: string): () => void {
  if (typeof value === 'function') return value as () => void;
  throw wrong(`${name} of ${whose} has to be a function, not ${show(value)}`);
}

/** The signal of an AbortController. @throws TrueupError `invalid_argument` */
export function readSignal(value: unknown, name: string, whose: string): AbortSignal {
  if (value instanceof AbortSignal) return value;
  throw wrong(`${name} of ${whose} has to be an AbortSignal, not ${show(value)}`);
}

/** The options with defaults filled in. */
export interface CheckedOptions extends ReconcileOptions {
  readonly dryRun: boolean;
  readonly batchSize: number;
  /** undefined: every wallet. */
  readonly userIds?: readonly string[] | undefined;
}

/** @throws TrueupError `invalid_argument` */
export function checkOptions(given: ReconcileOptions): CheckedOptions {
  const options = read(OPTIONS, given);
  const userIds = options.userIds ?? [];
  if (options.all === true && userIds.length > 0) {
    throw invalid('all and userIds exclude each other', 'Choose all, or some users.');
  }
  if (options.all !== true && userIds.length === 0) {
    throw invalid('neither all nor userIds is given', 'Choose all, or name some users.');
  }
  const batchSize = options.batchSize ?? DEFAULT_BATCH_SIZE;
  return {
    ...options,
    dryRun: options.dryRun ?? false,
    batchSize,
    ...(options.all === true ? {} : { userIds: [...new Set(userIds)] }),
  };
}

function invalid(message: string, hint: string): TrueupError {
  return new TrueupError('invalid_argument', message, { hint });
}
