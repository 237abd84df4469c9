import { randomUUID } from 'node:crypto';
import type { Tally } from '../core/drift.js';
import { exitStatusOf, type ExitStatus } from '../core/exit.js';
import type { ResolvedMapping } from '../mapping/model.js';
import type { Database } from '../postgres/database.js';
import type { Checkpoint } from './checkpoint.js';
import type { CheckedOptions } from './options.js';
import type { Verdict } from './rails.js';
import type { RunRecord } from './record.js';
import type { Seen } from './record-statements.js';
import type { Incomplete, StagesEnd } from './stages.js';
import { dropSuspects } from './survey-statements.js';
import { markVerified } from './verification.js';

/** How a run ended. */
export interface ReconcileSummary extends Tally {
  /** Of a dry run nothing is on record under it. */
  readonly runId: string;
  readonly dryRun: boolean;
  /** How often the run was resumed. */
  readonly resumed: number;
  readonly seconds: number;
  /** Why not everything was done; null where it was. */
  readonly incomplete: Incomplete | 'rail' | null;
  /** The safety rail that stopped the run before its first repair, and the command that overrides it. */
  readonly rail: Verdict | null;
  readonly exitStatus: ExitStatus;
}

interface Run {
  readonly database: Database;
  readonly mapping: ResolvedMapping;
  readonly options: CheckedOptions;
  /** Of this process; milliseconds of a monotonic clock. */
  readonly began: number;
}

/** Sums up a run. */
export function summaryOf(
  { options, began }: Run,
  done: {
    readonly tally: Tally;
    readonly end: StagesEnd;
    readonly record: RunRecord | undefined;
  },
): ReconcileSummary {
  const { tally, end, record } = done;
  const stop = isStop(end) ? end : null;
  const rail =
    stop === null || record === undefined
      ? null
      : {
          rail: stop.rail,
          message: stop.message,
          override: `trueup reconcile --resume ${record.id} ${stop.override}`,
        };
  return {
    runId: record?.id ?? randomUUID(),
    dryRun: options.dryRun,
    ...tally,
    ...(stop === null ? {} : { drifted: stop.drifted }),
    resumed: record?.resumed ?? 0,
    seconds: Math.round(performance.now() - began) / 1000,
    incomplete: isStop(end) ? 'rail' : end,
    rail,
    exitStatus: exitStatusOf(tally, {
      incomplete: end !== null,
      failOnDrift: options.failOnDrift ?? false,
      rail: rail !== null,
    }),
  };
}

/** Counts a run from its records, closes what earlier ones had left open, and ends it. */
export async function concludeRun(
  run: Run,
  done: {
    readonly record: RunRecord;
    readonly end: StagesEnd;
    readonly point: Checkpoint;
    readonly walletIds: readonly string[] | undefined;
  },
): Promise<ReconcileSummary> {
  const { database, mapping } = run;
  const { record, end, point, walletIds } = done;
  const { counts, leftWrong } = await record.counts();
  const tally = { checked: point.checked, ...counts };
  const summary = summaryOf(run, { tally, end, record });
  const seen = seenOf(mapping, { end, point, walletIds });
  if (seen !== null) await record.settle(seen);
  if (end === null) {
    await database.query(dropSuspects(record.id));
    if (walletIds === undefined && point.since !== null && !leftWrong) {
      await markVerified(database, mapping, point.since);
    }
  }
  await record.end({
    state: end === null ? 'finished' : isStop(end) ? 'stopped' : 'interrupted',
    exitStatus: summary.exitStatus,
    counts: summary,
    error: summary.rail?.message ?? null,
  });
  return summary;
}

/** Which wallets a run has done with; null: none, or not in any order. */
function seenOf(
  mapping: ResolvedMapping,
  {
    end,
    point,
    walletIds,
  }: {
    readonly end: StagesEnd;
    readonly point: Checkpoint;
    readonly walletIds: readonly string[] | undefined;
  },
): Seen | null {
  // What a survey has only looked at is not done with.
  if (point.survey && end !== null && end !== 'limit') return null;
  if (walletIds !== undefined) {
    const upTo = point.walked ? walletIds.length : walletIds.indexOf(point.above ?? '') + 1;
    return { kind: 'ids', walletIds: walletIds.slice(0, upTo) };
  }
  if (end === null) return { kind: 'all' };
  if (point.above === null) return null;
  return { kind: 'upTo', walletId: point.above, type: mapping.wallet.id.baseType };
}

function isStop(end: StagesEnd): end is Exclude<StagesEnd, Incomplete | null> {
  return typeof end === 'object' && end !== null;
}
