import type { Command } from 'commander';
import { MAX_BATCH_SIZE, openTrueup, type ExitStatus } from '../../index.js';
import { interruptible } from '../interrupt.js';
import {
  findingJson,
  findingLine,
  problemJson,
  problemLine,
  summaryJson,
  summaryLines,
} from '../output.js';
import { progressView } from '../progress.js';
import {
  collect,
  positiveInteger,
  positiveIntegerTo,
  print,
  say,
  toTrueupOptions,
  withCommonOptions,
  type CommonOptions,
} from '../shared.js';

interface Options extends CommonOptions {
  readonly all?: boolean;
  readonly userId?: readonly string[];
  readonly dryRun?: boolean;
  readonly batchSize?: number;
  readonly limit?: number;
  readonly failOnDrift?: boolean;
  readonly json?: boolean;
  readonly verbose?: boolean;
  readonly quiet?: boolean;
}

const EXIT_STATUSES = `
Exit status:
  0  in sync, or all that was found was repaired
  1  an error
  2  drift that is not repaired (as after a dry run)
  3  incomplete: a limit, an interruption, or locked wallets
  64 wrong usage`;

export function addReconcile(program: Command, setStatus: (status: ExitStatus) => void): void {
  withCommonOptions(program.command('reconcile'))
    .description('compare every cache with the ledger and repair what differs')
    .option('--all', 'every wallet')
    .option('--user-id <id>', 'the wallet of this user; may be repeated', collect)
    .option('--dry-run', 'report only; needs no right but SELECT')
    .option(
      '--batch-size <n>',
      'wallets a batch (default: 10000)',
      positiveIntegerTo(MAX_BATCH_SIZE),
    )
    .option('--limit <n>', 'look at so many wallets at most', positiveInteger)
    .option('--fail-on-drift', 'exit with 2 for repaired drift too')
    .option('--json', 'JSON Lines on stdout')
    .option('--verbose', 'in a pipe: a line of progress for every 100 wallets')
    .option('--quiet', 'no progress')
    .addHelpText('after', EXIT_STATUSES)
    .action(async (options: Options, command: Command) => {
      const users = options.userId ?? [];
      if (options.all === true && users.length > 0) {
        command.error('error: --all and --user-id exclude each other: choose one');
      }
      if (options.all !== true && users.length === 0) {
        command.error('error: say what to reconcile: --all, or --user-id ID (may be repeated)');
      }
      setStatus(await run(options));
    });
}

async function run(options: Options): Promise<ExitStatus> {
  const { signal, release } = interruptible();
  const view = progressView(process.stderr, {
    verbose: options.verbose ?? false,
    quiet: options.quiet ?? false,
  });
  const json = options.json ?? false;
  const dryRun = options.dryRun ?? false;
  const trueup = await openTrueup({
    ...toTrueupOptions(options),
    readOnly: dryRun,
    healer: false,
    applicationName: 'trueup reconcile',
  });
  try {
    const { all, batchSize, limit, failOnDrift } = options;
    const summary = await trueup.reconcile({
      ...(all === undefined ? { userIds: options.userId ?? [] } : { all }),
      ...(batchSize === undefined ? {} : { batchSize }),
      ...(limit === undefined ? {} : { limit }),
      ...(failOnDrift === undefined ? {} : { failOnDrift }),
      dryRun,
      signal,
      onFinding: (finding) => {
        view.clear();
        print(json ? findingJson(finding) : findingLine(finding));
      },
      onProblem: (problem) => {
        view.clear();
        if (json) print(problemJson(problem));
        else say(problemLine(problem));
      },
      onProgress: (progress) => {
        view.update(progress);
      },
    });
    view.finish();
    print(json ? summaryJson(summary) : summaryLines(summary));
    return summary.exitStatus;
  } finally {
    view.finish();
    release();
    await trueup.close();
  }
}
