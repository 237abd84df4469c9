import { InvalidArgumentError, type Command } from 'commander';
import { examineDatabase, isCheckId, type CheckId, type ExitStatus } from '../../index.js';
import { doctorFindingJson, doctorLines, doctorSummaryJson } from '../doctor-output.js';
import {
  positiveInteger,
  print,
  toTrueupOptions,
  withCommonOptions,
  type CommonOptions,
} from '../shared.js';

interface DoctorCommandOptions extends CommonOptions {
  readonly json?: boolean;
  readonly skip?: readonly CheckId[];
  readonly transactionSeconds?: number;
}

export function addDoctor(program: Command, setStatus: (status: ExitStatus) => void): void {
  withCommonOptions(program.command('doctor'))
    .description(
      'what the caches rely on, and what mends it; reads only (status 2: something is amiss, 3: not all could be checked)',
    )
    .option('--json', 'JSON Lines on stdout')
    .option('--skip <check>', 'leave a check out; may be repeated', collectChecks)
    .option(
      '--transaction-seconds <n>',
      'tell transactions that are open for longer (default: 300)',
      positiveInteger,
    )
    .action(async (options: DoctorCommandOptions) => {
      const { skip, transactionSeconds } = options;
      const report = await examineDatabase({
        ...toTrueupOptions(options),
        skip,
        transactionSeconds,
      });
      const lines =
        options.json === true
          ? [...report.findings.map(doctorFindingJson), doctorSummaryJson(report)]
          : doctorLines(report, process.stdout.isTTY);
      for (const line of lines) print(line);
      setStatus(report.exitStatus);
    });
}

function collectChecks(value: string, earlier: readonly CheckId[] = []): CheckId[] {
  if (isCheckId(value)) return [...earlier, value];
  throw new InvalidArgumentError('There is no such check; docs/doctor.md has them all.');
}
