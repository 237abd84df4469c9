import type {
  ApproveSummary,
  NotApproved,
  Run,
  RunDetails,
  UndoLeft,
  UndoSummary,
} from '../index.js';
import { FIELD_NAMES } from '../core/phrases.js';
import { adviceFor, moreOpen, openTable } from './open-output.js';
import { coinsWords, count as countWords, grouped, times } from '../operations/words.js';
import { table } from './table.js';

/** How runs on record read. Text out, nothing is printed here. */

/** Characters of an id that a person needs: enough to be unique among millions of runs. */
const SHORT = 8;

const HEAD = [
  'run',
  'started (UTC)',
  'kind',
  'state',
  'checked',
  'drifted',
  'repaired',
  'took',
  'by',
];

/** A table of runs, one a line. */
export function runsTable(runs: readonly Run[]): string {
  if (runs.length === 0) return 'there is no run on record';
  return table([HEAD, ...runs.map(cellsOf)]);
}

function cellsOf(run: Run): string[] {
  return [
    run.runId.slice(0, SHORT),
    run.startedAt.replace('T', ' ').slice(0, 19),
    run.kind === 'reconcile' ? run.scope : run.kind,
    stateOf(run),
    ...['checked', 'drifted', 'repaired'].map((name) => count(run.counts[name])),
    span(run.seconds),
    placeOf(run),
  ];
}

function stateOf(run: Run): string {
  const state = run.state === 'running' && run.waiting !== null ? 'waiting' : run.state;
  return run.exitStatus === null || run.exitStatus === 0
    ? state
    : `${state} (${String(run.exitStatus)})`;
}

/** It has not said how it ended, and it has. */
function isUnsaid(run: Run): boolean {
  return run.state === 'abandoned' && run.finishedAt === null;
}

function placeOf({ startedBy, host }: Run): string {
  return host === null ? startedBy : `${startedBy} on ${host}`;
}

/**
 * Everything that is on record about one run.
 *
 * @param config the mapping file that was named: the commands name it too
 */
export function runLines(run: RunDetails, config?: string): string {
  return [
    `run ${run.runId}`,
    table(factsOf(run).map(([name, value]) => [`  ${name}`, value])),
    ...section('what it found', foundTable(run)),
    ...section('its largest repairs', largestTable(run)),
    ...section(`what is open, ${count(run.open.total)} in all`, openTable(run.open)),
    ...moreOpen(run.open),
    ...adviceFor(run, config),
  ].join('\n');
}

function factsOf(run: RunDetails): [string, string][] {
  const silent =
    run.silentFor === null ? [] : [['last sign of life', `${span(run.silentFor)} ago`]];
  const told = run.state === 'running' && run.control !== 'run' ? [['told to', run.control]] : [];
  const facts = [
    ['kind', run.kind === 'reconcile' ? `reconcile, ${run.scope}` : run.kind],
    ['state', isUnsaid(run) ? `${stateOf(run)}: its process is gone` : stateOf(run)],
    ['started', `${run.startedAt} by ${placeOf(run)}${processOf(run)}`],
    ['took', `${span(run.seconds)}${run.resumed > 0 ? `, resumed ${times(run.resumed)}` : ''}`],
    ['version', run.version],
    ['options', optionsOf(run)],
    ['counts', countsOf(run)],
    ...(run.state !== 'running' || run.waiting === null ? [] : [['waits', run.waiting]]),
    ...told,
    ...silent,
    ...(run.error === null ? [] : [['error', run.error]]),
  ];
  return facts.map(([name = '', value = '']) => [name, value]);
}

const COUNTED = [
  ['checked', 'checked'],
  ['drifted', 'users drifted'],
  ['findings', 'findings'],
  ['repaired', 'repaired'],
  ['review', 'for review'],
  ['critical', 'critical'],
  ['skipped', 'skipped'],
  ['errors', 'errors'],
  ['wallets', 'wallets'],
  ['undone', 'undone'],
  ['left', 'left'],
] as const;

