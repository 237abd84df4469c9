/** How much of a ledger each look has to verify, so that all of it is verified once a cycle. Pure. */

/** A range of wallets, and how long ago it was verified as a whole. */
export interface RangeAge {
  readonly wallets: number;
  /** Seconds; never below zero. */
  readonly age: number;
}

/**
 * How many wallets to verify now, the longest unverified first. The time since the last look is taken
 * for the time to the next. Every range is due when it is `cycle` old: up to then so many looks are
 * left, and each of them takes its share of all that is due by then. So a cycle is spread evenly over
 * its looks, and what was missed over the looks that are left.
 *
 * As long as looks come at least as often as before, nothing gets older than the cycle.
 *
 * @param cycle in seconds
 */
export function walletsDue(ranges: readonly RangeAge[], cycle: number): number {
  const sinceLast = Math.min(...ranges.map(({ age }) => age));
  let due = 0;
  let soFar = 0;
  for (const { wallets, age } of [...ranges].sort((one, other) => other.age - one.age)) {
    soFar += wallets;
    due = Math.max(due, Math.ceil(soFar / looksLeft(cycle - age, sinceLast)));
  }
  return due;
}

/** Looks until so many seconds from now, this one among them. */
function looksLeft(seconds: number, between: number): number {
  if (seconds <= 0) return 1;
  return between <= 0 ? Number.POSITIVE_INFINITY : Math.floor(seconds / between) + 1;
}
