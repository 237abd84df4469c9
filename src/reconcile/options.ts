import {
  read,
  readCoins,
  readFlag,
  readList,
  readText,
  readWhole,
  readWords,
  shape,
  show,
  wrong,
} from '../core/arguments.js';
import type { Finding } from '../core/drift.js';
import { TrueupError } from '../core/errors.js';

/** What reconcile is asked to do. Exactly one of `all`, `userIds` and `sinceCheckpoint`; neither to resume a run with its own. */
export interface ReconcileOptions {
  /** Every wallet. */
  readonly all?: boolean | undefined;
  /**
   * The wallets that may have drifted since the ledger was verified last, and a slice of the others: each
   * run takes up where the last one stopped, so that every wallet is verified once a {@link cycle}.
   */
  readonly sinceCheckpoint?: boolean | undefined;
  /** With sinceCheckpoint: seconds in which every wallet is to be verified once. Default: 7 days. */
  readonly cycle?: number | undefined;
  /** The wallets of these users. */
  readonly userIds?: readonly string[] | undefined;
  /** Report only; nothing is written, not even a record of the run. */
  readonly dryRun?: boolean | undefined;
  /** Goes on with a run that was interrupted or stopped: its id, or true for the last one of the ledger. */
  readonly resume?: boolean | string | undefined;
  /** Wallets a batch. Default: 10,000. */
  readonly batchSize?: number | undefined;
  /** Batches that are looked at side by side, 1 to 16. Default: 1. */
  readonly jobs?: number | undefined;
  /** Look at so many wallets at most; a resumed run at so many more. */
  readonly limit?: number | undefined;
  /** Stop before the first repair where more wallets than this would be repaired. */
  readonly maxRepairs?: number | undefined;
  /** The same as a part of the wallets that were looked at, 0 to 1. */
  readonly maxRepairRatio?: number | undefined;
  /** Stop before the first repair where a cache would be changed by more coins than this. */
  readonly maxDelta?: bigint | number | string | undefined;
  /** Nobody watches: repair 5% of the wallets at most, or 100, unless maxRepairRatio says otherwise. */
  readonly unattended?: boolean | undefined;
  /** Exit status 2 for drift even where all of it was repaired. */
  readonly failOnDrift?: boolean | undefined;
  /** Stops the run after the batch under way. */
  readonly signal?: AbortSignal | undefined;
  readonly onFinding?: ((finding: Finding) => void) | undefined;
  /** A wallet that drifted and could not be repaired now. */
  readonly onProblem?: ((problem: ReconcileProblem) => void) | undefined;
  readonly onProgress?: ((progress: ReconcileProgress) => void) | undefined;
  /** Something that a person should know of, and that the run goes on with. */
  readonly onWarning?: ((warning: ReconcileWarning) => void) | undefined;
}

/** What a run goes on with, and a person should know of. */
export interface ReconcileWarning {
  readonly code: string;
  readonly message: string;
  /** What to do about it. */
  readonly hint?: string;
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

/** The highest batchSize. A batch is one statement's work; beyond this its memory and its snapshot grow for nothing. */
export const MAX_BATCH_SIZE = 1_000_000;

/** The highest number of jobs: each takes a connection, and a processor of the server. */
export const MAX_JOBS = 16;

/** A week: the nightly run verifies a seventh each time. */
export const DEFAULT_CYCLE = 7 * 86_400;

/** Ten years. */
export const MAX_CYCLE = 3_650 * 86_400;

const OPTIONS = shape<ReconcileOptions>('the options of reconcile', {
  all: readFlag,
  sinceCheckpoint: readFlag,
  cycle: readWhole(1, MAX_CYCLE),
  userIds: readList(readWords),
  dryRun: readFlag,
  resume: readResume,
  batchSize: readWhole(1, MAX_BATCH_SIZE),
  jobs: readWhole(1, MAX_JOBS),
  limit: readWhole(1, Number.MAX_SAFE_INTEGER),
  maxRepairs: readWhole(0, Number.MAX_SAFE_INTEGER),
  maxRepairRatio: readPart,
  maxDelta: readPositiveCoins,
  unattended: readFlag,
  failOnDrift: readFlag,
  signal: readSignal,
  onFinding: readFunction,
  onProblem: readFunction,
  onProgress: readFunction,
  onWarning: readFunction,
});

function readResume(value: unknown, name: string, whose: string): boolean | string {
  return typeof value === 'boolean' ? value : readText(value, name, whose);
}

function readPart(value: unknown, name: string, whose: string): number {
  if (typeof value === 'number' && value >= 0 && value <= 1) return value;
  throw wrong(`${name} of ${whose} has to be a number from 0 to 1, not ${show(value)}`);
}

function readPositiveCoins(value: unknown, name: string, whose: string): bigint {
  const coins = readCoins(value, name, whose);
  if (coins >= 0n) return coins;
  throw wrong(`${name} of ${whose} cannot be below zero`);
}

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
export interface CheckedOptions extends Omit<ReconcileOptions, 'maxDelta'> {
  readonly dryRun: boolean;
  readonly jobs: number;
  readonly sinceCheckpoint: boolean;
  readonly maxDelta?: bigint | undefined;
  /** undefined: every wallet. */
  readonly userIds?: readonly string[] | undefined;
}

/** @throws TrueupError `invalid_argument` */
export function checkOptions(given: ReconcileOptions): CheckedOptions {
  const options = read(OPTIONS, given);
  const userIds = options.userIds ?? [];
  const chosen = [
    ...(options.all === true ? ['all'] : []),
    ...(options.sinceCheckpoint === true ? ['sinceCheckpoint'] : []),
    ...(userIds.length > 0 ? ['userIds'] : []),
  ];
  if (chosen.length > 1) {
    throw invalid(`${chosen.join(' and ')} exclude each other`, 'Choose one of them.');
  }
  const resuming = options.resume !== undefined && options.resume !== false;
  if (chosen.length === 0 && !resuming) {
    throw invalid(
      'neither all nor userIds nor sinceCheckpoint is given',
      'Choose all, sinceCheckpoint, or name some users.',
    );
  }
  if (resuming && options.dryRun === true) {
    throw invalid(
      'a dry run is not on record, so none can be resumed',
      'Leave dryRun or resume out.',
    );
  }
  if (options.cycle !== undefined && options.sinceCheckpoint !== true && !resuming) {
    throw invalid('cycle says nothing without sinceCheckpoint', 'Leave cycle out.');
  }
  const { maxDelta, ...others } = options;
  return {
    ...others,
    dryRun: options.dryRun ?? false,
    jobs: options.jobs ?? 1,
    sinceCheckpoint: options.sinceCheckpoint ?? false,
    maxDelta: maxDelta === undefined ? undefined : BigInt(maxDelta),
    userIds: userIds.length === 0 ? undefined : [...new Set(userIds)],
  };
}

function invalid(message: string, hint: string): TrueupError {
  return new TrueupError('invalid_argument', message, { hint });
}
