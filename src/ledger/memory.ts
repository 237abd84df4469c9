import type { WalletState } from '../core/posting/state.js';

/** A wallet as it was when it was last seen, and what tells whether it still is so. */
export interface Remembered {
  state: WalletState;
  /** The transaction that wrote the wallet's row: its `xmin`. Whoever posts, holds or freezes changes it. */
  version: string;
  /** The pending balance and the special settings of the row, as the database prints them. */
  pending: string | null;
  special: string | null;
  /** Spending limits or holds that expire, decided under locks only: not looked at before, in `performance.now()`. */
  unfitUntil: number | null;
}

/** A name that items give a wallet, and the user whose wallet it has to be; null for its id. */
export interface Name {
  readonly reference: string;
  readonly userId: string | null;
}

/** What a name leads to. */
export interface Named {
  readonly wallet: Remembered;
  readonly userId: string | null;
}

/** For how long a wallet that needs locks is not looked at anew, in milliseconds. */
export const UNFIT_FOR = 10_000;

/** Wallets, and names of wallets, that are remembered: some 60 MB at most. */
const CAPACITY = 50_000;

/** The version of a wallet that was forgotten. */
const STALE = '';

/**
 * What a poster remembers of wallets, by the names that items give them. It is only ever a guess: the
 * statement that uses it compares versions under the locks of the wallets. However many names a wallet
 * has, it is remembered once.
 */
export class WalletMemory {
  readonly #wallets = new Recent<Remembered>();
  readonly #names = new Recent<{ readonly walletId: string; readonly userId: string | null }>();
  #generation = 0;
  #server = '';

  /** Changes whenever everything is forgotten: what was read before must not be remembered after. */
  get generation(): number {
    return this.#generation;
  }

  /** Which run of the server it is that all this was read from. */
  get server(): string {
    return this.#server;
  }

  /** @returns undefined where the name is unknown, or its wallet was forgotten */
  get(reference: string): Named | undefined {
    const name = this.#names.get(reference);
    if (name === undefined) return undefined;
    const wallet = this.#wallets.get(name.walletId);
    if (wallet === undefined || wallet.version === STALE) return undefined;
    return { wallet, userId: name.userId };
  }

  /** @param names by which items may mean the wallet */
  remember(names: readonly Name[], wallet: Remembered): void {
    const { walletId } = wallet.state;
    for (const { reference, userId } of names) this.#names.set(reference, { walletId, userId });
    const known = this.#wallets.get(walletId);
    if (known === undefined) this.#wallets.set(walletId, wallet);
    else Object.assign(known, wallet);
  }

  /** This wallet is not as it was, whatever name leads to it. */
  forget(walletId: string): void {
    const wallet = this.#wallets.get(walletId);
    if (wallet !== undefined) wallet.version = STALE;
  }

  /** This name may lead elsewhere now. */
  forgetName(reference: string): void {
    this.#names.delete(reference);
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
    this.#wallets.clear();
    this.#names.clear();
  }
}

/**
 * A map that keeps what was used lately. Two generations instead of a list of uses: what was not asked
 * for while the younger one filled up goes with the older one.
 */
class Recent<Value> {
  #young = new Map<string, Value>();
  #old = new Map<string, Value>();

  get(key: string): Value | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old !== undefined) this.set(key, old);
    return old;
  }

  set(key: string, value: Value): void {
    this.#young.set(key, value);
    if (this.#young.size <= CAPACITY) return;
    this.#old = this.#young;
    this.#young = new Map();
  }

  delete(key: string): void {
    this.#young.delete(key);
    this.#old.delete(key);
  }

  clear(): void {
    this.#young.clear();
    this.#old.clear();
  }
}
