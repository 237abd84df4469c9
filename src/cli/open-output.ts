import { MOST_OPEN, type OpenFinding, type OpenOfRun, type RunDetails } from '../index.js';
import { FIELD_NAMES } from '../core/phrases.js';
import { overrideOf } from '../operations/runs/override.js';
import { grouped, shellWord } from '../operations/words.js';

/** What a run has left open, and what to do about it. Text out. */

/** So many are shown to people: as many as fit on a screen. */
const SHOWN = 20;

const STATES: Readonly<Record<OpenFinding['state'], string>> = {
  reported: 'cannot be repaired',
  review: 'waits for approval',
  critical: 'CRITICAL',
  skipped: 'was skipped',
  failed: 'repair refused',
  undone: 'taken back',
};

/** The open findings of a run as rows: whose, which cache, from what to what, and its state. */
export function openTable({ findings }: OpenOfRun): string[][] {
  return findings.slice(0, SHOWN).map(rowOf);
}

/** How many more there are than are shown, and where. */
export function moreOpen({ total }: OpenOfRun): string[] {
  if (total <= SHOWN) return [];
  const most = grouped(String(MOST_OPEN));
  const where =
    total > MOST_OPEN ? `--json has ${most} of them, trueup report all` : '--json has them all';
  return [`  and ${grouped(String(total - SHOWN))} more; ${where}`];
}

function rowOf(finding: OpenFinding): string[] {
  const { userId, walletId, profileId, state, message } = finding;
  const wallet = walletId === null ? `profile ${profileId ?? '?'}` : `wallet ${walletId}`;
  const whose = [`  ${userId === null ? '' : `user ${userId}`}`, wallet];
  if (finding.part === null) return [...whose, STATES[state], message ?? ''];
  return [...whose, cacheWords(finding), STATES[state]];
}

function cacheWords({ part, field, cached, expected }: OpenFinding): string {
  const names: Readonly<Record<string, string>> = FIELD_NAMES;
  const coins = (value: string | null): string => (value === null ? 'null' : grouped(value));
  const cache = `${part ?? ''} ${names[field ?? ''] ?? field ?? ''}`;
  return `${cache} ${coins(cached)} -> ${coins(expected)}`;
}

/**
 * What can be done about a run, a command a line.
 *
 * @param config the mapping file that was named
 */
export function adviceFor(run: RunDetails, config: string | undefined): string[] {
  const named = config === undefined ? '' : ` --config ${shellWord(config)}`;
  const advice = [...ofOpen(run, named), ...ofEnd(run, named)];
  return advice.length === 0 ? [] : ['', ...advice];
}

function ofOpen({ runId, open }: RunDetails, named: string): string[] {
  if (open.review === 0) return [];
  return [
    `trueup runs approve ${runId} --all${named} repairs what waits for approval (or --wallet-id ID)`,
  ];
}

/** A run that was stopped by a rail would be stopped again: its command says what else may be done. */
function ofEnd(run: RunDetails, named: string): string[] {
  const override = run.state === 'stopped' ? overrideOf(run.counts) : null;
  if (override !== null) {
    return [
      'To repair all the same (see first what drifted, with --dry-run or trueup report):',
      `  ${override}${named}`,
    ];
  }
  const isOver = run.state === 'finished' || run.state === 'running';
  if (run.kind !== 'reconcile' || isOver) return [];
  return [`trueup reconcile --resume ${run.runId}${named} goes on with it`];
}
