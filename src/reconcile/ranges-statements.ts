import type { ResolvedMapping } from '../mapping/model.js';
import type { Statement } from '../postgres/database.js';
import type { IdRange } from './detect-statements.js';
import { within, type Scope } from './generate-truth.js';

/**
 * Statements about the ranges of wallets that are verified. Ends of ranges are compared for equality
 * only, as text: which id comes first, the index of the wallets alone decides.
 */

/** Two who write ranges at once would let them overlap. The table is small and its writes are short. */
export const lockRanges: Statement = {
  text: 'LOCK TABLE trueup.verified_ranges IN SHARE ROW EXCLUSIVE MODE',
};

export interface RangeRow {
  readonly above: string | null;
  readonly upTo: string | null;
  readonly wallets: string;
  /** Seconds, as text; never below zero. */
  readonly age: string;
}

const AGE = 'greatest(extract(epoch FROM clock_timestamp() - verified_at), 0)';

/** The ranges of a ledger, the longest unverified first. */
export function readRanges(ledger: string): Statement {
  return {
    text: `SELECT above, up_to AS "upTo", wallets::text, (${AGE})::text AS age
             FROM trueup.verified_ranges WHERE ledger = $1 ORDER BY verified_at`,
    values: [ledger],
  };
}

/** The age of the range that is longest unverified, in seconds; null where nothing ever was. */
export function oldestRange(ledger: string): Statement {
  return {
    text: `SELECT (max(${AGE}))::text AS age FROM trueup.verified_ranges WHERE ledger = $1`,
    values: [ledger],
  };
}

/**
 * What was verified in the future was verified before the clock was put back. From now on it ages; else it
 * would not be due until the clock gets there again.
 */
export function forgetFuture(ledger: string): Statement {
  return {
    text: `UPDATE trueup.verified_ranges SET verified_at = clock_timestamp()
            WHERE ledger = $1 AND verified_at > clock_timestamp()`,
    values: [ledger],
  };
}

export function forgetRanges(ledger: string): Statement {
  return { text: 'DELETE FROM trueup.verified_ranges WHERE ledger = $1', values: [ledger] };
}

/** Who verified a range, and when he began to. */
export interface Verifier {
  readonly ledger: string;
  readonly runId: string;
  /** Time of the database, as text: the range may be older than that, never younger. */
  readonly at: string;
}

/** What a range holds. */
export interface Held {
  readonly wallets: string;
  readonly coins: string;
}

export function insertRange(by: Verifier, range: IdRange, held: Held): Statement {
  return {
    text: `INSERT INTO trueup.verified_ranges (ledger, above, up_to, wallets, coins, verified_at, run_id)
           VALUES ($1, $2, $3, $4, $5, least($6::timestamptz, clock_timestamp()), $7)`,
    values: [
      by.ledger,
      range.above ?? null,
      range.upTo ?? null,
      held.wallets,
      held.coins,
      by.at,
      by.runId,
    ],
  };
}

/** Takes the beginning of a range off it. Without a row in return, that range is there no more. */
export function cutRange(
  ledger: string,
  range: IdRange,
  end: string | undefined,
  held: Held,
): Statement {
  const is = `ledger = $1 AND above IS NOT DISTINCT FROM $2 AND up_to IS NOT DISTINCT FROM $3`;
  const values = [ledger, range.above ?? null, range.upTo ?? null];
  if (end === range.upTo) {
    return { text: `DELETE FROM trueup.verified_ranges WHERE ${is} RETURNING true AS cut`, values };
  }
  return {
    text: `UPDATE trueup.verified_ranges
              SET above = $4, wallets = greatest(wallets - $5, 0), coins = coins - $6
            WHERE ${is} RETURNING true AS cut`,
    values: [...values, end, held.wallets, held.coins],
  };
}

/** Makes the range that this run verified last, if it ends here, longer. */
export function growRange(by: Verifier, range: IdRange, held: Held): Statement {
  return {
    text: `UPDATE trueup.verified_ranges
              SET up_to = $4, wallets = wallets + $5, coins = coins + $6
            WHERE ledger = $1 AND run_id = $2 AND up_to = $3 RETURNING true AS grown`,
    values: [
      by.ledger,
      by.runId,
      range.above ?? null,
      range.upTo ?? null,
      held.wallets,
      held.coins,
    ],
  };
}

/** The first wallets of a range, in the order of their ids. */
export function firstIn(mapping: ResolvedMapping, range: IdRange, size: number): Statement {
  const { id, table } = mapping.wallet;
  const ends = [range.above, range.upTo].filter((end) => end !== undefined);
  return {
    text: `SELECT w.${id.quoted}::text AS "walletId" FROM ${table.quoted} AS w
            WHERE ${within(scopeOf(range), `w.${id.quoted}`, id.baseType)}
            ORDER BY w.${id.quoted} LIMIT $${String(ends.length + 1)}`,
    values: [...ends, size],
  };
}

/** The wallets of a range, and what they hold. */
export function heldIn(mapping: ResolvedMapping, range: IdRange): Statement {
  const { id, table, balance } = mapping.wallet;
  return {
    text: `SELECT count(*)::text AS wallets, coalesce(sum(w.${balance.quoted}), 0)::text AS coins
             FROM ${table.quoted} AS w WHERE ${within(scopeOf(range), `w.${id.quoted}`, id.baseType)}`,
    values: [range.above, range.upTo].filter((end) => end !== undefined),
  };
}

function scopeOf({ above, upTo }: IdRange): Scope {
  return { kind: 'range', above: above !== undefined, upTo: upTo !== undefined };
}
