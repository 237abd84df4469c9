import type { ReasonRegistry } from '../reasons.js';

/** A wallet as it stands under its lock. */
export interface WalletState {
  readonly walletId: string;
  /** What the ledger says, where it is numbered; else what the wallet's cache says. */
  readonly balance: bigint;
  /** Coins on hold, without holds whose time is over. */
  readonly held: bigint;
  /** The number of its last entry; null where the ledger is not numbered. */
  readonly sequence: bigint | null;
  /** null: the mapping knows no currencies. */
  readonly currency: string | null;
  readonly frozen: boolean;
  /** The available balance must not fall below it; null: it may fall without end. */
  readonly floor: bigint | null;
  /** The balance must not rise above it; null: only the column's type bounds it. */
  readonly ceiling: bigint | null;
}

/** An entry that is in the ledger already. A field that the mapping does not have is undefined. */
export interface LedgerEntry {
  readonly entryId: string;
  readonly transactionId: string | null;
  readonly walletId: string;
  readonly amount: bigint;
  readonly balanceAfter: bigint | null;
  readonly reason?: string | null | undefined;
  readonly note?: string | null | undefined;
  /** As canonical JSON. */
  readonly metadata?: string | null | undefined;
  readonly actor?: string | null | undefined;
  readonly counterparty?: string | null | undefined;
  readonly reverses?: string | null | undefined;
  readonly holdId?: string | null | undefined;
}

export type HoldStatus = 'open' | 'captured' | 'released' | 'expired';

/** A hold as it stands under the lock of its wallet. */
export interface HoldState {
  readonly holdId: string;
  readonly walletId: string;
  readonly amount: bigint;
  readonly captured: bigint;
  readonly state: HoldStatus;
  readonly reason: string;
  readonly note: string | null;
  /** As canonical JSON. */
  readonly metadata: string | null;
  readonly actor: string | null;
  /** Milliseconds since 1970; null: never. */
  readonly expiresAt: number | null;
  readonly createdAt: number;
  readonly releaseKey: string | null;
}

/** For what a key was used before. */
export type EarlierUse =
  | { readonly kind: 'entries'; readonly entries: readonly LedgerEntry[] }
  | { readonly kind: 'hold' | 'release'; readonly hold: HoldState };

/** What `reverse` may take back: the entries of a transaction, and whether that was done before. */
export interface Reversible {
  readonly entries: readonly LedgerEntry[];
  readonly reversed: boolean;
}

/** A spending limit of one wallet, with what was spent in the window that it remembers. */
export interface LimitState {
  readonly limitId: string;
  readonly walletId: string;
  /** null: every reason. */
  readonly reason: string | null;
  readonly amount: bigint;
  readonly windowSeconds: number;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  /** Seconds since 1970. */
  readonly windowStart: number;
  readonly spent: bigint;
}

/** Everything that one decision looks at. */
export interface LedgerState {
  /** Milliseconds since 1970, by the clock of the database, taken under the locks. */
  readonly now: number;
  /** By {@link referenceKey}: the wallet that a reference means, if there is one. */
  readonly references: ReadonlyMap<string, string>;
  readonly wallets: ReadonlyMap<string, WalletState>;
  readonly keys: ReadonlyMap<string, EarlierUse>;
  /** By `entry ID` or `transaction ID`. */
  readonly reversible: ReadonlyMap<string, Reversible>;
  readonly holds: ReadonlyMap<string, HoldState>;
  readonly limits: readonly LimitState[];
  readonly reasons: ReasonRegistry;
  /** The highest amount of one entry, and the highest balance, that the columns can hold. */
  readonly highestAmount: bigint;
  readonly highestBalance: bigint;
}