function countsOf({ counts, state }: Run): string {
  // A run that a rail stops has only seen who drifted.
  const unexplained = state === 'stopped' && counts['findings'] === 0;
  const parts = COUNTED.filter(([name]) => !(unexplained && name === 'findings')).flatMap(
    ([name, words]) =>
      typeof counts[name] === 'number' ? [`${count(counts[name])} ${words}`] : [],
  );
  return parts.length === 0 ? 'none yet' : parts.join(', ');
}

function optionsOf({ options, unattended }: Run): string {
  const given = Object.entries(options)
    .filter(([, value]) => value !== false && value !== null)
    .map(([name, value]) =>
      value === true
        ? name
        : `${name} ${typeof value === 'string' ? value : JSON.stringify(value)}`,
    );
  return [...given, ...(unattended && !given.includes('unattended') ? ['unattended'] : [])].join(
    ', ',
  );
}

function processOf({ process }: Run): string {
  return process === null ? '' : `, process ${String(process)}`;
}

function foundTable({ found }: RunDetails): string[][] {
  return found.map((row) => [
    `  ${row.state}`,
    row.part === null ? '' : `${row.part} ${nameOf(row.field)}`,
    row.cause ?? '',
    times(Number(row.count)),
    coinsWords(row.coins),
  ]);
}

function largestTable({ largest }: RunDetails): string[][] {
  return largest.map((row) => [
    `  ${row.userId === null ? `wallet ${row.walletId}` : `user ${row.userId}`}`,
    `${row.part} ${nameOf(row.field)}`,
    `${row.before === null ? 'null' : grouped(row.before)} -> ${grouped(row.after)}`,
    row.cause,
  ]);
}

function nameOf(field: string | null): string {
  const names: Readonly<Record<string, string>> = FIELD_NAMES;
  return field === null ? '' : (names[field] ?? field);
}

function section(title: string, rows: string[][]): string[] {
  return rows.length === 0 ? [] : ['', `${title}:`, table(rows)];
}

export function leftLine({ walletId, userId, message }: UndoLeft | NotApproved): string {
  const who = userId === null ? '' : ` of user ${userId}`;
  return `wallet ${walletId}${who} is left: ${message}`;
}

/** The end of an approval, in two or three lines. */
export function approveLines(summary: ApproveSummary): string {
  const { wallets, approved, inSync, left, skipped, approves, interrupted, runId } = summary;
  if (wallets === 0) return `run ${approves}: nothing waits for approval`;
  return [
    `${countWords(wallets, 'wallet')} of run ${approves}: ${count(approved)} repaired, ${count(inSync)} in sync by now, ${count(left)} left, ${count(skipped)} locked`,
    ...(interrupted ? ['interrupted: the others go on waiting'] : []),
    ...(approved === 0 ? [] : [`on record as run ${runId}, which trueup undo takes back`]),
  ].join('\n');
}

/** The end of an undo, in two or three lines. */
export function undoLines(summary: UndoSummary): string {
  const { wallets, undone, left, skipped, dryRun, undoes, interrupted, runId } = summary;
  if (wallets === 0) return `run ${undoes}: nothing is left to undo`;
  const would = dryRun ? 'would be undone' : 'undone';
  return [
    `${countWords(wallets, 'wallet')} repaired by run ${undoes}: ${count(undone)} ${would}, ${count(left)} left, ${count(skipped)} locked`,
    ...(interrupted ? ['interrupted: the same command goes on with the rest'] : []),
    ...(dryRun || undone === 0
      ? []
      : [
          `on record as run ${runId}. The ledger says otherwise: the next trueup reconcile will find these caches again`,
        ]),
  ].join('\n');
}

function count(value: unknown): string {
  return typeof value === 'number' ? grouped(String(value)) : '';
}

function span(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 120) return `${String(whole)} s`;
  if (whole < 7_200) return `${String(Math.round(whole / 60))} min`;
  return whole < 172_800
    ? `${String(Math.round(whole / 3_600))} h`
    : `${String(Math.round(whole / 86_400))} days`;
}
