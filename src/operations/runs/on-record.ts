import { hostname } from 'node:os';
import { messageOf } from '../../core/errors.js';
import type { ResolvedMapping } from '../../mapping/model.js';
import type { Database } from '../../postgres/database.js';
import { isConnectionFailure } from '../../postgres/failures.js';
import { failRun, finishRun, startRun, type RunRecord } from '../../reconcile/statements.js';
import { VERSION } from '../../version.js';

/**
 * Does what a person has ordered as a run on record: who, where, with what options, and how it ended.
 *
 * @throws whatever the work throws; then that is on record too
 */
export async function onRecord<Summary extends { readonly exitStatus: number }>(
  database: Database,
  mapping: ResolvedMapping,
  run: Pick<RunRecord, 'id' | 'kind' | 'options'>,
  work: () => Promise<Summary>,
): Promise<Summary> {
  const ledger = mapping.ledger.table.quoted;
  await database.query(startRun({ ...run, ...placeOf(), ledger, version: VERSION }));
  let summary: Summary;
  try {
    summary = await work();
  } catch (reason) {
    await recordFailure(database, run.id, reason);
    throw reason;
  }
  await database.query(finishRun(run.id, summary.exitStatus, summary));
  return summary;
}

/** Where this process runs. */
export function placeOf(): { readonly host: string; readonly process: number } {
  return { host: hostname(), process: process.pid };
}

/** Puts on record why a run failed, as far as anything can be recorded. */
export async function recordFailure(
  database: Database,
  id: string,
  reason: unknown,
): Promise<void> {
  try {
    await database.query(failRun(id, messageOf(reason)));
  } catch (error) {
    // Without a connection nothing can be recorded; the reason is told to whoever waits for it.
    if (!isConnectionFailure(error)) throw new AggregateError([reason, error], messageOf(reason));
  }
}
