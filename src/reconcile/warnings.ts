import type { ResolvedMapping } from '../mapping/model.js';
import type { Queryable } from '../postgres/database.js';
import { syncStands } from '../sync/triggers.js';
import type { ReconcileOptions } from './options.js';

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
