import type { Statement } from '../postgres/database.js';

/** Statements of the healer, over trueup.sync_failures. */

/** The channel on which a sync trigger reports a failure; the payload is the ledger. */
export const FAILURE_CHANNEL = 'trueup_sync_failure';

/** The longest pause between two attempts at the same failure, in seconds. */
const LONGEST_PAUSE_SECONDS = 300;

export interface FailureRow {
  readonly id: string;
  readonly walletId: string;
}

export function dueFailures(
  ledger: string,
  page: { after: string; limit: number; everything: boolean },
): Statement {
  return {
    text: `SELECT id::text, wallet_id AS "walletId" FROM trueup.sync_failures
            WHERE ledger = $1 AND healed_at IS NULL AND id > $2
              AND ($4 OR next_attempt_at <= clock_timestamp())
            ORDER BY sync_failures.id LIMIT $3`,
    values: [ledger, page.after, page.limit, page.everything],
  };
}

export function closeFailures(ids: readonly string[]): Statement {
  return {
    text: `UPDATE trueup.sync_failures SET healed_at = clock_timestamp(), attempts = attempts + 1
            WHERE id = ANY ($1::bigint[]) AND healed_at IS NULL`,
    values: [ids],
  };
}

/** Each attempt that fails doubles the pause before the next. */
export function postponeFailures(failures: readonly { id: string; reason: string }[]): Statement {
  return {
    text: `UPDATE trueup.sync_failures f
              SET attempts = f.attempts + 1, last_error = n.reason,
                  next_attempt_at = clock_timestamp()
                    + make_interval(secs => least(2 ^ least(f.attempts, 20), ${String(LONGEST_PAUSE_SECONDS)}))
             FROM unnest($1::bigint[], $2::text[]) AS n (id, reason)
            WHERE f.id = n.id AND f.healed_at IS NULL`,
    values: [failures.map(({ id }) => id), failures.map(({ reason }) => reason)],
  };
}

export const listenForFailures: Statement = { text: `LISTEN ${FAILURE_CHANNEL}` };
export const stopListening: Statement = { text: `UNLISTEN ${FAILURE_CHANNEL}` };
