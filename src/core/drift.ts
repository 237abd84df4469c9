import { difference } from './amount.js';

/** Who keeps the cache: the wallet itself, or the profile that users are shown. */
export type Part = 'wallet' | 'profile';

/** What a cache holds. `balanceAfter` is the running balance that entries carry. */
export type Field = 'balance' | 'lifetimeEarnings' | 'pendingBalance' | 'balanceAfter';

/**
 * Why a cache differs. `no_history`: coins are shown for which the ledger has no entry at all.
 * `wallet_missing`, `profile_missing`: the row that should hold the cache does not exist.
 */
export type Cause = 'no_history' | 'wallet_missing' | 'profile_missing' | 'unknown';

/** One cache beside what the ledger says, both as canonical decimal text. */
export interface CacheComparison {
  readonly part: Part;
  readonly field: Field;
  /** null: the cache is null, or there is no row to hold it. */
  readonly cached: string | null;
  readonly expected: string;
}

/** Everything the ledger decides for one wallet, beside what is cached: one row of a check. */
export interface Comparison {
  /** null: a profile that shows coins and has no wallet. */
  readonly walletId: string | null;
  readonly walletExists: boolean;
  readonly profileId: string | null;
  readonly profileExists: boolean;
  readonly userId: string | null;
  /** How many ledger entries the wallet has. */
  readonly entryCount: string;
  readonly caches: readonly CacheComparison[];
}

/** One drifted cache of one wallet, as a run saw it. */
export interface Finding {
  readonly userId: string | null;
  readonly walletId: string | null;
  readonly profileId: string | null;
  readonly part: Part;
  readonly field: Field;
  readonly cached: string | null;
  readonly expected: string;
  /** `expected - cached`; null where the cache is null or not a number. */
  readonly delta: string | null;
  readonly cause: Cause;
  readonly repaired: boolean;
}

/**
 * The findings of one comparison: every cache that is not exactly what the ledger says.
 * Texts are canonical on both sides, so equality of text is equality of number. A `balanceAfter` is
 * only there when the chain is broken; at a mere gap in the numbers both texts can be the same.
 */
export function findingsOf(row: Comparison, options: { repaired: boolean }): Finding[] {
  return row.caches
    .filter((cache) => cache.field === 'balanceAfter' || cache.cached !== cache.expected)
    .map((cache) => {
      const cause = causeOf(row, cache);
      return {
        userId: row.userId,
        walletId: row.walletId,
        profileId: row.profileId,
        ...cache,
        delta: cache.cached === null ? null : difference(cache.expected, cache.cached),
        cause,
        repaired: options.repaired && isRepairable(cause, cache.field),
      };
    });
}

function causeOf(row: Comparison, cache: CacheComparison): Cause {
  if (row.walletId === null || isWithoutHistory(row)) return 'no_history';
  if (!row.walletExists) return 'wallet_missing';
  if (cache.part === 'profile' && !row.profileExists) return 'profile_missing';
  return 'unknown';
}

/**
 * A wallet that holds coins and has no entry at all was not synced wrongly: its history is missing.
 * Repair must never wipe it.
 */
export function isWithoutHistory(row: Comparison): boolean {
  const holdsCoins = row.caches.some(
    (cache) =>
      cache.part === 'wallet' &&
      cache.field !== 'pendingBalance' &&
      cache.cached !== null &&
      cache.cached !== '0',
  );
  return row.walletExists && row.entryCount === '0' && holdsCoins;
}

/** Whether reconcile may overwrite such a cache. The ledger itself it never edits. */
export function isRepairable(cause: Cause, field: Field): boolean {
  return cause === 'unknown' && field !== 'balanceAfter';
}

/** What a run counted. Users with several drifted caches count once in the first four. */
export interface Tally {
  /** Wallets that were compared. */
  checked: number;
  /** Users with any finding. */
  drifted: number;
  /** Users whose balance differs anywhere. */
  balanceDrifts: number;
  /** Users whose lifetime earnings differ anywhere. */
  earningsDrifts: number;
  /** Findings in all. */
  findings: number;
  /** Findings that were repaired. */
  repaired: number;
  /** Wallets left out because somebody else held their lock. */
  skipped: number;
  /** Wallets whose repair failed. */
  errors: number;
}

/** A tally with nothing counted yet. */
export function emptyTally(): Tally {
  return {
    checked: 0,
    drifted: 0,
    balanceDrifts: 0,
    earningsDrifts: 0,
    findings: 0,
    repaired: 0,
    skipped: 0,
    errors: 0,
  };
}

/** Adds the findings of one user to a tally. */
export function countUser(tally: Tally, findings: readonly Finding[]): void {
  if (findings.length === 0) return;
  tally.drifted += 1;
  tally.findings += findings.length;
  tally.repaired += findings.filter((finding) => finding.repaired).length;
  if (findings.some((finding) => finding.field === 'balance')) tally.balanceDrifts += 1;
  if (findings.some((finding) => finding.field === 'lifetimeEarnings')) tally.earningsDrifts += 1;
}
