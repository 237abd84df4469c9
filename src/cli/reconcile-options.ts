import { InvalidArgumentError, type Command } from 'commander';
import {
  MAX_BATCH_SIZE,
  MAX_CYCLE,
  MAX_JOBS,
  type NightlyOptions,
  type ReconcileOptions,
} from '../index.js';
import { withAlertOptions, type AlertOptions } from './alert-options.js';
import { duration } from './durations.js';
import {
  collect,
  positiveInteger,
  positiveIntegerTo,
  wholeNumber,
  type CommonOptions,
} from './shared.js';

/** Flags of every run, also of those that `trueup start` begins. */
export interface RunFlags {
  readonly batchSize?: number;
  readonly jobs?: number;
  readonly maxRepairs?: number;
  readonly maxRepairRatio?: number;
  readonly maxDelta?: bigint;
  readonly cycle?: number;
}

/** The flags of `trueup reconcile`. */
export interface ReconcileFlags extends CommonOptions, RunFlags, AlertOptions {
  readonly all?: boolean;
  readonly sinceCheckpoint?: boolean;
  readonly userId?: readonly string[];
  readonly resume?: true | string;
  readonly dryRun?: boolean;
  readonly limit?: number;
  readonly unattended?: boolean;
  readonly failOnDrift?: boolean;
  readonly json?: boolean;
  readonly verbose?: boolean;
  readonly quiet?: boolean;
}

/** Adds the flags of every run to a command. */
export function withRunFlags(command: Command): Command {
  return command
    .option(
      '--batch-size <n>',
      'wallets a batch (default: 10000)',
      positiveIntegerTo(MAX_BATCH_SIZE),
    )
    .option(
      '--jobs <n>',
      'batches that are looked at side by side (default: 1)',
      positiveIntegerTo(MAX_JOBS),
    )
    .option(
      '--max-repairs <n>',
      'stop before the first repair where more wallets would be repaired',
      wholeNumber,
    )
    .option('--max-repair-ratio <part>', 'the same, as a part of the wallets: 5% or 0.05', ratio)
    .option(
      '--max-delta <coins>',
      'stop before the first repair where a cache would be changed by more',
      coins,
    )
    .option(
      '--cycle <time>',
      'of incremental runs: verify every wallet once in this time (default: 7d)',
      cycle,
    );
}

/** Adds the flags of `trueup reconcile`. */
export function withReconcileFlags(command: Command): Command {
  const selecting = command
    .option('--all', 'every wallet')
    .option(
      '--since-checkpoint',
      'the wallets that were touched since the ledger was verified last, and a slice of the others',
    )
    .option(
      '--user-id <id>',
      'the wallet of this user; may be repeated; - reads ids from stdin, one a line',
      collect,
    )
    .option('--resume [run]', 'go on with a run that has stopped (default: the last one)')
    .option('--dry-run', 'report only; needs no right but SELECT')
    .option('--limit <n>', 'look at so many wallets at most', positiveInteger);
  return withAlertOptions(withRunFlags(selecting))
    .option('--unattended', 'nobody watches: repair 5% of the wallets at most, or 100')
    .option('--fail-on-drift', 'exit with 2 for repaired drift too')
    .option('--json', 'JSON Lines on stdout')
    .option('--verbose', 'in a pipe: a line of progress for every 100 wallets')
    .option('--quiet', 'no progress');
}

/** Turns the flags of every run into options of the library. */
export function toRunOptions(flags: RunFlags): NightlyOptions {
  const { batchSize, jobs, maxRepairs, maxRepairRatio, maxDelta, cycle } = flags;
  return { batchSize, jobs, maxRepairs, maxRepairRatio, maxDelta, cycle };
}

/**
 * Refuses what cannot be meant, and turns flags into options of the library.
 *
 * @param userIds those that were named, and those from stdin
 */
export function toReconcileOptions(
  flags: ReconcileFlags,
  userIds: readonly string[],
): ReconcileOptions {
  const { all, sinceCheckpoint, resume, dryRun, limit, unattended, failOnDrift } = flags;
  return {
    ...{ all, sinceCheckpoint, resume, dryRun, limit, unattended, failOnDrift },
    ...toRunOptions(flags),
    userIds: userIds.length === 0 ? undefined : userIds,
  };
}

/** Ends the command where its flags exclude each other, or too few are given. */
export function checkFlags(flags: ReconcileFlags, command: Command): void {
  const users = flags.userId ?? [];
  const chosen = [
    ...(flags.all === true ? ['--all'] : []),
    ...(flags.sinceCheckpoint === true ? ['--since-checkpoint'] : []),
    ...(users.length > 0 ? ['--user-id'] : []),
  ];
  if (chosen.length > 1) {
    command.error(`error: ${chosen.join(' and ')} exclude each other: choose one`);
  }
  if (flags.cycle !== undefined && flags.sinceCheckpoint !== true && flags.resume === undefined) {
    command.error('error: --cycle goes with --since-checkpoint');
  }
  if (flags.resume !== undefined && flags.dryRun === true) {
    command.error('error: a dry run cannot be resumed: leave out --dry-run or --resume');
  }
  const alerting = flags.alertWebhook !== undefined || flags.alertCommand !== undefined;
  if (alerting && flags.unattended !== true) {
    command.error('error: --alert-webhook and --alert-command need --unattended');
  }
  if (chosen.length === 0 && flags.resume === undefined) {
    command.error(
      'error: say what to reconcile: --all, --since-checkpoint, or --user-id ID (may be repeated)',
    );
  }
}

/** Reads the time of a cycle. */
function cycle(text: string): number {
  const seconds = duration(text);
  if (seconds <= MAX_CYCLE) return seconds;
  throw new InvalidArgumentError('Give a time of ten years at most.');
}

/** Reads a part: `5%` or `0.05`. */
function ratio(text: string): number {
  const [, digits, percent] = /^(\d+(?:\.\d+)?)(%?)$/.exec(text) ?? [];
  const part = digits === undefined ? Number.NaN : Number(digits) / (percent === '%' ? 100 : 1);
  if (part >= 0 && part <= 1) return part;
  throw new InvalidArgumentError('Give a part from 0 to 1, or from 0% to 100%.');
}

/** Reads a number of coins. */
function coins(text: string): bigint {
  if (/^[0-9]{1,30}$/.test(text)) return BigInt(text);
  throw new InvalidArgumentError('Give a whole number of coins.');
}
