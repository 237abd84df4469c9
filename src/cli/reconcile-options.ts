import { InvalidArgumentError, type Command } from 'commander';
import {
  FORMATS,
  formatOf,
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
  fileName,
  positiveInteger,
  positiveIntegerTo,
  wholeNumber,
  type CommonOptions,
} from './shared.js';

/** Flags of every run, also of those that `trueup start` begins. */
export interface RunFlags {
  readonly batchSize?: number;
  readonly jobs?: number;
  readonly nice?: number;
  readonly runTime?: number;
  readonly maxLag?: number;
  readonly maxLoad?: number;
  readonly maxRepairs?: number;
  readonly maxRepairRatio?: number;
  readonly maxDelta?: bigint;
  readonly reviewOver?: bigint;
  readonly keepFindings?: number;
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
  readonly report?: string;
  readonly plan?: string;
  readonly apply?: string;
  readonly failOnDrift?: boolean;
  readonly json?: boolean;
  readonly verbose?: boolean;
  readonly quiet?: boolean;
}

/** Adds the flags of every run to a command. */
export function withRunFlags(command: Command): Command {
  return withRailFlags(withPaceFlags(command)).option(
    '--cycle <time>',
    'incremental runs verify every wallet once in this time (default: 7d)',
    cycle,
  );
}

function withPaceFlags(command: Command): Command {
  return command
    .option(
      '--batch-size <n>',
      'wallets a batch (default: as many as take 0.4 s)',
      positiveIntegerTo(MAX_BATCH_SIZE),
    )
    .option(
      '--jobs <n>',
      'batches that are looked at side by side (default: 1)',
      positiveIntegerTo(MAX_JOBS),
    )
    .option('--nice <ratio>', 'rest so many seconds for each second of work', decimal)
    .option('--run-time <duration>', 'begin no batch after 2h, say', duration)
    .option('--max-lag <duration>', 'wait while a standby is farther behind than 5s, say', duration)
    .option('--max-load <n>', 'wait while more sessions of others are at work', wholeNumber);
}

function withRailFlags(command: Command): Command {
  return command
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
      '--review-over <coins>',
      'leave what differs by more for trueup runs approve, and freeze wallets below zero',
      coins,
    )
    .option('--keep-findings <duration>', 'of finished runs (default: 90d)', duration);
}

/** Adds the flags of `trueup reconcile`. */
export function withReconcileFlags(command: Command): Command {
  return withAlertOptions(withFileFlags(withRunFlags(withSelectionFlags(command))))
    .option(
      '--unattended',
      'nobody watches: repair 5% of the wallets at most, or 100, and nothing by more than 100 coins',
    )
    .option('--fail-on-drift', 'exit with 2 for repaired drift too')
    .option('--json', 'JSON Lines on stdout')
    .option('--verbose', 'in a pipe: a line of progress for every 100 wallets')
    .option('--quiet', 'no progress');
}

function withSelectionFlags(command: Command): Command {
  return command
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
}

function withFileFlags(command: Command): Command {
  return command
    .option(
      '--report <file>',
      'write a report of the run: .html, a page for people; .csv or .json, every finding',
      reportFile,
    )
    .option('--plan <file>', 'write what would be repaired; implies --dry-run', fileName)
    .option(
      '--apply <file>',
      'repair what a plan says, wallet by wallet, where it is exactly as planned',
      fileName,
    );
}

/** Turns the flags of every run into options of the library. */
export function toRunOptions(flags: RunFlags): NightlyOptions {
  const { batchSize, jobs, nice, runTime, maxLag, maxLoad } = flags;
  const { maxRepairs, maxRepairRatio, maxDelta, reviewOver, keepFindings, cycle } = flags;
  return {
    ...{ batchSize, jobs, nice, runTime, maxLag, maxLoad },
    ...{ maxRepairs, maxRepairRatio, maxDelta, reviewOver, keepFindings, cycle },
  };
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
  const { report, plan } = flags;
  return {
    ...{ all, sinceCheckpoint, resume, dryRun, limit, unattended, failOnDrift },
    ...toRunOptions(flags),
    ...{ report, plan },
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
  if (flags.apply !== undefined) {
    const stranger = NOT_WITH_APPLY.find((name) => flags[name] !== undefined);
    if (stranger === undefined) return;
    const flag = stranger.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    command.error(`error: --apply repairs what its plan says: leave out --${flag}`);
  }
  if (flags.resume !== undefined && isDryRun(flags)) {
    const dry = flags.plan === undefined ? '--dry-run' : '--plan (which makes a dry run)';
    command.error(`error: a dry run cannot be resumed: leave out ${dry} or --resume`);
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

/** What says which wallets, or how they are looked at: a plan says that. */
const NOT_WITH_APPLY = [
  ...([
    'all',
    'sinceCheckpoint',
    'cycle',
    'userId',
    'resume',
    'plan',
    'batchSize',
    'jobs',
    'limit',
    'reviewOver',
    'nice',
    'runTime',
    'maxLag',
    'maxLoad',
    'keepFindings',
    'alertWebhook',
    'alertCommand',
  ] as const),
];

/** Nothing is written but the files that were asked for. */
export function isDryRun({ dryRun, plan }: ReconcileFlags): boolean {
  return dryRun === true || plan !== undefined;
}

/** Reads the name of a report. */
export function reportFile(name: string): string {
  if (formatOf(name) !== undefined) return name;
  throw new InvalidArgumentError(
    `Let its name end with ${FORMATS.map((format) => `.${format}`).join(', ')}.`,
  );
}

/** Reads a part: `5%` or `0.05`. */
function ratio(text: string): number {
  const [, digits, percent] = /^(\d+(?:\.\d+)?)(%?)$/.exec(text) ?? [];
  const part = digits === undefined ? Number.NaN : Number(digits) / (percent === '%' ? 100 : 1);
  if (part >= 0 && part <= 1) return part;
  throw new InvalidArgumentError('Give a part from 0 to 1, or from 0% to 100%.');
}

/** Reads a number from 0 up: `2` or `0.5`. */
function decimal(text: string): number {
  if (/^[0-9]{1,6}(\.[0-9]{1,6})?$/.test(text)) return Number(text);
  throw new InvalidArgumentError('Give a number from 0 up, like 0.5.');
}

/** Reads a number of coins. */
function coins(text: string): bigint {
  if (/^[0-9]{1,30}$/.test(text)) return BigInt(text);
  throw new InvalidArgumentError('Give a whole number of coins.');
}
