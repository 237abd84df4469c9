import { SYNC_TRIGGER } from '../mapping/names.js';
import type { Statement } from '../postgres/database.js';

/** Statements about the spans of time in which nobody followed a ledger. */

export interface WatchRow {
  /** pg_trigger.tgenabled; null: there is no trigger. */
  readonly enabled: string | null;
  /** This ledger was once given triggers, so it is one to be followed. */
  readonly watched: boolean;
  readonly open: boolean;
  /** The server's clock, as text. */
  readonly now: string;
}

/** Whether the trigger is there now, whether it should be, and whether a gap is open. */
export function watch(ledger: string, ledgerOid: string): Statement {
  return {
    text: `SELECT (SELECT t.tgenabled::text FROM pg_trigger t WHERE t.tgrelid = $2::oid AND t.tgname = '${SYNC_TRIGGER}') AS enabled,
       EXISTS (SELECT FROM trueup.sync_installations WHERE ledger = $1) AS watched,
       EXISTS (SELECT FROM trueup.sync_gaps WHERE ledger = $1 AND ended_at IS NULL) AS open,
       clock_timestamp()::text AS now`,
    values: [ledger, ledgerOid],
  };
}

/**
 * Opens a gap, unless another one is open. Whoever watched says when he last saw the triggers; beside
 * that it is known of their removal, of their installation, and of the end of the gap before.
 */
export function openGap(ledger: string, what: string, lastSeenAt: string | undefined): Statement {
  return {
    text: `INSERT INTO trueup.sync_gaps (ledger, what, last_seen_at)
SELECT i.ledger, $2, greatest($3::timestamptz, i.removed_at, i.installed_at,
         (SELECT max(g.ended_at) FROM trueup.sync_gaps g WHERE g.ledger = i.ledger))
  FROM trueup.sync_installations i WHERE i.ledger = $1
ON CONFLICT (ledger) WHERE ended_at IS NULL DO NOTHING
RETURNING id::text`,
    values: [ledger, what, lastSeenAt ?? null],
  };
}

/** Closes the gap that is open. */
export function closeGap(ledger: string): Statement {
  return {
    text: `UPDATE trueup.sync_gaps SET ended_at = clock_timestamp() WHERE ledger = $1 AND ended_at IS NULL`,
    values: [ledger],
  };
}
