import { causeWords, FIELD_NAMES } from '../core/phrases.js';
import type {
  ExitStatus,
  OpenFindings,
  RunUnderWay,
  Status,
  StatusRun,
  Verified,
  WatermarkHolder,
} from '../index.js';
import {
  ageWords,
  coinsWords,
  count,
  grouped,
  instantWords,
  percent,
} from '../operations/words.js';

/** How the health of a ledger reads: first the verdict, then what to do, then the facts. */

/** One JSON object; times are text in UTC, coins are decimal text. */
export function statusJson(status: Status): string {
  return JSON.stringify({ type: 'status', ...status });
}

const VERDICTS: Readonly<Record<ExitStatus, string>> = {
  0: 'all is well',
  1: 'THE LAST RUN FAILED',
  2: 'DRIFT IS OPEN',
  3: 'INCOMPLETE',
  4: 'STOPPED BY A SAFETY RAIL',
  64: '',
};

/** The same for people, the same lines on a terminal and in a pipe. */
export function statusLines(status: Status): string {
  const problems = status.problems.flatMap(({ what, remedy }) => [
    `  ${what}`,
    ...(remedy === null ? [] : [`    -> ${remedy}`]),
  ]);
  return [
    `${status.ledger}: ${VERDICTS[status.exitStatus]}`,
    ...problems,
    '',
    ...facts(status).flatMap(([name, value, ...more]) => [
      `${name.padEnd(WIDTH)}${value}`,
      ...more.map((line) => ' '.repeat(WIDTH) + line),
    ]),
  ].join('\n');
}

const WIDTH = 18;

type Fact = readonly [name: string, value: string, ...more: string[]];

function facts(status: Status): Fact[] {
  const { lastRun, lastSuccess, underWay, waiting } = status;
  return [
    ['last run', ...runLines(lastRun)],
    [
      'last success',
      lastSuccess === null
        ? 'never'
        : `${instantWords(lastSuccess.at)}, ${ageWords(lastSuccess.age)} ago`,
    ],
    ...verifiedFacts(status.verified),
    ['open findings', ...openLines(status.open)],
    ['sync failures', waitingLine(waiting.syncFailures, waiting.oldestSyncFailureAge)],
    ['deferred marks', waitingLine(waiting.marks, waiting.oldestMarkAge)],
    ...(waiting.activityFailures === 0
      ? []
      : ([['activity events', waitingLine(waiting.activityFailures, null)]] as Fact[])),
    ...(waiting.alerts === 0
      ? []
      : ([['alerts', `${grouped(String(waiting.alerts))} not delivered`]] as Fact[])),
    ['watermark', watermarkLine(status.watermark)],
    ['under way', ...underWayLines(underWay)],
  ];
}

function runLines(run: StatusRun | null): [string, ...string[]] {
  if (run === null) return ['none is on record'];
  const where = run.host === null ? '' : ` on ${run.host}`;
  const kind = run.scope === 'incremental' ? 'incremental ' : '';
  const status = run.exitStatus === null ? '' : ` with status ${String(run.exitStatus)}`;
  const lines: [string, ...string[]] = [
    `${instantWords(run.endedAt)}, ${ageWords(run.age)} ago: ${kind}run ${run.state}${status}`,
    `${run.runId} by ${run.startedBy}${where}`,
  ];
  if (run.counts !== null) {
    const { checked, drifted, findings, repaired, skipped, errors } = run.counts;
    // A run that a rail stops has only seen who drifted.
    const found = run.state === 'stopped' && findings === 0 ? {} : { findings };
    const numbers = { checked, drifted, ...found, repaired, skipped, errors };
    lines.push(
      Object.entries(numbers)
        .map(([name, number]) => `${name} ${grouped(String(number))}`)
        .join('  '),
    );
  }
  return lines;
}

function verifiedFacts(verified: Verified | null): Fact[] {
  if (verified === null) return [['verified', 'no run has recorded which wallets it verified']];
  const value =
    verified.valueRatio === null ? '' : `, ${percent(verified.valueRatio)} of the coins`;
  const share = `${percent(verified.ratio)} of the wallets${value}, within ${ageWords(verified.cycle)}`;
  const counts = `${grouped(String(verified.wallets))} of ${count(verified.ofWallets, 'wallet')}`;
  return [
    ['verified', share, counts],
    [
      'oldest unverified',
      verified.oldestAt === null || verified.oldestAge === null
        ? 'some were never verified'
        : `since ${instantWords(verified.oldestAt)}, ${ageWords(verified.oldestAge)} ago`,
    ],
  ];
}

const STATES: Readonly<Record<OpenFindings['state'], string>> = {
  reported: 'not repairable',
  review: 'waits for approval',
  critical: 'CRITICAL',
  skipped: 'was locked',
  undone: 'taken back by an undo',
  failed: 'repair refused',
};

function openLines(open: readonly OpenFindings[]): [string, ...string[]] {
  const [first, ...others] = open.map(({ state, part, field, cause, findings, coins }) =>
    [
      count(findings, 'finding'),
      ...(part === null || field === null
        ? []
        : [`${part} ${FIELD_NAMES[field]}`, coinsWords(coins)]),
      ...(cause === null ? [] : [causeWords(cause)]),
      STATES[state],
    ].join(', '),
  );
  return first === undefined ? ['none'] : [first, ...others];
}

function waitingLine(waiting: number, oldest: number | null): string {
  if (waiting === 0) return 'none waiting';
  const since = oldest === null ? '' : `, the oldest for ${ageWords(oldest)}`;
  return `${grouped(String(waiting))} waiting${since}`;
}

function watermarkLine(holder: WatermarkHolder | null): string {
  if (holder === null) return 'nothing holds it back';
  const who =
    holder.prepared === null
      ? `process ${String(holder.pid)}`
      : `the prepared transaction ${holder.prepared}`;
  const whose = [holder.application, holder.database].filter((name) => name !== null).join(' in ');
  const age = holder.age === null ? 'for an unknown time' : `for ${ageWords(holder.age)}`;
  return `held back ${age} by ${who}${whose === '' ? '' : ` (${whose})`}`;
}

function underWayLines(run: RunUnderWay | null): [string, ...string[]] {
  if (run === null) return ['nothing'];
  const where = run.host === null ? '' : ` on ${run.host}`;
  const process = run.process === null ? '' : `, process ${String(run.process)}`;
  const resumed = run.resumed === 0 ? '' : `, resumed ${count(run.resumed, 'time')}`;
  return [
    `run ${run.runId} since ${instantWords(run.startedAt)}, ${ageWords(run.age)}${resumed}`,
    `by ${run.startedBy}${where}${process}`,
    ...progressLine(run),
    ...(run.control === 'run' ? [] : [`told to ${run.control}`]),
    ...(run.waiting === null ? [] : [`waits: ${run.waiting}`]),
  ];
}

function progressLine({ checked, total }: RunUnderWay): string[] {
  if (checked === null) return [];
  const of =
    total === null || total === 0
      ? ''
      : ` of ${grouped(String(total))}, ${percent(Math.min(checked / total, 1))}`;
  return [`checked ${grouped(String(checked))}${of}`];
}
