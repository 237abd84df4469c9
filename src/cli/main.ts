import { Command, CommanderError } from 'commander';
import { EXIT, VERSION, type ExitStatus } from '../index.js';
import { addAdopt } from './commands/adopt.js';
import { addBench } from './commands/bench.js';
import { addDemo } from './commands/demo.js';
import { addDoctor } from './commands/doctor.js';
import { addExplain } from './commands/explain.js';
import { addMigrate } from './commands/migrate.js';
import { addReconcile } from './commands/reconcile.js';
import { addReport } from './commands/report.js';
import { addRuns } from './commands/runs.js';
import { addSchedule } from './commands/schedule.js';
import { addStart } from './commands/start.js';
import { addStatus } from './commands/status.js';
import { addSync } from './commands/sync.js';
import { addUndo } from './commands/undo.js';
import { guardOutput } from './interrupt.js';
import { errorLines } from './output.js';
import { say } from './shared.js';

/**
 * Runs one command. Only here the exit status is set, and the process ends by itself once
 * everything is closed.
 */
export async function main(argv: readonly string[]): Promise<void> {
  const withOutput = guardOutput();
  let status: ExitStatus = EXIT.ok;
  const setStatus = (value: ExitStatus): void => {
    status = value;
  };
  const program = new Command('trueup')
    .description('a ledger-first coin economy for PostgreSQL')
    .version(VERSION)
    .exitOverride()
    .showHelpAfterError('(--help shows what is possible)');
  addStart(program, setStatus);
  addSchedule(program, setStatus);
  addAdopt(program, setStatus);
  addReconcile(program, setStatus);
  addRuns(program, setStatus);
  addUndo(program, setStatus);
  addExplain(program, setStatus);
  addSync(program, setStatus);
  addStatus(program, setStatus);
  addReport(program, setStatus);
  addDoctor(program, setStatus);
  addMigrate(program, setStatus);
  addDemo(program, setStatus);
  addBench(program, setStatus);
  try {
    await program.parseAsync(argv, { from: 'user' });
  } catch (error) {
    status = failure(error);
  }
  process.exitCode = withOutput(status);
}

function failure(error: unknown): ExitStatus {
  // Commander has printed its message already; help and version count as success.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  say(errorLines(error));
  return EXIT.error;
}
