import type { ReconcileSummary } from '../../reconcile/summary.js';
import { count } from '../words.js';

/**
 * What is worth waking people for, decided from facts. Pure: rows in, conditions out.
 */

/** Everything that an alert can be about. */
export const ALERT_KINDS = [
  'drift', // a run found a cache that is not what the ledger says
  'many_drifted', // more than one user in a hundred
  'critical', // a ledger sum below zero without overdraft; the wallet is frozen
  'review', // a difference too large for a run to repair by itself
  'rail', // a safety rail stopped a run before its first write
  'run_failed',
  'run_incomplete', // twice in a row
  'run_missing', // no run has succeeded for too long
  'unverified', // a wallet was not verified within the cycle
] as const;

export type AlertKind = (typeof ALERT_KINDS)[number];

/** Which of them cannot wait until the morning. */
const URGENT: readonly AlertKind[] = [
  ...(['many_drifted', 'critical', 'rail', 'run_failed', 'run_missing'] as const),
];

export function severityOf(kind: AlertKind): 'critical' | 'warning' {
  return URGENT.includes(kind) ? 'critical' : 'warning';
}

/** More drifted users than this part of all are too many. */
const MANY = 0.01;

/** A night may be late by so much before anybody is woken, in seconds. */
const GRACE_SECONDS = 2 * 60 * 60;

/** Something that is wrong now. */
export interface Condition {
  readonly kind: AlertKind;
  /** A sentence for people. */
  readonly message: string;
  /** What people know by having been told: with another signature it is news. */
  readonly signature: string;
  /** Figures for programs. */
  readonly details: Readonly<Record<string, string | number | null>>;
}

/** What was found out: kinds that are wrong, and kinds that are well. What is in neither is not known. */
export interface Verdict {
  readonly open: readonly Condition[];
  readonly well: readonly AlertKind[];
}

/** The findings of one state that nobody has settled. */
export interface OpenFindings {
  readonly count: number;
  readonly wallets: number;
  /** The same for the same findings, in any order. */
  readonly mark: string;
}

/** What is on record when a run ends, beside its summary. */
export interface RunFacts {
  /** Why the run before it was incomplete; null where it was not, or there was none. */
  readonly incompleteBefore: string | null;
  /** Wallets of the ledger that were ever verified, for a run that looked at a part of them. */
  readonly wallets: number;
  /** Findings that wait: by state. */
  readonly findings: Readonly<Record<string, OpenFindings | undefined>>;
}

/** What a run that has ended tells. */
export function afterRun(summary: ReconcileSummary, facts: RunFacts): Verdict {
  const verdicts = [
    drift(summary, facts),
    manyDrifted(summary, facts),
    failed(summary),
    rail(summary),
    incomplete(summary, facts),
    waiting(facts),
  ];
  return {
    open: verdicts.flatMap(({ open }) => open),
    well: verdicts.flatMap(({ well }) => well),
  };
}

const UNKNOWN: Verdict = { open: [], well: [] };

function opened(
  kind: AlertKind,
  message: string,
  signature: string,
  details: Condition['details'],
): Verdict {
  return { open: [{ kind, message, signature, details }], well: [] };
}

function isWell(kind: AlertKind): Verdict {
  return { open: [], well: [kind] };
}

/** Only a run that looked at all it was to look at can say that nothing drifts. */
function sawAll({ incomplete: reason, skipped, errors }: ReconcileSummary): boolean {
  return reason === null && skipped + errors === 0;
}

/** Drift that was repaired is new every time; drift that is left is news when it is another. */
function drift(summary: ReconcileSummary, { findings }: RunFacts): Verdict {
  if (summary.findings === 0) return sawAll(summary) ? isWell('drift') : UNKNOWN;
  const { drifted, checked, repaired, runId } = summary;
  const left = summary.findings - repaired;
  const marks = Object.entries(findings).map(([state, found]) => `${state} ${found?.mark ?? ''}`);
  const what =
    `${count(drifted, 'user')} drifted (${count(checked, 'wallet')} checked): ` +
    `${count(summary.findings, 'finding')}, ${String(repaired)} repaired` +
    (left > 0 ? `, ${String(left)} left` : '');
  const signature = repaired > 0 ? runId : `${String(left)} ${marks.sort().join(' ')}`;
  return opened('drift', what, signature, { drifted, findings: summary.findings, repaired, left });
}

function manyDrifted(summary: ReconcileSummary, facts: RunFacts): Verdict {
  const { drifted, checked, repaired, runId } = summary;
  const all = Math.max(checked, facts.wallets);
  if (drifted <= all * MANY) return sawAll(summary) ? isWell('many_drifted') : UNKNOWN;
  const share = ((100 * drifted) / all).toFixed(1);
  const message =
    `${count(drifted, 'user')} of ${count(all, 'wallet')} drifted (${share}%): ` +
    'so many at once have one cause; trueup explain, trueup doctor';
  const signature = repaired > 0 ? runId : String(drifted);
  return opened('many_drifted', message, signature, { drifted, wallets: all });
}

