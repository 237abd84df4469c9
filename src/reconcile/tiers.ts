import { difference } from '../core/amount.js';
import { findingsOf, isRepairable, type Comparison, type Finding } from '../core/drift.js';

/** What a run may repair by itself, and what people decide. Pure. */

/** How far a run may go without asking anybody. */
export interface Tiers {
  /** A wallet with a cache that differs by more coins is left, and waits for `trueup runs approve`. */
  readonly reviewOver: bigint;
}

/** What a repair leaves as it is. */
export interface Holding {
  /** A wallet with a cache that differs by more coins. */
  readonly over?: bigint | undefined;
  /** Whether wallets below zero are looked for, and frozen. */
  readonly freezing: boolean;
}

/** Of unattended runs, in coins. */
const UNATTENDED_REVIEW_OVER = 100n;

/**
 * What a repair leaves under lock: what its tiers leave, and what would break the rail of the largest delta.
 * The survey of a run has let it go on, but a wallet may have moved since, for days where it was resumed.
 */
export function holdingOf(options: {
  readonly reviewOver?: bigint | undefined;
  readonly maxDelta?: bigint | undefined;
  readonly unattended?: boolean | undefined;
}): Holding {
  const tiers = tiersOf(options);
  const bounds = [tiers?.reviewOver, options.maxDelta].filter((bound) => bound !== undefined);
  const over = bounds.reduce<bigint | undefined>(
    (least, bound) => (least === undefined || bound < least ? bound : least),
    undefined,
  );
  return { over, freezing: tiers !== null };
}

/** null: a run that somebody watches repairs whatever it finds. */
export function tiersOf(options: {
  readonly reviewOver?: bigint | undefined;
  readonly unattended?: boolean | undefined;
}): Tiers | null {
  const { reviewOver, unattended } = options;
  if (reviewOver !== undefined) return { reviewOver };
  return unattended === true ? { reviewOver: UNATTENDED_REVIEW_OVER } : null;
}

/** The findings of a wallet that a run leaves: what it could have repaired waits for approval. */
export function heldBack(row: Comparison): Finding[] {
  return findingsOf(row, { repaired: false }).map((finding) =>
    isRepairable(finding.cause, finding.field) ? { ...finding, state: 'review' } : finding,
  );
}

/** By how many coins each cache that a repair would change differs, without sign; null: that is no number. */
export function deltasOf({ caches, profileExists }: Comparison): (string | null)[] {
  return caches
    .filter(({ part, field }) => field !== 'balanceAfter' && (part === 'wallet' || profileExists))
    .filter(({ cached, expected }) => cached !== expected)
    .map(({ cached, expected }) => difference(expected, cached ?? '0')?.replace('-', '') ?? null);
}

/** Whether a cache of a wallet differs by more than a run may change; null counts as 0. */
export function isHeldBack(row: Comparison, { reviewOver }: Tiers): boolean {
  // What is no number cannot be measured, so people look at it.
  return deltasOf(row).some(
    (delta) => delta === null || difference(String(reviewOver), delta)?.startsWith('-') === true,
  );
}

/** A wallet whose entries sum up to less than zero, although it is allowed no overdraft. */
export interface CriticalWallet {
  readonly walletId: string;
  readonly profileId: string | null;
  readonly userId: string | null;
  /** What its entries sum up to. */
  readonly sum: string;
  /** It can move no coins any more; false where nothing in the mapping says so. */
  readonly frozen: boolean;
}

/** What people are told of it. */
export function criticalMessage({ sum, frozen }: CriticalWallet): string {
  return (
    `its entries sum up to ${sum}, and it is allowed no overdraft` +
    (frozen ? '; it is frozen' : '; it is not frozen')
  );
}
