import { randomUUID } from 'node:crypto';
import type { Tally } from '../core/drift.js';
import { exitStatusOf, type ExitStatus } from '../core/exit.js';
import type { ResolvedMapping } from '../mapping/model.js';
import type { Database, Queryable } from '../postgres/database.js';
import type { Checkpoint } from './checkpoint.js';
import type { IncrementalPlan } from './incremental.js';
import type { CheckedOptions } from './options.js';
import type { Verdict } from './rails.js';
import type { RunRecord } from './record.js';
import type { Seen } from './record-statements.js';
import { forgetOldFindings } from './retention.js';
import type { Incomplete, StagesEnd } from './stages.js';
import { dropSuspects } from './survey-statements.js';
import { tiersOf } from './tiers.js';
import { recordVerified, verifiedFacts, type VerifiedFacts } from './verified.js';
import { markVerified } from './verification.js';

/** How a run ended. */
export interface ReconcileSummary extends Tally, VerifiedFacts {
  /** Of a dry run nothing is on record under it. */
  readonly runId: string;
  readonly dryRun: boolean;
  /** Which wallets it was about; an incremental run may have looked at all: see wholeBecause. */
  readonly scope: 'all' | 'incremental' | 'some';
  /** How often the run was resumed. */
  readonly resumed: number;
  readonly seconds: number;
  /** Why not everything was done; null where it was. */
  readonly incomplete: Incomplete | 'rail' | null;
  /**
   * The safety rail that stopped the run before its first repair, and the command that overrides it. Of a
   * dry run: the rail that would stop one that repairs; what the dry run ends with is not changed by it.
   */
  readonly rail: Verdict | null;
  readonly exitStatus: ExitStatus;
}

/**
 * What has to be on record together with the end of a run. It is called in that transaction, and again
 * where nobody knows whether it was committed.
 */
export type AtEnd = (session: Queryable, summary: ReconcileSummary) => Promise<void>;

interface Run {
  readonly database: Database;
  readonly mapping: ResolvedMapping;
  readonly options: CheckedOptions;
  /** Of this process; milliseconds of a monotonic clock. */
  readonly began: number;
  readonly atEnd?: AtEnd | undefined;
}

/** Sums up a run. */
export function summaryOf(
  { options, began }: Run,
  done: {
    readonly tally: Tally;
    readonly end: StagesEnd;
    readonly record: RunRecord | undefined;
    readonly verified: VerifiedFacts;
    /** Of a dry run: what would stop one that repairs. */
    readonly foreseen?: Verdict | null | undefined;
  },
): ReconcileSummary {
  const { tally, end, record, verified } = done;
  const stop = isStop(end) ? end : null;
  const rail = railOf(stop ?? done.foreseen ?? null, record);
  return {
    runId: record?.id ?? randomUUID(),
    dryRun: options.dryRun,
    scope: scopeOf(options),
    ...tally,
    ...(stop === null ? {} : { drifted: stop.drifted }),
    resumed: record?.resumed ?? 0,
    seconds: Math.round(performance.now() - began) / 1000,
    incomplete: isStop(end) ? 'rail' : end,
    rail,
    ...verified,
    exitStatus: exitStatusOf(tally, {
      incomplete: end !== null,
      failOnDrift: options.failOnDrift ?? false,
      rail: stop !== null,
    }),
  };
}

function railOf(verdict: Verdict | null, record: RunRecord | undefined): Verdict | null {
  if (verdict === null) return null;
  const { rail, message, override } = verdict;
  const resumed = record === undefined ? '' : ` --resume ${record.id}`;
  return { rail, message, override: `trueup reconcile${resumed} ${override}` };
}

/** Which wallets a run is about. */
export function scopeOf({ userIds, sinceCheckpoint }: CheckedOptions): ReconcileSummary['scope'] {
  if (userIds !== undefined) return 'some';
  return sinceCheckpoint ? 'incremental' : 'all';
}

/** Counts a run from its records, closes what earlier ones had left open, and ends it. */
export async function concludeRun(
  run: Run,
  done: {
    readonly record: RunRecord;
    readonly end: StagesEnd;
    readonly point: Checkpoint;
    readonly walletIds: readonly string[] | undefined;
    readonly plan: IncrementalPlan | undefined;
  },
): Promise<ReconcileSummary> {
  const { database, mapping } = run;
  const { record, end, point, walletIds, plan } = done;
  record.checkLease();
  await recordVerified(database, mapping, { runId: record.id, end, point, plan });
  const verified = await verifiedFacts(database, mapping, point);
  const { counts, leftWrong } = await record.counts();
  const tally = { checked: point.checked, ...counts };
  const summary = summaryOf(run, { tally, end, record, verified });
  const seen = seenOf(mapping, { end, point, walletIds, plan });
  if (seen !== null) await record.settle(seen, tiersOf(run.options) !== null);
  if (end === null) {
    await database.query(dropSuspects(record.id));
    const everyWallet = walletIds === undefined && plan === undefined;
    if (everyWallet && point.since !== null && !leftWrong) {
      await markVerified(database, mapping, point.since);
    }
  }
  const ending = {
    state: end === null ? 'finished' : isStop(end) ? 'stopped' : 'interrupted',
    exitStatus: summary.exitStatus,
    counts: summary,
    error: summary.rail?.message ?? null,
  } as const;
  await record.end(ending, async (session) => run.atEnd?.(session, summary));
  if (end === null && walletIds === undefined) {
    await forgetOldFindings(database, mapping.ledger.table.quoted, run.options.keepFindings);
  }
  return summary;
}

/** Which wallets a run has done with; null: none, or not in any order. */
function seenOf(
  mapping: ResolvedMapping,
  {
    end,
    point,
    walletIds,
    plan,
  }: {
    readonly end: StagesEnd;
    readonly point: Checkpoint;
    readonly walletIds: readonly string[] | undefined;
    readonly plan: IncrementalPlan | undefined;
  },
): Seen | null {
  // What a survey has only looked at is not done with.
  if (point.survey && end !== null && end !== 'limit') return null;
  if (walletIds !== undefined) {
    const upTo = point.walked ? walletIds.length : walletIds.indexOf(point.above ?? '') + 1;
    return { kind: 'ids', walletIds: walletIds.slice(0, upTo) };
  }
  // An incremental run has looked at whatever was open.
  if (end === null) return { kind: 'all' };
  if (plan !== undefined) {
    const upTo = point.listed
      ? plan.walletIds.length
      : plan.walletIds.indexOf(point.above ?? '') + 1;
    return { kind: 'ids', walletIds: plan.walletIds.slice(0, upTo) };
  }
  if (point.above === null) return null;
  return { kind: 'upTo', walletId: point.above, type: mapping.wallet.id.baseType };
}

function isStop(end: StagesEnd): end is Exclude<StagesEnd, Incomplete | null> {
  return typeof end === 'object' && end !== null;
}
