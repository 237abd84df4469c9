import { EXIT } from '../../core/exit.js';
import { count } from '../words.js';
import type { ReportRun } from './model.js';
import type { Totals } from './totals.js';

/** The first sentence of a report. */
export interface Verdict {
  readonly level: 'good' | 'warn' | 'bad';
  readonly words: string;
}

/** What a reader has to know if he reads no further. Pure. */
export function verdictOf(run: ReportRun, totals: Totals): Verdict {
  const because = run.error === null ? '' : `: ${run.error}`;
  if (run.state === 'failed') return { level: 'bad', words: `The run failed${because}.` };
  if (run.state === 'stopped' || run.exitStatus === EXIT.rail) {
    return {
      level: 'bad',
      words: `A safety rail stopped the run before it changed anything${because}.`,
    };
  }
  const words = [found(run, totals), ...rest(run, totals)].join(' ');
  const left = totals.findings - (totals.states.get('repaired') ?? 0);
  const critical = totals.states.get('critical') ?? 0;
  if (critical > 0 || (run.counts?.errors ?? 0) > 0) return { level: 'bad', words };
  const complete = run.state === 'finished' && (run.counts?.incomplete ?? null) === null;
  const whole = complete && (run.counts?.skipped ?? 0) === 0;
  return { level: left === 0 && whole ? 'good' : 'warn', words };
}

function found({ dryRun, counts, state }: ReportRun, { findings, states }: Totals): string {
  const repaired = states.get('repaired') ?? 0;
  const checked =
    counts === null ? 'everything that was looked at' : count(counts.checked, 'wallet');
  const whole = state === 'finished' && (counts?.incomplete ?? null) === null;
  if (findings === 0 && !whole) return `Nothing drifted so far: ${checked} checked.`;
  if (findings === 0) return `Nothing drifted: ${checked} checked, and every cache agrees.`;
  if (dryRun) {
    return `${count(findings, 'cache')} differ${findings === 1 ? 's' : ''} from the ledger. This was a dry run: nothing was changed.`;
  }
  if (repaired === findings) {
    return `All that ${whole ? 'had drifted' : 'was found so far'} was repaired: ${count(repaired, 'cache')}.`;
  }
  const left = findings - repaired;
  return `${count(repaired, 'cache')} ${repaired === 1 ? 'was' : 'were'} repaired, and ${count(left, 'finding')} ${left === 1 ? 'is' : 'are'} left.`;
}

function rest({ state, counts }: ReportRun, { states }: Totals): string[] {
  const skipped = counts?.skipped ?? states.get('skipped') ?? 0;
  const errors = counts?.errors ?? 0;
  const review = states.get('review') ?? 0;
  return [
    ...(review > 0
      ? [`${count(review, 'finding')} wait${review === 1 ? 's' : ''} for approval.`]
      : []),
    ...(skipped > 0
      ? [`${count(skipped, 'wallet')} skipped, because others held them locked.`]
      : []),
    ...(errors > 0 ? [`The database refused the repair of ${count(errors, 'wallet')}.`] : []),
    ...(STATES[state] === undefined ? [] : [STATES[state]]),
    ...(state === 'finished' && counts !== null && counts.incomplete !== null
      ? [`Not every wallet was looked at (${counts.incomplete}).`]
      : []),
  ];
}

const STATES: Readonly<Partial<Record<ReportRun['state'], string>>> = {
  running: 'The run is still under way.',
  interrupted: 'The run was interrupted and can be resumed.',
  abandoned: 'The run ended without a word: its process is gone.',
};
