import { setTimeout as delay } from 'node:timers/promises';
import { Option, type Command } from 'commander';
import {
  EXIT,
  openTrueup,
  VERSION,
  type AlertHooks,
  type ExitStatus,
  type OnEvent,
  type OperateOptions,
  type Trueup,
} from '../../index.js';
import {
  checkOperating,
  hooksFrom,
  withAlertOptions,
  type AlertOptions,
} from '../alert-options.js';
import { duration } from '../durations.js';
import { toRunOptions, withRunFlags, type RunFlags } from '../reconcile-options.js';
import { LOG_FORMATS, logLine, type LogFormat } from '../log.js';
import { toTrueupOptions, withCommonOptions, type CommonOptions } from '../shared.js';
import { stopSignal } from '../stop-signal.js';
import { isWorthWaiting } from '../waiting.js';

interface Options extends CommonOptions, AlertOptions, RunFlags {
  /** false with --no-schedule */
  readonly schedule: string | false;
  readonly timeZone: string;
  readonly fullEvery?: number;
  readonly logFormat: LogFormat;
}

/** The pause before the database is tried again, in milliseconds: first, and at most. */
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;

/** For the healer, the schedule, the alerts and repairs, beside one for each job of a run. */
const FEWEST_CONNECTIONS = 12;

/** Keeps the process alive while nothing else does, in milliseconds. */
const ALIVE_MS = 60_000;

const HELP = `
Exit status:
  0   it was asked to stop (SIGTERM, SIGINT) and did so cleanly
  1   an error that waiting does not mend
  64  wrong usage

A second SIGTERM or SIGINT ends it at once. SIGHUP changes nothing.`;

export function addStart(program: Command, setStatus: (status: ExitStatus) => void): void {
  const command = withCommonOptions(program.command('start'))
    .description('run: nightly checks, healing, holds and alerts, until it is stopped')
    .option('--schedule <cron>', 'when a run is due', '0 3 * * *')
    .option('--no-schedule', 'no runs: only healing, holds and alerts')
    .option('--time-zone <zone>', 'of the schedule, such as Europe/Berlin', 'UTC')
    .option('--full-every <duration>', 'every wallet at least so often (default: 7d)', duration)
    .addOption(
      new Option('--log-format <format>', 'of the log on stderr')
        .choices(LOG_FORMATS)
        .default('pretty'),
    );
  refuseBoth(command);
  withAlertOptions(withRunFlags(command))
    .addHelpText('after', HELP)
    .action(async (options: Options, itself: Command) => {
      const operating = operatingOf(options);
      checkOperating(operating, itself);
      setStatus(await start(options, operating));
    });
}

/** Either would silently win, by which of them comes last. */
function refuseBoth(command: Command): void {
  const seen = new Set<string>();
  for (const name of ['schedule', 'no-schedule']) {
    command.on(`option:${name}`, () => {
      seen.add(name);
      if (seen.size < 2) return;
      command.error('error: --schedule and --no-schedule exclude each other: choose one');
    });
  }
}

function operatingOf(options: Options): OperateOptions {
  const { schedule, timeZone, fullEvery } = options;
  return {
    schedule: schedule === false ? null : schedule,
    timeZone,
    fullEvery,
    reconcile: toRunOptions(options),
    alerts: hooksFrom(options),
  };
}

async function start(options: Options, operating: OperateOptions): Promise<ExitStatus> {
  // A terminal that is gone must not end a process that works on.
  process.stderr.on('error', () => undefined);
  const tell: OnEvent = (event) => {
    process.stderr.write(`${logLine(options.logFormat, new Date(), event)}\n`);
  };
  const { signal, release } = stopSignal(tell);
  const alive = setInterval(() => undefined, ALIVE_MS);
  try {
    tell({ event: 'starting', level: 'info', message: `Trueup ${VERSION} starts` });
    const trueup = await openWhenPossible(options, tell, signal);
    if (trueup !== undefined) await work(trueup, { ...operating, onEvent: tell }, signal);
    tell({ event: 'stopped', level: 'info', message: 'stopped' });
    return EXIT.ok;
  } finally {
    clearInterval(alive);
    release();
  }
}

/** Opens Trueup; a database that is not there yet is waited for. @returns undefined where it was stopped */
async function openWhenPossible(
  options: Options,
  tell: OnEvent,
  signal: AbortSignal,
): Promise<Trueup | undefined> {
  for (let pause = FIRST_PAUSE_MS; !signal.aborted; pause *= 2) {
    try {
      return await openTrueup({
        ...toTrueupOptions(options),
        maxConnections: FEWEST_CONNECTIONS + (options.jobs ?? 1),
        applicationName: 'trueup start',
      });
    } catch (error) {
      if (!isWorthWaiting(error)) throw error;
      const wait = Math.min(pause, LONGEST_PAUSE_MS);
      const message = `${error.message}; trying again in ${String(wait / 1000)} s`;
      tell({ event: 'database_lost', level: 'error', message });
      await delay(wait, undefined, { signal }).catch(() => undefined);
    }
  }
  return undefined;
}

async function work(
  trueup: Trueup,
  operating: OperateOptions & { readonly onEvent: OnEvent },
  signal: AbortSignal,
): Promise<void> {
  const tell = operating.onEvent;
  try {
    trueup.on('heal', ({ healed, failed }) => {
      const message = `healed ${String(healed)}, failed ${String(failed)}`;
      const level = failed === 0 ? 'info' : 'warning';
      tell({ event: 'healed', level, message, details: { healed, failed } });
    });
    await trueup.operate(operating);
    const { schedule, timeZone = 'UTC', alerts = {} } = operating;
    const ledger = trueup.mapping.ledger.table.quoted;
    const when = schedule === null ? 'no runs' : `runs at "${schedule ?? ''}" ${timeZone}`;
    tell({
      event: 'started',
      level: 'info',
      message: `works on ${ledger}: ${when}, ${hookNames(alerts)}`,
      details: { process: process.pid, version: VERSION },
    });
    await aborted(signal);
  } finally {
    await trueup.close();
  }
}

function hookNames({ webhook, command }: AlertHooks): string {
  const names = [
    ...(webhook === undefined ? [] : ['a webhook']),
    ...(command === undefined ? [] : ['a command']),
  ];
  return names.length === 0 ? 'alerts go nowhere' : `alerts go to ${names.join(' and ')}`;
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => {
      resolve();
    });
  });
}
