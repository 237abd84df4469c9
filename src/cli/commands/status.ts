import type { Command } from 'commander';
import { EXIT, openTrueup, type ExitStatus } from '../../index.js';
import { duration } from '../durations.js';
import { print, toTrueupOptions, withCommonOptions, type CommonOptions } from '../shared.js';
import { statusJson, statusLines } from '../status-output.js';

interface StatusCommandOptions extends CommonOptions {
  readonly json?: boolean;
  readonly prometheus?: boolean;
  readonly maxAge?: number;
  readonly cycle?: number;
}

const EXIT_STATUSES = `
Exit status, the first that applies:
  1  the last run failed
  4  a safety rail stopped the last run
  2  drift is open
  3  the last run is incomplete, or there was no complete check within --max-age
  0  all is well; with --prometheus always
  64 wrong usage`;

export function addStatus(program: Command, setStatus: (status: ExitStatus) => void): void {
  withCommonOptions(program.command('status'))
    .description(
      'how the ledger is, from the records of its runs; compares nothing, and needs no right but SELECT',
    )
    .option('--json', 'one JSON object')
    .option('--prometheus', 'metrics in the text format of Prometheus')
    .option('--max-age <time>', 'how old the last complete check may be (default: 26h)', duration)
    .option('--cycle <time>', 'within which every wallet is to be verified (default: 7d)', duration)
    .addHelpText('after', EXIT_STATUSES)
    .action(async (options: StatusCommandOptions, command: Command) => {
      if (options.json === true && options.prometheus === true) {
        command.error('error: --json and --prometheus exclude each other: choose one');
      }
      setStatus(await run(options));
    });
}

async function run(options: StatusCommandOptions): Promise<ExitStatus> {
  const trueup = await openTrueup({
    ...toTrueupOptions(options),
    readOnly: true,
    maxConnections: 1,
    applicationName: 'trueup status',
  });
  try {
    const { maxAge, cycle } = options;
    if (options.prometheus === true) {
      process.stdout.write(await trueup.metrics({ maxAge, cycle }));
      return EXIT.ok;
    }
    const status = await trueup.status({ maxAge, cycle });
    print(options.json === true ? statusJson(status) : statusLines(status));
    return status.exitStatus;
  } finally {
    await trueup.close();
  }
}
