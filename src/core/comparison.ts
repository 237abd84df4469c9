import { difference } from './amount.js';

/** What a check sees of one wallet: its caches beside the ledger, and what is on record about it. */

/** Who keeps the cache: the wallet itself, or the profile that users are shown. */
export type Part = 'wallet' | 'profile';

/** What a cache holds. `balanceAfter` is the running balance that entries carry. */
export type Field = 'balance' | 'lifetimeEarnings' | 'pendingBalance' | 'balanceAfter';

/** Every cache that the ledger decides, and that a repair can write. */
export const CACHES = [
  ['wallet', 'balance'],
  ['wallet', 'lifetimeEarnings'],
  ['wallet', 'pendingBalance'],
  ['profile', 'balance'],
  ['profile', 'lifetimeEarnings'],
] as const satisfies readonly (readonly [Part, Field])[];

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
  /** Caches that were compared and are right, where `caches` tells only the others. */
  readonly right?: readonly Pick<CacheComparison, 'part' | 'field'>[];
  /** What is on record about the wallet; without it only the ledger's own words are known. */
  readonly facts?: Facts;
}

/** Times are UTC with microseconds, as text (`2026-01-31T12:00:00.000000Z`), so they compare as text. */
export type Instant = string;

/** A profile that could not follow its ledger, and waits. */
export interface FailureFact {
  readonly id: string;
  readonly sqlState: string;
  readonly message: string;
  readonly failedAt: Instant;
  /** The transaction of the entry, as the ledger's rows carry it. */
  readonly transaction: string;
}

/** Writes by others than Trueup to one cache, since it was last known to be right. */
export interface WritesFact {
  readonly part: Part;
  readonly field: Field;
  /** The sum of new less old value; null where one of them was no number. */
  readonly change: string | null;
  readonly count: string;
  /** The last few, the newest first. */
  readonly last: readonly WriteFact[];
}

/** One such write, as the guard recorded it. */
export interface WriteFact {
  readonly id: string;
  readonly role: string;
  readonly applicationName: string;
  readonly writtenAt: Instant;
  readonly oldValue: string | null;
  readonly newValue: string | null;
  readonly transaction: string;
}

/** One of the last entries of the wallet. */
export interface EntryFact {
  readonly id: string;
  readonly amount: string;
  /** What it adds to lifetime earnings. */
  readonly earned: string;
  /** null where the mapping names no time. */
  readonly createdAt: Instant | null;
  /** The transaction that wrote the row. */
  readonly transaction: string;
}

/** A span of time in which the sync triggers were not there, or switched off. */
export interface GapFact {
  readonly what: 'missing' | 'disabled';
  readonly lastSeenAt: Instant | null;
  readonly noticedAt: Instant;
  /** null: it is still so. */
  readonly endedAt: Instant | null;
}

/** The entries at the end of a gap that add up to what a part lacks. */
export interface WindowFact {
  readonly part: Part;
  readonly gap: GapFact;
  readonly entries: string;
  readonly firstEntryId: string;
  readonly lastEntryId: string;
  readonly amount: string;
  readonly earned: string;
}

/** A place where the running balance departs from the sum of the entries. */
export interface BreakFact {
  readonly entryId: string;
  readonly sequence: string | null;
  /** The number it should have; null where the ledger has no numbers. */
  readonly position: string | null;
  readonly amount: string;
  readonly balanceAfter: string;
  readonly expected: string;
  /** By how much it departs more than the entries before it. */
  readonly size: string;
}

/** The breaks of one wallet. */
export interface ChainFact {
  readonly count: string;
  /** The first few. */
  readonly first: readonly BreakFact[];
  /** The last running balance less the sum of all entries. */
  readonly offset: string;
}

/** Everything on record about one wallet that can say why a cache of it is wrong. */
export interface Facts {
  /** When the sync was installed; null: never, or there is no record. */
  readonly installedAt: Instant | null;
  /** When the caches were last known to be right: a verified run, or a repair of the wallet. */
  readonly rightAt: Instant | null;
  readonly failures: readonly FailureFact[];
  readonly writes: readonly WritesFact[];
  /** The last entries of the wallet, the newest first. */
  readonly entries: readonly EntryFact[];
  /** Gaps that reach beyond {@link rightAt}. */
  readonly gaps: readonly GapFact[];
  readonly windows: readonly WindowFact[];
  readonly chain: ChainFact | null;
  /** Open holds, where the pending balance is compared. */
  readonly holds: { readonly open: string; readonly held: string } | null;
  /** What the wallet held, without any entry, when the sync was installed; null: that is not on record. */
  readonly opening: string | null;
}

/** What is known where nothing is on record. */
export const NO_FACTS: Facts = {
  installedAt: null,
  rightAt: null,
  failures: [],
  writes: [],
  entries: [],
  gaps: [],
  windows: [],
  chain: null,
  holds: null,
  opening: null,
};

/**
 * A wallet that holds coins and has no entry at all was not synced wrongly: its history is missing. So
 * is that of one which got entries later, as long as it differs from them by just what it held before.
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
  if (!row.walletExists) return false;
  return row.entryCount === '0' ? holdsCoins : differsByOpening(row);
}

function differsByOpening({ caches, facts }: Comparison): boolean {
  const balance = caches.find(({ part, field }) => part === 'wallet' && field === 'balance');
  if (facts === undefined || facts.opening === null || typeof balance?.cached !== 'string')
    return false;
  return difference(balance.cached, balance.expected) === facts.opening;
}
