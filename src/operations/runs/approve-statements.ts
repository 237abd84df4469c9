import type { Statement } from '../../postgres/database.js';

/** Statements about findings that wait for approval. */

/** A cache that waits. */
export interface WaitingCache {
  readonly part: string;
  readonly field: string;
  readonly cached: string | null;
  /** `expected - cached`; null where the cache was null or no number. */
  readonly delta: string | null;
}

/** A wallet of which a run has left something for people. */
export interface WaitingWallet {
  readonly walletId: string;
  readonly userId: string | null;
  readonly findings: readonly string[];
  readonly caches: readonly WaitingCache[];
}

/** What of a run waits still, in the order of the wallets' ids as text. */
export function waitingWallets(
  runId: string,
  wallets: {
    readonly above: string;
    readonly limit: number;
    readonly only: readonly string[] | null;
  },
): Statement {
  return {
    text: `SELECT f.wallet_id AS "walletId", max(f.user_id) AS "userId", json_agg(f.id::text) AS findings,
       json_agg(json_build_object('part', f.part, 'field', f.field, 'cached', f.cached,
                                  'delta', trim_scale(f.delta)::text) ORDER BY f.id) AS caches
  FROM trueup.findings AS f
 WHERE f.run_id = $1 AND f.state = 'review' AND f.settled_at IS NULL AND f.wallet_id > $2
   AND ($4::text[] IS NULL OR f.wallet_id = ANY ($4))
 GROUP BY f.wallet_id ORDER BY f.wallet_id LIMIT $3`,
    values: [runId, wallets.above, wallets.limit, wallets.only],
  };
}

/** Closes findings. In the transaction that repairs what they are about. */
export function settle(findings: readonly string[], runId: string): Statement {
  return {
    text: `UPDATE trueup.findings AS f SET settled_at = clock_timestamp(), settled_by = $2
            WHERE f.id = ANY ($1::bigint[]) AND f.settled_at IS NULL`,
    values: [findings, runId],
  };
}

/** What comes after it can be taken back while the locks are kept. */
export const tryOut: Statement = { text: 'SAVEPOINT approval' };

export const takeBack: Statement = { text: 'ROLLBACK TO SAVEPOINT approval' };
