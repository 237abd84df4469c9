import { createHash } from 'node:crypto';
import type { Activity, ResolvedMapping } from '../mapping/model.js';
import type { Statement } from '../postgres/database.js';
import { eventExists, eventsFrom, insertEvents } from './generate-activity.js';

/** Statements that write events later, over trueup.activity_failures. */

/** The first half of the advisory locks under which events are written later. */
const EVENTS_LOCK_CLASS = '721900432';

/** The longest pause between two attempts at the same event, in seconds. */
const LONGEST_PAUSE_SECONDS = 300;

/**
 * Held until the end of the transaction: whoever writes events of this ledger later does it alone, so
 * that looking whether an event is there and writing it are one. (An event that is written in the
 * entry's own commit is seen with the entry.)
 */
export function lockEvents(ledger: string): Statement {
  const digest = createHash('sha256').update(ledger).digest();
  return {
    text: `SELECT pg_advisory_xact_lock(${EVENTS_LOCK_CLASS}, ${String(digest.readInt32BE())})`,
  };
}

export interface MissedRow {
  readonly id: string;
  readonly entryId: string;
}

export function dueEvents(
  ledger: string,
  page: { after: string; limit: number; everything: boolean },
): Statement {
  return {
    text: `SELECT f.id::text, f.entry_id AS "entryId" FROM trueup.activity_failures AS f
            WHERE f.ledger = $1 AND f.healed_at IS NULL AND f.id > $2
              AND ($4 OR f.next_attempt_at <= clock_timestamp())
            ORDER BY f.id LIMIT $3`,
    values: [ledger, page.after, page.limit, page.everything],
  };
}

/**
 * Writes the events of these entries, as far as nobody has. An entry that is gone, or whose wallet has
 * no user, has no event.
 */
export function writeEvents(
  mapping: ResolvedMapping,
  activity: Activity,
  entryIds: readonly string[],
): Statement {
  const { ledger } = mapping;
  return {
    text: `${insertEvents(mapping, activity, ledger.table.quoted)}
                   AND e.${ledger.id.quoted} = ANY ($1::${ledger.id.baseType}[])
                   AND NOT ${eventExists(activity, `e.${ledger.id.quoted}`)}`,
    values: [entryIds],
  };
}

export function closeEvents(ids: readonly string[]): Statement {
  return {
    text: `UPDATE trueup.activity_failures
              SET healed_at = clock_timestamp(), attempts = attempts + 1
            WHERE id = ANY ($1::bigint[]) AND healed_at IS NULL`,
    values: [ids],
  };
}

/** Each attempt that fails doubles the pause before the next. */
export function postponeEvents(ids: readonly string[], reason: string): Statement {
  return {
    text: `UPDATE trueup.activity_failures AS f
              SET attempts = f.attempts + 1, last_error = $2,
                  next_attempt_at = clock_timestamp()
                    + make_interval(secs => least(2 ^ least(f.attempts, 20), ${String(LONGEST_PAUSE_SECONDS)}))
            WHERE f.id = ANY ($1::bigint[]) AND f.healed_at IS NULL`,
    values: [ids, reason],
  };
}

export interface BackfillRow {
  /** The last entry that was looked at; null: there were no more. */
  readonly last: string | null;
  readonly missing: string;
}

/**
 * Records the entries of the next stretch that have no event, for the healer to write. Those that wait
 * already are not recorded twice.
 */
export function recordMissingEvents(
  mapping: ResolvedMapping,
  activity: Activity,
  stretch: { readonly after: string | undefined; readonly limit: number },
): Statement {
  const { ledger } = mapping;
  const { id, table } = ledger;
  const from = stretch.after === undefined ? '' : `WHERE l.${id.quoted} > $3::${id.baseType}`;
  return {
    text: `WITH stretch AS MATERIALIZED (
  SELECT l.* FROM ${table.quoted} AS l ${from} ORDER BY l.${id.quoted} LIMIT $2
), recorded AS (
  INSERT INTO trueup.activity_failures (ledger, entry_id, sqlstate, message)
  SELECT $1, e.${id.quoted}::text, '00000', 'no event was written for the entry'
                  ${eventsFrom(mapping, 'stretch')}
                   AND NOT ${eventExists(activity, `e.${id.quoted}`)}
                   AND NOT EXISTS (SELECT FROM trueup.activity_failures AS f
                          WHERE f.ledger = $1 AND f.entry_id = e.${id.quoted}::text AND f.healed_at IS NULL)
  RETURNING 1
)
SELECT (SELECT s.${id.quoted}::text FROM stretch AS s ORDER BY s.${id.quoted} DESC LIMIT 1) AS last,
       (SELECT count(*) FROM recorded)::text AS missing`,
    values: [table.quoted, stretch.limit, ...(stretch.after === undefined ? [] : [stretch.after])],
  };
}
