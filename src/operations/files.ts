import type { ResolvedMapping } from '../mapping/model.js';
import type { Database } from '../postgres/database.js';
import type { CheckedOptions } from '../reconcile/options.js';
import type { ReconcileSummary } from '../reconcile/summary.js';
import { livePlan } from './plan/write.js';
import { liveReport } from './report/live.js';

/** What listens to a run and writes a file of it. */
type Listener = Awaited<ReturnType<typeof liveReport>>;

/**
 * Runs reconcile with the files that were asked for: a report, a plan. They are begun before the run, so
 * that what cannot be written stops it before it has done anything, and put in their places at its end.
 *
 * @throws TrueupError `file_unwritable`, `invalid_argument`, and whatever the run throws
 */
export async function withFiles(
  source: { readonly database: Database; readonly mapping: ResolvedMapping },
  options: CheckedOptions,
  run: (options: CheckedOptions) => Promise<ReconcileSummary>,
): Promise<ReconcileSummary> {
  const { report, plan } = options;
  const listeners: Listener[] = [];
  try {
    if (report !== undefined) listeners.push(await liveReport(source, report, options));
    if (plan !== undefined) listeners.push(await livePlan(source, plan, options));
    const summary = await run(listeners.length === 0 ? options : listening(options, listeners));
    for (const listener of listeners) await listener.complete(summary);
    return summary;
  } finally {
    for (const listener of listeners) listener.abandon();
  }
}

function listening(options: CheckedOptions, listeners: readonly Listener[]): CheckedOptions {
  return {
    ...options,
    onFinding: (finding) => {
      for (const listener of listeners) listener.found(finding);
      options.onFinding?.(finding);
    },
    onProblem: (problem) => {
      for (const listener of listeners) listener.problem(problem);
      options.onProblem?.(problem);
    },
  };
}
