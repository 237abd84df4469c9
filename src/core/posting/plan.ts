import type { Refusal } from './refusals.js';
import type { HoldState, LedgerEntry, WalletState } from './state.js';

/** An entry to be inserted. Its id and time are the database's to give. */
export interface NewEntry {
  /** Entries with the same number belong to one transaction: 0, 1, 2 ... within a plan. */
  readonly transaction: number;
  readonly walletId: string;
  readonly sequence: bigint | null;
  readonly amount: bigint;
  readonly balanceAfter: bigint;
  readonly counterparty: string | null;
  readonly reason: string;
  readonly note: string | null;
  /** As JSON text. */
  readonly metadata: string | null;
  readonly actor: string | null;
  readonly idempotencyKey: string | null;
  readonly reverses: string | null;
  readonly holdId: string | null;
}

/** A hold to be inserted. */
export interface NewHold extends HoldState {
  readonly idempotencyKey: string | null;
}

/** What was spent under a limit, to be written. */
export interface Spending {
  readonly limitId: string;
  readonly walletId: string;
  readonly windowStart: number;
  readonly spent: bigint;
}

/** What becomes of one item, before the database has given ids. */
export type Outcome =
  | Refusal
  /** Entries `first` to `first + count - 1` of the plan, and the hold that they capture. */
  | {
      readonly status: 'posted';
      readonly first: number;
      readonly count: number;
      readonly hold?: HoldState;
    }
  | { readonly status: 'held' | 'released'; readonly hold: HoldState; readonly replayed: boolean }
  /** The key was known: these are the first result's entries. */
  | {
      readonly status: 'posted before';
      readonly entries: readonly LedgerEntry[];
      readonly hold?: HoldState;
    }
  /** The same key stood earlier in this batch. */
  | { readonly status: 'same as'; readonly item: number };

/** All that one decision changes, and one outcome for each item. */
export interface Plan {
  readonly outcomes: readonly Outcome[];
  readonly entries: readonly NewEntry[];
  /** How many transactions the entries form. */
  readonly transactions: number;
  readonly newHolds: readonly NewHold[];
  /** Holds that were open and changed: some of it captured, or closed. */
  readonly changedHolds: readonly HoldState[];
  readonly spending: readonly Spending[];
  /** Wallets that changed, as they are after it. */
  readonly wallets: readonly WalletState[];
}
