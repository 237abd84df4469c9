import type { Statement } from '../postgres/database.js';

/** Statements about the suspects that the survey of a run keeps. */

/** A wallet that the survey saw drifted. */
export interface SuspectRecord {
  readonly walletId: string;
  /** The largest difference of its caches, in coins. */
  readonly delta: string;
  readonly repairable: boolean;
}

/** The member of a WITH that keeps suspects, in the order of the lists, of the run that was saved. */
export function keepSuspects(walletIds: string, deltas: string, repairable: string): string {
  return `kept AS (
  INSERT INTO trueup.suspects (run_id, wallet_id, delta, repairable)
  SELECT saved.id, s.wallet_id, s.delta, s.repairable
    FROM unnest(${walletIds}::text[], ${deltas}::numeric[], ${repairable}::boolean[])
         WITH ORDINALITY AS s (wallet_id, delta, repairable, n)
   CROSS JOIN saved ORDER BY s.n
)`;
}

/** What {@link keepSuspects} is given: three lists. */
export function suspectColumns(suspects: readonly SuspectRecord[]): unknown[][] {
  return [
    suspects.map(({ walletId }) => walletId),
    suspects.map(({ delta }) => delta),
    suspects.map(({ repairable }) => repairable),
  ];
}

/** Drops every suspect of a run. */
export function dropSuspects(runId: string): Statement {
  return { text: 'DELETE FROM trueup.suspects AS s WHERE s.run_id = $1', values: [runId] };
}

/** A cache that holds NaN or infinity differs by more than anything. */
export const MOST = '9'.repeat(30);

/** What the rails are judged by. */
export interface SurveyRow {
  readonly suspects: string;
  readonly repairable: string;
  /** In whole coins, rounded up. */
  readonly largestDelta: string;
}

export function surveyed(runId: string): Statement {
  return {
    text: `SELECT count(*)::text AS suspects, count(*) FILTER (WHERE s.repairable)::text AS repairable,
                  coalesce(ceil(least(max(s.delta) FILTER (WHERE s.repairable), ${MOST})), 0)::text AS "largestDelta"
             FROM trueup.suspects AS s WHERE s.run_id = $1`,
    values: [runId],
  };
}

/** Suspects in their order, from behind a position. */
export function nextSuspects(runId: string, position: string, size: number): Statement {
  return {
    text: `SELECT s.position::text, s.wallet_id AS "walletId" FROM trueup.suspects AS s
            WHERE s.run_id = $1 AND s.position > $2 ORDER BY s.position LIMIT $3`,
    values: [runId, position, size],
  };
}
