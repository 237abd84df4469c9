import type { Command } from 'commander';
import { openTrueup, type ExitStatus } from '../../index.js';
import { interruptible } from '../interrupt.js';
import { leftLine, undoLines } from '../runs-output.js';
import { print, toTrueupOptions, withCommonOptions, type CommonOptions } from '../shared.js';

interface Options extends CommonOptions {
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

const EXIT_STATUSES = `
Exit status:
  0  all was undone, or nothing was left to undo
  1  an error
  2  wallets are left that have moved on
  3  incomplete: an interruption, or locked wallets
  64 wrong usage`;

export function addUndo(program: Command, setStatus: (status: ExitStatus) => void): void {
  withCommonOptions(program.command('undo'))
    .description('give caches back what a run has replaced, where they still hold what it wrote')
    .argument(
      '<run>',
      'its id, the first characters of it, or "last": the last that may have repaired',
    )
    .option('--dry-run', 'say what would be done, and write nothing')
    .option('--json', 'JSON Lines on stdout')
    .addHelpText('after', EXIT_STATUSES)
    .action(async (run: string, options: Options) => {
      setStatus(await undo(run, options));
    });
}

async function undo(run: string, { dryRun, json, ...common }: Options): Promise<ExitStatus> {
  const { signal, release } = interruptible();
  const trueup = await openTrueup({
    ...toTrueupOptions(common),
    readOnly: dryRun ?? false,
    healer: false,
    applicationName: 'trueup undo',
  });
  try {
    const summary = await trueup.undo({
      run,
      dryRun,
      signal,
      onLeft: (left) => {
        print(json === true ? JSON.stringify({ type: 'left', ...left }) : leftLine(left));
      },
    });
    print(json === true ? JSON.stringify({ type: 'summary', ...summary }) : undoLines(summary));
    return summary.exitStatus;
  } finally {
    release();
    await trueup.close();
  }
}
