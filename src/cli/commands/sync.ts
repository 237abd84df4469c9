import type { Command } from 'commander';
import { EXIT, openTrueup, type ExitStatus, type SyncStatus } from '../../index.js';
import { interruptible } from '../interrupt.js';
import { print, say, toTrueupOptions, withCommonOptions, type CommonOptions } from '../shared.js';

interface StatusOptions extends CommonOptions {
  readonly json?: boolean;
}

interface InstallOptions extends CommonOptions {
  readonly deferred?: boolean;
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
    .option('--deferred', 'profiles follow within a second, carried by an open Trueup')
    .action(async (options: InstallOptions) => {
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
  withCommonOptions(sync.command('backfill-activity'))
    .description('write the activity events of entries that have none')
    .action(async (options: CommonOptions) => {
      setStatus(await backfill(options));
    });
}

async function backfill(options: CommonOptions): Promise<ExitStatus> {
  const { signal, release } = interruptible();
  const trueup = await openTrueup({ ...toTrueupOptions(options), healer: false });
  try {
    const { missing, healed, failed } = await trueup.backfillActivity({ signal });
    print(`missing ${String(missing)}  written ${String(healed)}  failed ${String(failed)}`);
    if (signal.aborted) return EXIT.incomplete;
    return failed === 0 ? EXIT.ok : EXIT.drift;
  } finally {
    release();
    await trueup.close();
  }
}

async function install(options: InstallOptions): Promise<ExitStatus> {
  const trueup = await openTrueup({ ...toTrueupOptions(options), healer: false });
  try {
    const deferred = options.deferred ?? false;
    await trueup.installSync({ deferred });
    const how = deferred ? ', profiles deferred' : '';
    print(`sync of ${trueup.mapping.ledger.table.quoted} is installed${how}`);
    if (deferred) say('profiles are carried by an open Trueup, such as: trueup sync heal --watch');
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
    return isWell(found) ? EXIT.ok : EXIT.drift;
  } finally {
    await trueup.close();
  }
}

/** Marks are carried within a second; one that has waited this long has no carrier. In milliseconds. */
const LONGEST_WAIT_MS = 10_000;

function isWell(found: SyncStatus): boolean {
  const { state, waitingFailures, waitingActivity } = found;
  return state === 'installed' && waitingFailures + waitingActivity === 0 && !isStuck(found);
}

function isStuck({ oldestMark }: SyncStatus): boolean {
  return oldestMark !== null && Date.now() - oldestMark.getTime() > LONGEST_WAIT_MS;
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
  const mode = found.deferred ? ' --deferred' : '';
  return [
    `${found.ledger}: ${WHAT_TO_DO[found.state]}${found.state === 'installed' ? '' : mode}`,
    waiting,
    ...(found.deferred || found.waitingMarks > 0 ? [marksLine(found)] : []),
    ...(found.waitingActivity === 0
      ? []
      : [`activity events waiting: ${String(found.waitingActivity)}: trueup sync heal`]),
  ].join('\n');
}

function marksLine(found: SyncStatus): string {
  const { oldestMark, waitingMarks } = found;
  if (oldestMark === null) return 'profiles are deferred; marks waiting: 0';
  const stuck = isStuck(found) ? ': does a Trueup run? trueup sync heal --watch' : '';
  return (
    `profiles are deferred; marks waiting: ${String(waitingMarks)}, the oldest since ` +
    `${oldestMark.toISOString()}${stuck}`
  );
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
      const { carried } = await trueup.carry();
      if (carried > 0) print(`carried ${String(carried)}`);
      const { healed, failed } = await trueup.heal({ everything: true, signal });
      print(`healed ${String(healed)}  failed ${String(failed)}`);
      return failed === 0 ? EXIT.ok : EXIT.drift;
    }
    trueup.on('heal', ({ healed, failed }) => {
      print(`healed ${String(healed)}  failed ${String(failed)}`);
    });
    trueup.on('carry', ({ carried, failed: given }) => {
      const left = given === 0 ? '' : `  given to the healer ${String(given)}`;
      print(`carried ${String(carried)}${left}`);
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
