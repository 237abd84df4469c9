import type { ResolvedMapping } from '../mapping/model.js';
import type { Database, Queryable } from '../postgres/database.js';
import type { Checkpoint } from './checkpoint.js';
import type { IncrementalPlan } from './incremental.js';
import { oldestUnverified, settleClock, verifiedAll, verifiedBeginning } from './ranges.js';
import type { StagesEnd } from './stages.js';
import {
  checkpointsReadable,
  saveVerifiedPoint,
  type WatermarkLag,
  type WholeReason,
} from './watermark.js';

/** What a summary says of how far a ledger is verified. */
export interface VerifiedFacts {
  /** Why an incremental run looked at every wallet; null where it did not, or was none. */
  readonly wholeBecause: WholeReason | null;
  /** Seconds since the wallet that is longest unverified was verified; null where one never was. */
  readonly oldestUnverified: number | null;
  /** The oldest transaction that was open when the run began; null: none was, or it was not looked at. */
  readonly watermarkLag: WatermarkLag | null;
}

/** What is known after a run. */
export async function verifiedFacts(
  session: Queryable,
  mapping: ResolvedMapping,
  { base, whole }: Pick<Checkpoint, 'base' | 'whole'>,
): Promise<VerifiedFacts> {
  const readable = await checkpointsReadable(session);
  return {
    wholeBecause: whole,
    oldestUnverified: readable
      ? await oldestUnverified(session, mapping.ledger.table.quoted)
      : null,
    watermarkLag: base?.watermark.lag ?? null,
  };
}

/** How a run over a ledger ended. */
export interface RunDone {
  readonly runId: string;
  readonly end: StagesEnd;
  readonly point: Checkpoint;
  /** undefined: it looked at every wallet. */
  readonly plan: IncrementalPlan | undefined;
}

/**
 * Puts on record what a run has verified: what it looked at and repaired, or left as an open finding, which
 * the next incremental run looks at again.
 */
export async function recordVerified(
  database: Database,
  mapping: ResolvedMapping,
  { runId, end, point, plan }: RunDone,
): Promise<void> {
  const { base } = point;
  if (base === null) return;
  // What a survey has only looked at is not done with.
  const done = end === null || (!point.survey && typeof end === 'string');
  if (!done) return;
  const ledger = mapping.ledger.table.quoted;
  const by = { ledger, runId, at: base.watermark.at };
  await settleClock(database, ledger);
  if (plan === undefined) {
    if (end === null) await verifiedAll(database, mapping, by);
  } else {
    for (const { above, upTo, end: last } of point.slice) {
      const range = { above: above ?? undefined, upTo: upTo ?? undefined };
      await verifiedBeginning(database, mapping, by, range, last ?? undefined);
    }
  }
  // The slice is no part of the verified point; profiles come after it.
  const reached = end === null || (plan?.profileIds.length === 0 && point.listed);
  if (reached) await saveVerifiedPoint(database, mapping, base, runId);
}
