import { resolve } from 'node:path';
import { Option, type Command } from 'commander';
import {
  EXIT,
  printSchedule,
  Schedule,
  SCHEDULERS,
  VERSION,
  type ExitStatus,
  type SchedulerName,
} from '../../index.js';
import { checkNightFlags } from '../night-flags.js';
import { fileName } from '../shared.js';
import { asUsage } from '../usage.js';

interface Options {
  readonly print: SchedulerName;
  readonly schedule: string;
  readonly timeZone: string;
  readonly config?: string;
  readonly image: string;
}

const HELP = `
What comes after -- is handed to the run: trueup schedule --print cron -- --jobs 2
With --since-checkpoint there it is an incremental run. Flags that reconcile would refuse are refused now.

It only prints: nothing is installed. "trueup start" needs none of it, for it has a schedule of its own.`;

export function addSchedule(program: Command, setStatus: (status: ExitStatus) => void): void {
  program
    .command('schedule')
    .description('print what cron, systemd or Kubernetes need to run reconcile every night')
    .argument('[flags...]', 'more flags of the run, after --')
    .addOption(
      new Option('--print <scheduler>', 'for which scheduler')
        .choices(SCHEDULERS)
        .makeOptionMandatory(),
    )
    .option('--schedule <cron>', 'when a run is due', '0 3 * * *')
    .option('--time-zone <zone>', 'of the schedule, such as Europe/Berlin', 'UTC')
    .option(
      '--config <file>',
      'the mapping file of the run (default: trueup.config.json)',
      fileName,
    )
    .option('--image <image>', 'with k8s: the image that holds Trueup', `trueup:${VERSION}`)
    .addHelpText('after', HELP)
    .action((flags: readonly string[], options: Options, command: Command) => {
      checkNightFlags(flags, command);
      const text = asUsage(command, () => print(options, flags));
      process.stdout.write(text);
      setStatus(EXIT.ok);
    });
}

function print(options: Options, flags: readonly string[]): string {
  const { print: name, schedule, timeZone, config, image } = options;
  // In an image the file is somewhere else than here.
  const file = config === undefined || name === 'k8s' ? config : resolve(config);
  return printSchedule(name, new Schedule(schedule, timeZone), {
    program: [process.execPath, resolve(process.argv[1] ?? 'trueup')],
    folder: process.cwd(),
    flags: [...(file === undefined ? [] : ['--config', file]), ...flags],
    image,
  });
}
