import type { Command } from 'commander';
import { EXIT, openTrueup, type ExitStatus, type SyncStatus } from '../../index.js';
import { interruptible } from '../interrupt.js';
import { print, say, toTrueupOptions, withCommonOptions, type CommonOptions } from '../shared.js';

interface StatusOptions extends CommonOptions {
  readonly json?: boolean;
}

interface HealOptions extends CommonOptions {
  readonly watch?: boolean;
}

export function addSync(program: Command, setStatus: (status: ExitStatus) => void): void {
  const sync = program
    .command('sync')
    .description('the triggers that make caches follow the ledger');
  withCommonOptions(sync.command('install'))
    .description('install the triggers of the mapping, or bring them up to date')
    .action(async (options: CommonOptions) => {
      setStatus(await install(options));
    });
  withCommonOptions(sync.command('status'))
    .description('whether they stand, and how many failures wait (status 2: something is amiss)')
    .option('--json', 'one JSON object on stdout')
    .action(async (options: StatusOptions) => {
      setStatus(await status(options));
    });
  withCommonOptions(sync.command('remove'))
    .description('remove the triggers; the tables stay as they are')
    .action(async (options: CommonOptions) => {
      setStatus(await remove(options));
    });
  withCommonOptions(sync.command('heal'))
    .description('repair the profiles that could not follow their ledger')
    .option('--watch', 'go on healing until interrupted')
    .action(async (options: HealOptions) => {
      setStatus(await heal(options));
    });
}

async function install(options: CommonOptions): Promise<ExitStatus> {
  const trueup = await openTrueup({ ...toTrueupOptions(options), healer: false });
  try {
    await trueup.installSync();
    print(`sync of ${trueup.mapping.ledger.table.quoted} is installed`);
    const { immediateForeignKeys } = await trueup.syncStatus();
    for (const { name, remedy } of immediateForeignKeys) {
      say(
        `note: foreign key "${name}" is checked at every statement; entries are faster, and safe from a ` +
          `race inside PostgreSQL,\n  when it is checked at the commit: ${remedy}`,
      );
    }
    say(
      'entries are followed from now on; what was wrong before: trueup reconcile --all --dry-run',
    );
    return EXIT.ok;
  } finally {
    await trueup.close();
  }
}

async function status(options: StatusOptions): Promise<ExitStatus> {
  const trueup = await openTrueup({ ...toTrueupOptions(options), readOnly: true });
  try {
    const found = await trueup.syncStatus();
    print(options.json === true ? JSON.stringify({ type: 'syncStatus', ...found }) : lines(found));
    return found.state === 'installed' && found.waitingFailures === 0 ? EXIT.ok : EXIT.drift;
  } finally {
    await trueup.close();
  }
}

const WHAT_TO_DO: Readonly<Record<SyncStatus['state'], string>> = {
  installed: 'installed',
  missing: 'not installed: trueup sync install',
  disabled: 'installed but disabled: trueup sync install',
  changed: 'not the one that this mapping asks for: trueup sync install',
};

function lines(found: SyncStatus): string {
  const waiting =
    found.oldestFailure === null
      ? 'failures waiting: 0'
      : `failures waiting: ${String(found.waitingFailures)}, the oldest since ` +
        `${found.oldestFailure.toISOString()} (${found.sqlStates.join(', ')}): trueup sync heal`;
  return `${found.ledger}: ${WHAT_TO_DO[found.state]}\n${waiting}`;
}

async function remove(options: CommonOptions): Promise<ExitStatus> {
  const trueup = await openTrueup({ ...toTrueupOptions(options), healer: false });
  try {
    await trueup.removeSync();
    print(`sync of ${trueup.mapping.ledger.table.quoted} is removed`);
    return EXIT.ok;
  } finally {
    await trueup.close();
  }
}

async function heal(options: HealOptions): Promise<ExitStatus> {
  const watch = options.watch ?? false;
  const { signal, release } = interruptible();
  const trueup = await openTrueup({ ...toTrueupOptions(options), healer: watch });
  try {
    if (!watch) {
      const { healed, failed } = await trueup.heal({ everything: true, signal });
      print(`healed ${String(healed)}  failed ${String(failed)}`);
      return failed === 0 ? EXIT.ok : EXIT.drift;
    }
    trueup.on('heal', ({ healed, failed }) => {
      print(`healed ${String(healed)}  failed ${String(failed)}`);
    });
    trueup.on('healerError', (error) => {
      say(`healing was interrupted and goes on: ${String(error)}`);
    });
    await new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => {
        resolve();
      });
    });
    return EXIT.ok;
  } finally {
    release();
    await trueup.close();
  }
}
