import type { Statement } from '../postgres/database.js';

/** A repair as it is on record. */
export interface RepairRow {
  readonly walletId: string;
  readonly profileId: string | null;
  readonly userId: string | null;
  readonly cause: string;
  /** `"wallet.balance": ["7", "494"]`: before and after. */
  readonly changes: Readonly<Record<string, readonly [string | null, string]>>;
}

/** What a run has repaired of these wallets. */
export function repairsOf(runId: string, walletIds: readonly string[]): Statement {
  return {
    text: `SELECT p.wallet_id AS "walletId", p.profile_id AS "profileId", p.user_id AS "userId", p.cause, p.changes
             FROM trueup.repairs AS p
            WHERE p.run_id = $1 AND p.wallet_id = ANY ($2::text[]) ORDER BY p.repaired_at`,
    values: [runId, walletIds],
  };
}
