import { InvalidArgumentError, type Command } from 'commander';
import { FORMATS, formatOf, MAX_BATCH_SIZE, MAX_JOBS, type ReconcileOptions } from '../index.js';
import {
  collect,
  positiveInteger,
  positiveIntegerTo,
  wholeNumber,
  type CommonOptions,
} from './shared.js';

/** The flags of `trueup reconcile`. */
export interface ReconcileFlags extends CommonOptions {
  readonly all?: boolean;
  readonly userId?: readonly string[];
  readonly resume?: true | string;
  readonly dryRun?: boolean;
  readonly batchSize?: number;
  readonly jobs?: number;
  readonly limit?: number;
  readonly maxRepairs?: number;
  readonly maxRepairRatio?: number;
  readonly maxDelta?: bigint;
  readonly unattended?: boolean;
  readonly report?: string;
  readonly plan?: string;
  readonly apply?: string;
  readonly failOnDrift?: boolean;
  readonly json?: boolean;
  readonly verbose?: boolean;
  readonly quiet?: boolean;
}

/** Adds them to the command. */
export function withReconcileFlags(command: Command): Command {
  return command
    .option('--all', 'every wallet')
    .option(
      '--user-id <id>',
      'the wallet of this user; may be repeated; - reads ids from stdin, one a line',
      collect,
    )
    .option('--resume [run]', 'go on with a run that has stopped (default: the last one)')
    .option('--dry-run', 'report only; needs no right but SELECT')
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
    .option('--limit <n>', 'look at so many wallets at most', positiveInteger)
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
    .option('--unattended', 'nobody watches: repair 5% of the wallets at most, or 100')
    .option(
      '--report <file>',
      'write a report of the run: .html, a page for people; .csv or .json, every finding',
      reportFile,
    )
    .option('--plan <file>', 'write what would be repaired; implies --dry-run')
    .option(
      '--apply <file>',
      'repair what a plan says, wallet by wallet, where it is exactly as planned',
    )
    .option('--fail-on-drift', 'exit with 2 for repaired drift too')
    .option('--json', 'JSON Lines on stdout')
    .option('--verbose', 'in a pipe: a line of progress for every 100 wallets')
    .option('--quiet', 'no progress');
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
  const { all, resume, dryRun, batchSize, jobs, limit, unattended, failOnDrift } = flags;
  const { maxRepairs, maxRepairRatio, maxDelta, report, plan } = flags;
  return {
    ...{ all, resume, dryRun, batchSize, jobs, limit, unattended, failOnDrift },
    ...{ maxRepairs, maxRepairRatio, maxDelta, report, plan },
    userIds: userIds.length === 0 ? undefined : userIds,
  };
}

/** Ends the command where its flags exclude each other, or too few are given. */
export function checkFlags(flags: ReconcileFlags, command: Command): void {
  const users = flags.userId ?? [];
  if (flags.all === true && users.length > 0) {
    command.error('error: --all and --user-id exclude each other: choose one');
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
  if (flags.all !== true && users.length === 0 && flags.resume === undefined) {
    command.error('error: say what to reconcile: --all, or --user-id ID (may be repeated)');
  }
}

/** What says which wallets, or how they are looked at: a plan says that. */
const NOT_WITH_APPLY = [
  ...(['all', 'userId', 'resume', 'plan', 'batchSize', 'jobs', 'limit'] as const),
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

/** Reads a number of coins. */
function coins(text: string): bigint {
  if (/^[0-9]{1,30}$/.test(text)) return BigInt(text);
  throw new InvalidArgumentError('Give a whole number of coins.');
}
