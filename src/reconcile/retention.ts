import type { Queryable } from '../postgres/database.js';
import { dropOldFindings, dropOldSuspects } from './retention-statements.js';

/** 90 days, in seconds. */
export const KEEP_FINDINGS = 90 * 86_400;

/** Findings that are deleted at a time, so that none of the transactions is long. */
const BATCH = 10_000;

/**
 * Deletes what runs found that ended longer ago than so many seconds. What waits for people stays, however
 * old; and so does every repair.
 */
export async function forgetOldFindings(
  session: Queryable,
  ledger: string,
  keep = KEEP_FINDINGS,
): Promise<void> {
  await session.query(dropOldSuspects(ledger, keep));
  for (;;) {
    const gone = await session.query(dropOldFindings(ledger, keep, BATCH));
    if (gone.length < BATCH) return;
  }
}
