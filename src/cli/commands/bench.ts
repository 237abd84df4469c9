import { Argument, InvalidArgumentError, type Command } from 'commander';
import { figureJson, figureLines } from '../../bench/report.js';
import { BENCH_GROUPS, runBench, scenariosOf } from '../../bench/run.js';
import { EXIT, type ExitStatus } from '../../index.js';
import { positiveInteger, print, say } from '../shared.js';

interface Options {
  readonly scenario?: string;
  readonly seconds: number;
  readonly databaseUrl?: string;
  readonly scale: number;
  readonly json?: boolean;
}

export function addBench(program: Command, setStatus: (status: ExitStatus) => void): void {
  program
    .command('bench')
    .description('figures beside their baselines, on a database of its own')
    .addArgument(new Argument('<group>', 'what is measured').choices(BENCH_GROUPS))
    .option('--scenario <name>', 'only this one')
    .option('--seconds <n>', 'length of each timed round', positiveInteger, 4)
    .option('--database-url <url>', 'a server to measure on (default: DATABASE_URL, else embedded)')
    .option('--scale <factor>', 'a part of the full size', factor, 1)
    .option('--json', 'one JSON line a scenario')
    .action(async (group: string, options: Options, command: Command) => {
      const { scenario } = options;
      const scenarios = scenariosOf(group);
      if (scenario !== undefined && !scenarios.includes(scenario)) {
        command.error(
          `error: group ${group} has no scenario ${scenario}; its scenarios are ${scenarios.join(', ')}`,
        );
      }
      await runBench(group, {
        options,
        say,
        report: (figure) => {
          print(options.json === true ? figureJson(figure) : figureLines(figure));
        },
      });
      setStatus(EXIT.ok);
    });
}

function factor(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 10))
    throw new InvalidArgumentError('Give a number above 0, up to 10.');
  return value;
}
