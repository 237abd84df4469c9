import type { Command } from 'commander';
import { openTrueup, type ExitStatus } from '../../index.js';
import { interruptible } from '../interrupt.js';
import { findingJson, findingLines } from '../output.js';
import { approveLines, leftLine } from '../runs-output.js';
import {
  collect,
  print,
  toTrueupOptions,
  withCommonOptions,
  type CommonOptions,
} from '../shared.js';

interface Options extends CommonOptions {
  readonly walletId?: readonly string[];
  readonly all?: boolean;
  readonly json?: boolean;
}

const EXIT_STATUSES = `
Exit status:
  0  all of it was repaired, or was in sync by now
  1  an error
  2  wallets go on waiting: they differ otherwise by now
  3  incomplete: an interruption, or locked wallets
  64 wrong usage`;

/** `trueup runs approve`: repairs what a run has left for people. */
export function addApprove(runs: Command, setStatus: (status: ExitStatus) => void): void {
  withCommonOptions(runs.command('approve'))
    .description('repair what a run has left for review, where it still differs by as much')
    .argument(
      '[run]',
      'its id, the first characters of it, or "last": the last run of reconcile (default)',
      'last',
    )
    .option('--wallet-id <id>', 'this wallet; may be repeated', collect)
    .option('--all', 'every wallet that waits')
    .option('--json', 'JSON Lines on stdout')
    .addHelpText('after', EXIT_STATUSES)
    .action(async (run: string, options: Options, command: Command) => {
      if ((options.all === true) === (options.walletId !== undefined)) {
        command.error('error: say what is approved: --all, or --wallet-id ID (may be repeated)');
      }
      setStatus(await approve(run, options));
    });
}

async function approve(
  run: string,
  { walletId, all, json = false, ...common }: Options,
): Promise<ExitStatus> {
  const { signal, release } = interruptible();
  const findingLine = findingLines();
  const trueup = await openTrueup({
    ...toTrueupOptions(common),
    healer: false,
    applicationName: 'trueup runs approve',
  });
  try {
    const summary = await trueup.approve({
      run,
      all,
      walletIds: walletId,
      signal,
      onFinding: (finding) => {
        print(json ? findingJson(finding) : findingLine(finding));
      },
      onLeft: (left) => {
        print(json ? JSON.stringify({ type: 'left', ...left }) : leftLine(left));
      },
    });
    print(json ? JSON.stringify({ type: 'summary', ...summary }) : approveLines(summary));
    return summary.exitStatus;
  } finally {
    release();
    await trueup.close();
  }
}
