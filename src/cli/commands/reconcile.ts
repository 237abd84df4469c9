import type { Command } from 'commander';
import { openTrueup, type AlertHooks, type ExitStatus, type Trueup } from '../../index.js';
import { checkOperating, hooksFrom } from '../alert-options.js';
import { interruptible } from '../interrupt.js';
import { listeners } from '../listeners.js';
import { errorLines, nextCommand, summaryJson, summaryLines } from '../output.js';
import { progressView } from '../progress.js';
import {
  checkFlags,
  isDryRun,
  toReconcileOptions,
  withReconcileFlags,
  type ReconcileFlags,
} from '../reconcile-options.js';
import { runApply } from './apply.js';
import { print, say, toTrueupOptions, withCommonOptions } from '../shared.js';
import { withStdin } from '../stdin.js';

const EXIT_STATUSES = `
Exit status:
  0  in sync, or all that was found was repaired
  1  an error
  2  drift that is not repaired (as after a dry run)
  3  incomplete: a limit, an interruption, or locked wallets
  4  a safety rail stopped it before the first repair
  64 wrong usage`;

/** Beside those that detect: three that repair, and one that saves checkpoints. */
const OTHER_CONNECTIONS = 4;

const LEAST_CONNECTIONS = 10;

export function addReconcile(program: Command, setStatus: (status: ExitStatus) => void): void {
  withReconcileFlags(withCommonOptions(program.command('reconcile')))
    .description('compare every cache with the ledger and repair what differs')
    .addHelpText('after', EXIT_STATUSES)
    .action(async (flags: ReconcileFlags, command: Command) => {
      checkFlags(flags, command);
      if (flags.unattended === true) checkOperating({ alerts: hooksFrom(flags) }, command);
      if (flags.apply !== undefined) {
        setStatus(await runApply(flags, flags.apply));
        return;
      }
      const users = await withStdin(flags.userId ?? []);
      if ((flags.userId ?? []).length > 0 && users.length === 0) {
        command.error('error: stdin holds no id of a user');
      }
      setStatus(await run(flags, users));
    });
}

async function run(flags: ReconcileFlags, users: readonly string[]): Promise<ExitStatus> {
  const { signal, release } = interruptible();
  const quiet = flags.quiet ?? false;
  const view = progressView(process.stderr, { verbose: flags.verbose ?? false, quiet });
  const json = flags.json ?? false;
  const trueup = await openTrueup({
    ...toTrueupOptions(flags),
    readOnly: isDryRun(flags),
    healer: false,
    maxConnections: Math.max(LEAST_CONNECTIONS, (flags.jobs ?? 1) + OTHER_CONNECTIONS),
    applicationName: 'trueup reconcile',
  });
  try {
    const summary = await trueup.reconcile({
      ...toReconcileOptions(flags, users),
      signal,
      ...listeners(view, { json, quiet }),
    });
    view.finish();
    print(json ? summaryJson(summary) : summaryLines(summary));
    const next = nextCommand(summary, flags.config);
    if (next !== undefined) say(next);
    return summary.exitStatus;
  } finally {
    view.finish();
    if (flags.unattended === true) await deliver(trueup, hooksFrom(flags));
    release();
    await trueup.close();
  }
}

/** People are told also of a run that failed. What cannot be delivered now stays in the outbox. */
async function deliver(trueup: Trueup, hooks: AlertHooks): Promise<void> {
  if (hooks.webhook === undefined && hooks.command === undefined) return;
  try {
    const { failed } = await trueup.deliverAlerts(hooks);
    if (failed > 0) say(`alerts that were not accepted: ${String(failed)}; they are tried again`);
  } catch (error) {
    say(`the alerts could not be delivered: ${errorLines(error)}`);
  }
}