function failed({ errors, exitStatus, incomplete: reason }: ReconcileSummary): Verdict {
  if (exitStatus !== 1) return reason === null ? isWell('run_failed') : UNKNOWN;
  const message = `${count(errors, 'wallet')} could not be repaired: the database refused it`;
  return opened('run_failed', message, `errors ${String(errors)}`, { errors });
}

/** A run that did not come to its end. */
export function afterFailure(message: string): Verdict {
  return opened('run_failed', `a run failed: ${message}`, message, {});
}

function rail({ incomplete: reason, rail: stop, drifted, checked }: ReconcileSummary): Verdict {
  if (stop === null) return reason === null ? isWell('rail') : UNKNOWN;
  const message =
    `a safety rail stopped the run before its first repair: ${stop.message}. ` +
    `Where that is right: ${stop.override}`;
  return opened('rail', message, `drifted ${String(drifted)}`, {
    drifted,
    checked,
    rail: stop.rail,
  });
}

function incomplete(summary: ReconcileSummary, { incompleteBefore }: RunFacts): Verdict {
  const now = incompleteness(summary);
  if (now === null) return isWell('run_incomplete');
  if (incompleteBefore === null) return UNKNOWN;
  const message = `two runs in a row are incomplete (${incompleteBefore}, then ${now})`;
  return opened('run_incomplete', message, now, { before: incompleteBefore, now });
}

/** A rail has an alert of its own. */
function incompleteness({ incomplete: reason, skipped }: ReconcileSummary): string | null {
  if (reason === 'rail') return null;
  return reason ?? (skipped > 0 ? 'locked wallets' : null);
}

/** What waits for people, whichever run has found it. */
export function waiting({ findings }: Pick<RunFacts, 'findings'>): Verdict {
  return {
    open: (['critical', 'review'] as const).flatMap((kind) => {
      const found = findings[kind];
      if (found === undefined || found.count === 0) return [];
      const { count, wallets } = found;
      return [
        {
          kind,
          message: WAITING[kind](wallets),
          signature: found.mark,
          details: { count, wallets },
        },
      ];
    }),
    well: (['critical', 'review'] as const).filter((kind) => (findings[kind]?.count ?? 0) === 0),
  };
}

const WAITING = {
  critical: (wallets: number): string =>
    `${count(wallets, 'wallet')}: the ledger's sum is below zero and overdraft is not allowed; ` +
    'what is not frozen can still be spent',
  review: (wallets: number): string =>
    `${count(wallets, 'wallet')} drifted by more than a run repairs by itself: trueup runs approve`,
};

/** What can be said at any time, from the clock of the database. */
export interface ClockFacts {
  /** Seconds since a run last succeeded, or since the schedule began where none has yet. */
  readonly sinceSuccess: number | null;
  readonly everSucceeded: boolean;
  /** Seconds since the wallet that waits longest was verified; null where nobody keeps count. */
  readonly oldestUnverified: number | null;
}

/**
 * What has not happened.
 *
 * @param every seconds from one run to the next; null where nobody runs a schedule here
 * @param cycle seconds within which every wallet is to be verified
 */
export function overdue(facts: ClockFacts, every: number | null, cycle: number): Verdict {
  const parts = [missing(facts, every), unverified(facts, cycle)];
  return { open: parts.flatMap(({ open }) => open), well: parts.flatMap(({ well }) => well) };
}

function missing({ sinceSuccess, everSucceeded }: ClockFacts, every: number | null): Verdict {
  if (every === null || sinceSuccess === null) return UNKNOWN;
  const most = every + GRACE_SECONDS;
  if (sinceSuccess <= most) return everSucceeded ? isWell('run_missing') : UNKNOWN;
  const hours = Math.floor(sinceSuccess / 3600);
  const message = everSucceeded
    ? `no run has succeeded for ${String(hours)} hours; one is due every ${inHours(every)}`
    : `no run has succeeded yet, ${String(hours)} hours after the schedule began`;
  return opened('run_missing', message, 'missing', { hours });
}

function unverified({ oldestUnverified }: ClockFacts, cycle: number): Verdict {
  if (oldestUnverified === null) return UNKNOWN;
  if (oldestUnverified <= cycle + GRACE_SECONDS) return isWell('unverified');
  const message =
    `some wallets were last verified ${inHours(oldestUnverified)} ago; ` +
    `the cycle is ${inHours(cycle)}`;
  return opened('unverified', message, 'overdue', { hours: Math.floor(oldestUnverified / 3600) });
}

function inHours(seconds: number): string {
  return count(Math.round(seconds / 3600), 'hour');
}
