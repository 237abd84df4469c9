import {
  EXIT,
  openTrueup,
  type ExitStatus,
  type OpeningPlan,
  type OpeningSummary,
  type Trueup,
} from '../../index.js';
import { confirm, type Dialog } from '../ask.js';
import { interruptible } from '../interrupt.js';
import {
  openingJson,
  openingProblemLine,
  openingSummaryLine,
  planJson,
  planLines,
} from '../opening-output.js';
import { toTrueupOptions, type CommonOptions } from '../shared.js';

/** What `trueup adopt --opening-balances` can be told. */
export interface OpeningOptions extends CommonOptions {
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  readonly reason?: string;
  readonly json?: boolean;
  readonly batchSize?: number;
}

/** Shows wallets that hold coins and have no history, and posts an opening entry for each. */
export async function adoptOpenings(options: OpeningOptions, dialog: Dialog): Promise<ExitStatus> {
  const json = options.json ?? false;
  const dryRun = options.dryRun ?? false;
  // Looking needs SELECT only; Trueup's own records are made once somebody has agreed.
  const plan = await withTrueup(options, true, (trueup) =>
    trueup.findOpeningBalances({ reason: options.reason }),
  );
  dialog.print(json ? planJson(plan) : planLines(plan));
  const obstacle = plan.obstacles.join('; ');
  if (plan.wallets.length === 0) return plan.leftCount === 0 ? EXIT.ok : EXIT.drift;
  if (dryRun) {
    if (obstacle !== '') dialog.say(`as it is mapped, nothing can be posted: ${obstacle}`);
    dialog.say('dry run: nothing was changed');
    return EXIT.drift;
  }
  if (obstacle === '' && options.yes !== true) {
    if (!dialog.interactive) {
      dialog.say('nothing was changed: agree with --yes, or run this on a terminal to be asked');
      return EXIT.usage;
    }
    const count = plan.wallets.length;
    const entries = count === 1 ? 'the opening entry' : `${String(count)} opening entries`;
    const question = `Post ${entries} with the reason ${JSON.stringify(plan.reason)}?`;
    if (!(await confirm(dialog, question))) {
      dialog.say('nothing was changed');
      return EXIT.incomplete;
    }
  }
  // With an obstacle it refuses, and then nothing may have been made before.
  const summary = await withTrueup(options, obstacle !== '', (trueup) =>
    post(trueup, plan, options, dialog),
  );
  dialog.print(
    json ? JSON.stringify({ type: 'summary', ...summary }) : openingSummaryLine(summary),
  );
  if (summary.errors > 0) return EXIT.error;
  return summary.skipped > 0 || summary.incomplete !== null ? EXIT.incomplete : EXIT.ok;
}

async function post(
  trueup: Trueup,
  plan: OpeningPlan,
  options: OpeningOptions,
  dialog: Dialog,
): Promise<OpeningSummary> {
  const { signal, release } = interruptible();
  const json = options.json ?? false;
  let said = performance.now();
  try {
    return await trueup.postOpeningBalances(plan, {
      signal,
      ...(options.batchSize === undefined ? {} : { batchSize: options.batchSize }),
      onPosted: (opening) => {
        if (json) dialog.print(openingJson(opening));
      },
      onProblem: (problem) => {
        if (json) dialog.print(JSON.stringify({ type: 'problem', ...problem }));
        else dialog.say(openingProblemLine(problem));
      },
      onProgress: ({ done, total }) => {
        if (performance.now() - said < PROGRESS_STEP_MS) return;
        said = performance.now();
        dialog.say(`${String(done)}/${String(total)} wallets`);
      },
    });
  } finally {
    release();
  }
}

const PROGRESS_STEP_MS = 2_000;

async function withTrueup<Result>(
  options: OpeningOptions,
  readOnly: boolean,
  work: (trueup: Trueup) => Promise<Result>,
): Promise<Result> {
  const trueup = await openTrueup({
    ...toTrueupOptions(options),
    readOnly,
    healer: false,
    applicationName: 'trueup adopt',
  });
  try {
    return await work(trueup);
  } finally {
    await trueup.close();
  }
}
