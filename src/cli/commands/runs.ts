import type { Command } from 'commander';
import {
  EXIT,
  MOST_OPEN,
  openTrueup,
  type ExitStatus,
  type Steering,
  type Trueup,
} from '../../index.js';
import { grouped } from '../../operations/words.js';
import { addApprove } from './runs-approve.js';
import { addReport } from './report.js';
import { runLines, runsTable } from '../runs-output.js';
import {
  positiveIntegerTo,
  print,
  toTrueupOptions,
  withCommonOptions,
  type CommonOptions,
} from '../shared.js';

interface Options extends CommonOptions {
  readonly json?: boolean;
}

interface ListOptions extends Options {
  readonly limit?: number;
  readonly all?: boolean;
}

const MOST_LISTED = 10_000;

const WHICH = 'its id, the first characters of it, or "last"';

const TOLD: Readonly<Record<Steering, { does: string; said: string }>> = {
  pause: { does: 'have a run under way wait', said: 'waits after its batch' },
  resume: { does: 'let a run that was paused go on', said: 'goes on' },
  stop: {
    does: 'end a run under way after its batch; it can be resumed',
    said: 'ends after its batch',
  },
};

/** `trueup runs`: what is on record, and what a run under way is told. */
export function addRuns(program: Command, setStatus: (status: ExitStatus) => void): void {
  const runs = program.command('runs').description('runs on record: list, show, steer, approve');
  withCommonOptions(runs.command('list', { isDefault: true }))
    .description('the last runs, the newest first')
    .option('--limit <n>', 'so many at most (default: 20)', positiveIntegerTo(MOST_LISTED))
    .option('--all', 'also passes of the healer, and repairs of single wallets')
    .option('--json', 'JSON Lines')
    .action(async ({ json, limit, all, ...common }: ListOptions) => {
      await withTrueup(common, true, async (trueup) => {
        const list = await trueup.runs({ limit, all });
        if (json === true) for (const run of list) print(JSON.stringify({ type: 'run', ...run }));
        else print(runsTable(list));
      });
      setStatus(EXIT.ok);
    });
  withCommonOptions(runs.command('show'))
    .description('one run: options, counts, what it found, its largest repairs, what is open')
    .argument('[run]', `${WHICH}: the last of any kind (default)`, 'last')
    .option('--json', `one JSON object, with up to ${grouped(String(MOST_OPEN))} open findings`)
    .action(async (which: string, { json, ...common }: Options) => {
      await withTrueup(common, true, async (trueup) => {
        const run = await trueup.run(which);
        print(
          json === true ? JSON.stringify({ type: 'run', ...run }) : runLines(run, common.config),
        );
      });
      setStatus(EXIT.ok);
    });
  addApprove(runs, setStatus);
  addReport(runs, setStatus);
  for (const action of ['pause', 'resume', 'stop'] as const) {
    withCommonOptions(runs.command(action))
      .description(TOLD[action].does)
      .argument('[run]', `${WHICH}: the one under way (default)`, 'last')
      .action(async (which: string, common: CommonOptions) => {
        await withTrueup(common, false, async (trueup) => {
          const { runId } = await trueup.steer({ run: which, action });
          print(`run ${runId} ${TOLD[action].said}`);
        });
        setStatus(EXIT.ok);
      });
  }
}

async function withTrueup(
  common: CommonOptions,
  readOnly: boolean,
  work: (trueup: Trueup) => Promise<void>,
): Promise<void> {
  const trueup = await openTrueup({
    ...toTrueupOptions(common),
    readOnly,
    healer: false,
    applicationName: 'trueup runs',
  });
  try {
    await work(trueup);
  } finally {
    await trueup.close();
  }
}
