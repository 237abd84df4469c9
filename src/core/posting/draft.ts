import type { NewEntry, NewHold, Plan, Outcome, Spending } from './plan.js';
import type { EarlierUse, HoldState, LedgerState, LimitState, WalletState } from './state.js';

/** A key that was used in this very batch. */
export interface UsedHere {
  readonly kind: 'here';
  readonly item: number;
}

/**
 * The state as it becomes while items are decided one after the other. Every change can be taken
 * back, for linked items of which one is refused.
 */
export class Draft {
  readonly state: LedgerState;
  readonly outcomes: Outcome[] = [];
  readonly entries: NewEntry[] = [];
  readonly #wallets = new Map<string, WalletState>();
  readonly #holds = new Map<string, HoldState>();
  readonly #newHolds = new Map<string, NewHold>();
  readonly #spending = new Map<string, Spending>();
  readonly #keys = new Map<string, UsedHere>();
  readonly #reversed = new Set<string>();
  #transactions = 0;
  #undo: (() => void)[] | undefined;

  constructor(state: LedgerState) {
    this.state = state;
  }

  wallet(walletId: string): WalletState | undefined {
    return this.#wallets.get(walletId) ?? this.state.wallets.get(walletId);
  }

  changeWallet(wallet: WalletState): void {
    this.#set(this.#wallets, wallet.walletId, wallet);
  }

  hold(holdId: string): HoldState | undefined {
    return this.#newHolds.get(holdId) ?? this.#holds.get(holdId) ?? this.state.holds.get(holdId);
  }

  openHold(hold: NewHold): void {
    this.#set(this.#newHolds, hold.holdId, hold);
  }

  changeHold(hold: HoldState): void {
    const fresh = this.#newHolds.get(hold.holdId);
    if (fresh === undefined) this.#set(this.#holds, hold.holdId, hold);
    else this.#set(this.#newHolds, hold.holdId, { ...fresh, ...hold });
  }

  /** For what a key was used: in the database, or by an item before this one. */
  use(key: string): EarlierUse | UsedHere | undefined {
    return this.#keys.get(key) ?? this.state.keys.get(key);
  }

  useKey(key: string, item: number): void {
    this.#set(this.#keys, key, { kind: 'here', item });
  }

  isReversed(entryId: string): boolean {
    return this.#reversed.has(entryId);
  }

  /** What a limit has left to be spent: counters of an earlier window start anew. */
  spending(limit: LimitState): Spending {
    const { limitId, walletId, windowSeconds } = limit;
    const seconds = Math.floor(this.state.now / 1000);
    const windowStart = seconds - (seconds % windowSeconds);
    const spent = limit.windowStart === windowStart ? limit.spent : 0n;
    return this.#spending.get(spendingKey(limit)) ?? { limitId, walletId, windowStart, spent };
  }

  spend(limit: LimitState, coins: bigint): void {
    const before = this.spending(limit);
    const spent = before.spent + coins;
    this.#set(this.#spending, spendingKey(limit), { ...before, spent: spent < 0n ? 0n : spent });
  }

  /** A new transaction, to which the entries that are added next belong. */
  beginTransaction(): number {
    const transaction = this.#transactions;
    this.#transactions += 1;
    this.#undo?.push(() => {
      this.#transactions = transaction;
    });
    return transaction;
  }

  add(entry: NewEntry): void {
    this.entries.push(entry);
    if (entry.reverses !== null) this.#reversed.add(entry.reverses);
    this.#undo?.push(() => {
      this.entries.pop();
      if (entry.reverses !== null) this.#reversed.delete(entry.reverses);
    });
  }

  /** From here on changes can be taken back. */
  begin(): void {
    this.#undo = [];
  }

  /** What was changed since {@link begin} stays. */
  keep(): void {
    this.#undo = undefined;
  }

  /** Takes back what was changed since {@link begin}. */
  rewind(): void {
    const steps = this.#undo ?? [];
    this.#undo = undefined;
    for (const step of steps.reverse()) step();
  }

  plan(): Plan {
    return {
      outcomes: this.outcomes,
      entries: this.entries,
      transactions: this.#transactions,
      newHolds: [...this.#newHolds.values()],
      changedHolds: [...this.#holds.values()],
      spending: [...this.#spending.values()],
      wallets: [...this.#wallets.values()],
    };
  }

  #set<Value>(map: Map<string, Value>, key: string, value: Value): void {
    if (this.#undo !== undefined) {
      const before = map.get(key);
      this.#undo.push(() => {
        if (before === undefined) map.delete(key);
        else map.set(key, before);
      });
    }
    map.set(key, value);
  }
}

function spendingKey({ limitId, walletId }: LimitState): string {
  return `${limitId} ${walletId}`;
}
