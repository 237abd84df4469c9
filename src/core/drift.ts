import { difference } from './amount.js';
import { causesOf } from './causes.js';
import type { Comparison, Field, Part } from './comparison.js';
import type { Cause, Evidence } from './evidence.js';

export type { CacheComparison, Comparison, Field, Part } from './comparison.js';
export { isWithoutHistory } from './comparison.js';
export type { Cause, Evidence } from './evidence.js';

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
  /** What the cause is known by. */
  readonly evidence: Evidence;
  readonly repaired: boolean;
  /** It can be repaired, but by more coins than the run may move by itself: it waits for approval. */
  readonly state?: 'review';
}

/**
 * The findings of one comparison: every cache that is not exactly what the ledger says.
 * Texts are canonical on both sides, so equality of text is equality of number. A `balanceAfter` is
 * only there when the chain is broken; at a mere gap in the numbers both texts can be the same.
 */
export function findingsOf(row: Comparison, options: { repaired: boolean }): Finding[] {
  const explain = causesOf(row);
  const { userId, walletId, profileId } = row;
  const findings: Finding[] = [];
  for (const cache of row.caches) {
    const { part, field, cached, expected } = cache;
    if (field !== 'balanceAfter' && cached === expected) continue;
    const { cause, evidence } = explain(cache);
    findings.push({
      userId,
      walletId,
      profileId,
      part,
      field,
      cached,
      expected,
      delta: cached === null ? null : difference(expected, cached),
      cause,
      evidence,
      repaired: options.repaired && isRepairable(cause, field),
    });
  }
  return findings;
}

/** Causes under which there is no right value that a cache could be given. */
const BEYOND_REPAIR: ReadonlySet<Cause> = new Set([
  'no_history',
  'wallet_missing',
  'profile_missing',
]);

/** Whether reconcile may overwrite such a cache. The ledger itself it never edits. */
export function isRepairable(cause: Cause, field: Field): boolean {
  return !BEYOND_REPAIR.has(cause) && field !== 'balanceAfter';
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
  /** Findings that wait for somebody to approve them. */
  review: number;
  /** Wallets whose entries sum up to less than zero without overdraft, drifted or not. */
  critical: number;
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
    review: 0,
    critical: 0,
  };
}

/** Adds the findings of one user to a tally. */
export function countUser(tally: Tally, findings: readonly Finding[]): void {
  if (findings.length === 0) return;
  tally.drifted += 1;
  tally.findings += findings.length;
  tally.review += findings.filter((finding) => finding.state === 'review').length;
  tally.repaired += findings.filter((finding) => finding.repaired).length;
  if (findings.some((finding) => finding.field === 'balance')) tally.balanceDrifts += 1;
  if (findings.some((finding) => finding.field === 'lifetimeEarnings')) tally.earningsDrifts += 1;
}
