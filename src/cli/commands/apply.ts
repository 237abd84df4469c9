import { openTrueup, type ApplySummary, type ExitStatus } from '../../index.js';
import { interruptible } from '../interrupt.js';
import { listeners } from '../listeners.js';
import { count, shellWord } from '../../operations/words.js';
import { progressView } from '../progress.js';
import type { ReconcileFlags } from '../reconcile-options.js';
import { print, say, toTrueupOptions } from '../shared.js';

/** `trueup reconcile --apply FILE`. */
export async function runApply(flags: ReconcileFlags, file: string): Promise<ExitStatus> {
  const { signal, release } = interruptible();
  const { verbose = false, quiet = false, json = false, dryRun = false } = flags;
  const view = progressView(process.stderr, { verbose, quiet });
  const trueup = await openTrueup({
    ...toTrueupOptions(flags),
    readOnly: dryRun,
    healer: false,
    applicationName: 'trueup reconcile',
  });
  try {
    const { maxRepairs, maxRepairRatio, maxDelta, unattended, failOnDrift, report } = flags;
    const { onFinding, onProblem, onProgress } = listeners(view, {
      json,
      quiet: flags.quiet ?? false,
    });
    const summary = await trueup.applyPlan({
      ...{ file, dryRun, maxRepairs, maxRepairRatio, maxDelta, unattended, failOnDrift, report },
      ...{ signal, onFinding, onProblem, onProgress },
    });
    view.finish();
    print(json ? JSON.stringify({ type: 'summary', ...summary }) : applyLines(summary));
    const next = nextCommand(summary, file, flags.config);
    if (next !== undefined) say(next);
    return summary.exitStatus;
  } finally {
    view.finish();
    release();
    await trueup.close();
  }
}

/** The end of an applied plan, in two lines. */
function applyLines(summary: ApplySummary): string {
  const { planned, checked, drifted, findings, repaired, inSync } = summary;
  const { changed, skipped, errors } = summary;
  const line = Object.entries({
    ...{ planned, checked, drifted, findings, repaired, 'in sync': inSync },
    ...{ changed, skipped, errors },
  })
    .map(([name, number]) => `${name} ${String(number)}`)
    .join('  ');
  return `${line}  seconds ${summary.seconds.toFixed(2)}\n${verdict(summary)}`;
}

function verdict(summary: ApplySummary): string {
  const { dryRun, findings, repaired, inSync, changed, skipped, errors } = summary;
  const { incomplete, rail } = summary;
  const left = findings - repaired;
  const sentences = [
    ...(rail === null ? [] : [`stopped before the first repair: ${rail.message}`]),
    ...(incomplete === null && left + changed + skipped + errors === 0
      ? [
          dryRun || repaired === 0
            ? 'there is nothing to repair'
            : 'all that was planned is repaired',
        ]
      : []),
    ...(!dryRun && left > 0 ? [`${count(left, 'finding')} left as found`] : []),
    ...(inSync > 0 ? [`${count(inSync, 'wallet')} in sync by now`] : []),
    ...(changed > 0 ? [`${count(changed, 'wallet')} not as planned, and left`] : []),
    ...(skipped > 0 ? [`${count(skipped, 'wallet')} locked, and left: apply it again`] : []),
    ...(dryRun && left > 0 ? [`${count(left, 'finding')} as planned`] : []),
    ...(dryRun ? ['dry run: nothing was changed'] : []),
    ...(incomplete === 'interrupted' ? ['incomplete: interrupted'] : []),
  ];
  return sentences.join('; ');
}

/** What is to be typed next, where the plan is not done. */
function nextCommand(
  { dryRun, incomplete, rail }: ApplySummary,
  file: string,
  config: string | undefined,
): string | undefined {
  const named = config === undefined ? '' : ` --config ${shellWord(config)}`;
  if (dryRun || incomplete === null) return undefined;
  if (rail !== null) return `To repair all the same:\n  ${rail.override}${named}`;
  return `It goes on with:\n  trueup reconcile --apply ${shellWord(file)}${named}`;
}
