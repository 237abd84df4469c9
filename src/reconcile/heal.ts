import { randomUUID } from 'node:crypto';
import type { ResolvedMapping } from '../mapping/model.js';
import type { Database } from '../postgres/database.js';
import { Investigator } from './evidence.js';
import { healActivity } from '../sync/activity.js';
import * as statements from './heal-statements.js';
import { repairWallets, type RepairOutcome } from './repair.js';
import * as runStatements from './statements.js';
import { VERSION } from '../version.js';

/** What one pass of the healer did, in failures (a wallet may have several) and missed events. */
export interface HealResult {
  readonly healed: number;
  /** Tried and still failing; they are tried again after a while. */
  readonly failed: number;
}

/** Failures that are taken up at a time. */
const BATCH = 500;

/**
 * Takes up every recorded sync failure that is due: repairs its wallet from the ledger and closes
 * it. A failure is closed by the id that was read, so one that is recorded meanwhile stays open. Then it
 * writes the events that an application's activity table has missed.
 *
 * @param options.everything also failures whose next attempt is not due yet
 * @param options.signal stops after the batch under way
 */
export async function heal(
  database: Database,
  mapping: ResolvedMapping,
  options: {
    readonly everything?: boolean | undefined;
    readonly signal?: AbortSignal | undefined;
  } = {},
): Promise<HealResult> {
  const ledger = mapping.ledger.table.quoted;
  const total = { healed: 0, failed: 0 };
  let after = '0';
  let runId: string | undefined;
  const investigator = new Investigator(mapping);
  for (;;) {
    if (options.signal?.aborted === true) break;
    const failures = await database.query<statements.FailureRow>(
      statements.dueFailures(ledger, {
        after,
        limit: BATCH,
        everything: options.everything ?? false,
      }),
    );
    const last = failures.at(-1);
    if (last === undefined) break;
    runId ??= await startRun(database, ledger);
    after = last.id;
    const outcome = await repairWallets(
      database,
      mapping,
      [...new Set(failures.map(({ walletId }) => walletId))],
      { runId, onLocked: 'skip', investigator },
    );
    const remaining = whatRemains(outcome);
    const closed = failures.filter(({ walletId }) => !remaining.has(walletId));
    await database.query(statements.closeFailures(closed.map(({ id }) => id)));
    const open = failures.filter(({ walletId }) => remaining.has(walletId));
    await database.query(
      statements.postponeFailures(
        open.map(({ id, walletId }) => ({ id, reason: remaining.get(walletId) ?? '' })),
      ),
    );
    total.healed += closed.length;
    total.failed += open.length;
  }
  if (runId !== undefined) await database.query(runStatements.finishRun(runId, null, total));
  const events = await healActivity(database, mapping, options);
  return { healed: total.healed + events.healed, failed: total.failed + events.failed };
}

async function startRun(database: Database, ledger: string): Promise<string> {
  const id = randomUUID();
  await database.query(
    runStatements.startRun({ id, kind: 'heal', ledger, options: {}, version: VERSION }),
  );
  return id;
}

/** Why a wallet is not in sync after the attempt, by wallet. */
function whatRemains(outcome: RepairOutcome): Map<string, string> {
  const reasons = new Map<string, string>();
  for (const walletId of outcome.locked) reasons.set(walletId, 'locked by another transaction');
  for (const { walletId, error } of outcome.failed) reasons.set(walletId, error.message);
  for (const findings of outcome.found) {
    const left = findings.find(({ repaired, part }) => !repaired && part === 'profile');
    if (typeof left?.walletId === 'string') reasons.set(left.walletId, left.cause);
  }
  return reasons;
}
