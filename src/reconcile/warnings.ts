import type { ResolvedMapping } from '../mapping/model.js';
import type { Queryable } from '../postgres/database.js';
import { syncStands } from '../sync/triggers.js';
import { TrueupError } from '../core/errors.js';
import type { ReconcileOptions } from './options.js';
import type { Watermark, WholeReason } from './watermark.js';

/** Says, where caches are about to be repaired that nothing will keep right. */
export async function warnWithoutSync(
  session: Queryable,
  mapping: ResolvedMapping,
  { onWarning }: Pick<ReconcileOptions, 'onWarning'>,
): Promise<void> {
  if (onWarning === undefined) return;
  const state = await syncStands(session, mapping);
  if (state === 'standing') return;
  const how = state === 'missing' ? 'are not there' : 'are switched off';
  onWarning({
    code: 'sync_missing',
    message: `the sync triggers of ${mapping.ledger.table.quoted} ${how}: what is repaired drifts again with the next entry`,
    hint: 'Run trueup sync install.',
  });
}

/** Outages are told once in so many milliseconds, however many statements they have met. */
const OUTAGE_MS = 10_000;

/** What tells of a lost connection. */
export function lostConnection({ onWarning }: Pick<ReconcileOptions, 'onWarning'>): () => void {
  let toldAt = -OUTAGE_MS;
  return () => {
    if (performance.now() - toldAt < OUTAGE_MS) return;
    toldAt = performance.now();
    onWarning?.({
      code: 'database_unreachable',
      message: 'the connection was lost: the batch is done again as soon as the server answers',
    });
  };
}

/** A transaction that has been open for longer than this is told of: most checks take less. */
const LONG_OPEN_SECONDS = 60;

/** Says who holds the watermark back: nothing is skipped for it, and more is looked at each time. */
export function warnOfLag(
  { lag }: Watermark,
  { onWarning }: Pick<ReconcileOptions, 'onWarning'>,
): void {
  if (lag === null || (lag.seconds ?? 0) < LONG_OPEN_SECONDS) return;
  const who =
    lag.pid === null
      ? `the prepared transaction ${lag.prepared ?? ''}`
      : `a transaction of process ${String(lag.pid)}`;
  onWarning?.({
    code: 'watermark_held',
    message: `${who} has been open for ${String(Math.round(lag.seconds ?? 0))} s: whatever is written until it ends is looked at by the next check too`,
    hint: 'Nothing is skipped. End the transaction if it was forgotten.',
  });
}

const WHOLE_REASONS: Readonly<Record<WholeReason, string>> = {
  never_verified: 'it was never verified as a whole',
  foundations_changed:
    'the mapping, a trigger, a table or Trueup itself has changed since it was verified',
  another_server: 'it was verified on another server, whose transaction ids mean nothing here',
  watermark_unusable: 'its verified point is too old, or of another history of this server',
  too_many_touched: 'so much was touched since that looking at everything is quicker',
};

/** Says why an incremental run looks at every wallet. */
export function warnOfWhole(
  reason: WholeReason,
  { onWarning }: Pick<ReconcileOptions, 'onWarning'>,
): void {
  onWarning?.({
    code: 'whole_check',
    message: `the whole ledger is checked: ${WHOLE_REASONS[reason]}`,
  });
}

/** A run that had a list of wallets cannot make it again. */
export function listLost(reason: WholeReason): TrueupError {
  return new TrueupError(
    'run_changed',
    `the incremental run cannot go on: the ledger has no verified point to start from any more (${WHOLE_REASONS[reason]})`,
    { hint: 'Start a new run. Nothing was changed.' },
  );
}
