import { Option, type Command } from 'commander';
import {
  EXIT,
  GUARDS,
  openTrueup,
  type ExitStatus,
  type Guard,
  type InstallOptions,
  type SyncChange,
  type SyncStatus,
  type TriggerStatus,
} from '../../index.js';
import { interruptible } from '../interrupt.js';
import { print, say, toTrueupOptions, withCommonOptions, type CommonOptions } from '../shared.js';

interface ChangeOptions extends CommonOptions {
  readonly plan?: boolean;
}

interface InstallCommandOptions extends ChangeOptions {
  readonly guard?: Guard;
  readonly protect?: boolean;
  readonly deferred?: boolean;
}

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
    .description('install the triggers of the mapping, or make them what the options say')
    .addOption(
      new Option(
        '--guard <what>',
        'when somebody else writes a cache (default: keep; refuse for own tables)',
      ).choices(GUARDS),
    )
    .option('--protect', 'make the ledger append-only; without this option it is not')
    .option('--deferred', 'profiles follow within a second, carried by an open Trueup')
    .option('--plan', 'print the SQL that this would run, and change nothing')
    .action(async (options: InstallCommandOptions) => {
      setStatus(await install(options));
    });
  withCommonOptions(sync.command('status'))
    .description('whether they stand, and how many failures wait (status 2: something is amiss)')
    .option('--json', 'one JSON object on stdout')
    .action(async (options: StatusOptions) => {
      setStatus(await status(options));
    });
  withCommonOptions(sync.command('remove'))
    .description('remove the triggers and their functions; the tables stay as they are')
    .option('--plan', 'print the SQL that this would run, and change nothing')
    .action(async (options: ChangeOptions) => {
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

async function install(options: InstallCommandOptions): Promise<ExitStatus> {
  const { guard, protect, deferred = false } = options;
  const asked = { guard, protect, deferred };
  if (options.plan === true) return plan(options, asked);
  const trueup = await openTrueup({ ...toTrueupOptions(options), healer: false });
  try {
    const change = await trueup.installSync(asked);
    const how = deferred ? ', profiles deferred' : '';
    print(`sync of ${trueup.mapping.ledger.table.quoted} is installed${how}`);
    if (deferred) say('profiles are carried by an open Trueup, such as: trueup sync heal --watch');
    for (const line of changeLines(change)) say(line);
    const { immediateForeignKeys, withoutHistory } = await trueup.syncStatus();
    if (withoutHistory > 0) say(withoutHistoryLine(withoutHistory));
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

async function plan(options: CommonOptions, asked: InstallOptions | 'remove'): Promise<ExitStatus> {
  const trueup = await openTrueup({ ...toTrueupOptions(options), readOnly: true });
  try {
    process.stdout.write(await trueup.planSync(asked));
    return EXIT.ok;
  } finally {
    await trueup.close();
  }
}

/** Installing is declarative, so what an earlier installation had asked for and this one did not is told. */
function changeLines({ now, before }: SyncChange): string[] {
  if (now === null) return [];
  const lines = [`guard: ${now.guard}${now.protect ? '; the ledger is append-only' : ''}`];
  if (before !== null && before.guard !== now.guard) lines.push(`  it was ${before.guard} before`);
  if (before?.protect === true && !now.protect) {
    lines.push('  the ledger is no longer append-only: --protect was not given');
  }
  if (before?.deferred === true && !now.deferred) {
    lines.push('  profiles are no longer deferred: --deferred was not given');
  }
  return lines;
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
  const { triggers, waitingFailures, waitingActivity } = found;
  const sound = triggers.every(({ state }) => state === 'installed');
  return sound && waitingFailures + waitingActivity === 0 && !isStuck(found);
}

function isStuck({ oldestMark }: SyncStatus): boolean {
  return oldestMark !== null && Date.now() - oldestMark.getTime() > LONGEST_WAIT_MS;
}

const STATES: Readonly<Record<SyncStatus['state'], string>> = {
  installed: 'installed',
  missing: 'not installed',
  disabled: 'installed but disabled',
  changed: 'not the one that this mapping asks for',
};

function lines(found: SyncStatus): string {
  const waiting =
    found.oldestFailure === null
      ? 'failures waiting: 0'
      : `failures waiting: ${String(found.waitingFailures)}, the oldest since ` +
        `${found.oldestFailure.toISOString()} (${found.sqlStates.join(', ')}): trueup sync heal`;
  const told = (state: SyncStatus['state']): string =>
    `${STATES[state]}${state === 'installed' ? '' : `: ${found.remedy}`}`;
  const of = (purpose: TriggerStatus['purpose']): string =>
    found.triggers
      .filter((one) => one.purpose === purpose && one.partOf === null)
      .map((one) => `\n  ${one.trigger} on ${one.table}: ${told(one.state)}`)
      .join('');
  return [
    `${found.ledger}: ${told(found.state)}`,
    ...partLines(found.triggers, told),
    `guard: ${found.guard}${of('guard')}`,
    `append-only: ${found.protected ? 'yes' : 'no'}${of('protection')}`,
    waiting,
    ...(found.deferred || found.waitingMarks > 0 ? [marksLine(found)] : []),
    ...(found.withoutHistory === 0 ? [] : [withoutHistoryLine(found.withoutHistory)]),
    ...(found.waitingActivity === 0
      ? []
      : [`activity events waiting: ${String(found.waitingActivity)}: trueup sync heal`]),
  ].join('\n');
}

/** A ledger can have a thousand partitions: those that are well are counted, the others named. */
function partLines(
  triggers: readonly TriggerStatus[],
  told: (state: SyncStatus['state']) => string,
): string[] {
  const onParts = triggers.filter(({ partOf }) => partOf !== null);
  const amiss = onParts.filter(({ state }) => state !== 'installed');
  const tables = new Set(onParts.map(({ table }) => table));
  for (const { table } of amiss) tables.delete(table);
  return [
    ...(tables.size === 0
      ? []
      : [`  on ${String(tables.size)} partitions or tables that inherit: installed`]),
    ...amiss.map((one) => `  ${one.trigger} on ${one.table}: ${told(one.state)}`),
  ];
}

function withoutHistoryLine(wallets: number): string {
  return `${String(wallets)} wallets hold coins from before and have no history of them; no repair takes them away: trueup adopt --opening-balances --dry-run`;
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

async function remove(options: ChangeOptions): Promise<ExitStatus> {
  if (options.plan === true) return plan(options, 'remove');
  if (!(await isThere(options))) return EXIT.ok;
  const trueup = await openTrueup({ ...toTrueupOptions(options), healer: false });
  try {
    await trueup.removeSync();
    print(`sync of ${trueup.mapping.ledger.table.quoted} is removed`);
    return EXIT.ok;
  } finally {
    await trueup.close();
  }
}

/** Asked by a reader, so that a database in which there is nothing to remove gets nothing either. */
async function isThere(options: CommonOptions): Promise<boolean> {
  const trueup = await openTrueup({ ...toTrueupOptions(options), readOnly: true });
  try {
    const there = await trueup.hasSync();
    if (!there) print(`sync of ${trueup.mapping.ledger.table.quoted} was not installed`);
    return there;
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
