import type { WalletState } from '../core/posting/state.js';

/** A wallet as it was when it was last seen, and what tells whether it still is so. */
export interface Remembered {
  state: WalletState;
  /** The transaction that wrote the wallet's row: its `xmin`. Whoever posts, holds or freezes changes it. */
  version: string;
  /** The pending balance and the special settings of the row, as the database prints them. */
  readonly pending: string | null;
  readonly special: string | null;
  /** The user by whom it was found; null where it was found by its id alone. */
  readonly userId: string | null;
  /** Spending limits or holds that expire: these are decided under locks only. Until when, on {@link clock}. */
  readonly unfitUntil: number | null;
}

/** For how long a wallet that needs locks is not looked at anew, in milliseconds. */
export const UNFIT_FOR = 10_000;

/** Names that are remembered; with two for a wallet (id and user) this is some 60 MB at most. */
const CAPACITY = 100_000;

/**
 * What a poster remembers of wallets, by the names that items give them. It is only ever a guess: the
 * statement that uses it compares versions under the locks of the wallets.
 *
 * Two generations instead of a list of uses: what was not asked for while the younger one filled up
 * goes with the older one.
 */
export class WalletMemory {
  #young = new Map<string, Remembered>();
  #old = new Map<string, Remembered>();
  #generation = 0;
  #server = '';

  /** Changes whenever everything is forgotten: what was read before must not be remembered after. */
  get generation(): number {
    return this.#generation;
  }

  get(reference: string): Remembered | undefined {
    let wallet = this.#young.get(reference);
    if (wallet === undefined) {
      wallet = this.#old.get(reference);
      if (wallet !== undefined) this.#set(reference, wallet);
    }
    return wallet?.version === STALE ? undefined : wallet;
  }

  /** @param references the names by which items may mean the wallet */
  remember(references: readonly string[], wallet: Remembered): void {
    for (const reference of references) this.#set(reference, wallet);
  }

  /** This wallet is not as it was, whatever name leads to it. */
  forget(wallet: Remembered): void {
    wallet.version = STALE;
  }

  /** Which run of the server it is that all this was read from. */
  get server(): string {
    return this.#server;
  }

  /** Forgets everything where it was read from another run of the server. */
  setServer(server: string): void {
    if (server === this.#server) return;
    this.clear();
    this.#server = server;
  }

  /**
   * Forgets everything: a server that came back may have lost commits, and gives out their transaction
   * ids again.
   */
  clear(): void {
    this.#generation += 1;
    this.#young.clear();
    this.#old.clear();
  }

  #set(reference: string, wallet: Remembered): void {
    this.#young.set(reference, wallet);
    if (this.#young.size <= CAPACITY / 2) return;
    this.#old = this.#young;
    this.#young = new Map();
  }
}

/** The version of a wallet that was forgotten. */
const STALE = '';
