import { canonicalJson } from '../../src/core/posting/canonical.js';
import { decide } from '../../src/core/posting/decide.js';
import type { Outcome, Plan } from '../../src/core/posting/plan.js';
import { referenceKey, type PostItem, type PreparedItem } from '../../src/core/posting/request.js';
import type {
  HoldState,
  LedgerEntry,
  LedgerState,
  LimitState,
  WalletState,
} from '../../src/core/posting/state.js';
import { DEFAULT_REASONS } from '../../src/core/reasons.js';

/** Small worlds for the pure decision, spelled in a few words. */

/** A day that began 1,000 seconds ago: windows of an hour and of a day are in their midst. */
export const NOW = 20_000 * 86_400_000 + 1_000_000;

/** A wallet with some coins, of the user with the same id. */
export function wallet(walletId: string, over: Partial<WalletState> = {}): WalletState {
  return {
    walletId,
    balance: 100n,
    held: 0n,
    sequence: 7n,
    currency: 'coins',
    frozen: false,
    floor: 0n,
    ceiling: null,
    ...over,
  };
}

export function hold(holdId: string, walletId: string, over: Partial<HoldState> = {}): HoldState {
  return {
    holdId,
    walletId,
    amount: 40n,
    captured: 0n,
    state: 'open',
    reason: 'purchase',
    note: null,
    metadata: null,
    actor: null,
    expiresAt: null,
    createdAt: NOW - 60_000,
    releaseKey: null,
    ...over,
  };
}

/** An entry that stands in the ledger, in the transaction of its own number. */
export function entry(
  entryId: string,
  walletId: string,
  amount: bigint,
  over: Partial<LedgerEntry> = {},
): LedgerEntry {
  return {
    entryId,
    transactionId: `t${entryId}`,
    walletId,
    amount,
    balanceAfter: 100n,
    reason: 'winner',
    note: null,
    metadata: null,
    actor: null,
    counterparty: null,
    reverses: null,
    holdId: null,
    ...over,
  };
}

export function limit(
  walletId: string,
  amount: bigint,
  over: Partial<LimitState> = {},
): LimitState {
  return {
    limitId: `limit ${walletId} ${over.reason ?? 'all'}`,
    walletId,
    reason: null,
    amount,
    windowSeconds: 3_600,
    createdAt: 0,
    windowStart: 0,
    spent: 0n,
    ...over,
  };
}

/** What a test says of its world; everything else is empty. */
export interface World {
  readonly wallets?: readonly WalletState[];
  readonly holds?: readonly HoldState[];
  readonly limits?: readonly LimitState[];
  readonly keys?: LedgerState['keys'];
  /** What `reverse` finds, by `entry ID` or `transaction ID`. */
  readonly reversible?: LedgerState['reversible'];
  readonly over?: Partial<LedgerState>;
}

/** Wallets may be named by their id, by the user of the same id, and by him and their currency. */
export function stateOf({ wallets = [], holds = [], limits = [], ...world }: World): LedgerState {
  const references = new Map<string, string>();
  for (const { walletId, currency } of wallets) {
    references.set(referenceKey({ walletId }), walletId);
    references.set(referenceKey({ userId: walletId }), walletId);
    if (currency !== null) references.set(referenceKey({ userId: walletId, currency }), walletId);
  }
  return {
    now: NOW,
    references,
    wallets: new Map(wallets.map((one) => [one.walletId, one])),
    keys: world.keys ?? new Map(),
    reversible: world.reversible ?? new Map(),
    holds: new Map(holds.map((one) => [one.holdId, one])),
    limits,
    reasons: DEFAULT_REASONS,
    highestAmount: 9_007_199_254_740_991n,
    highestBalance: 9_223_372_036_854_775_807n,
    ...world.over,
  };
}

/** Ready to be decided; the hold of item n would be `new n`. */
export function preparedItems(items: readonly PostItem[]): PreparedItem[] {
  return items.map((item, index) => ({
    item,
    metadata:
      'metadata' in item && item.metadata !== undefined ? canonicalJson(item.metadata) : null,
    newHoldId: `new ${String(index)}`,
  }));
}

export function decided(world: World, ...items: PostItem[]): Plan {
  return decide(stateOf(world), preparedItems(items));
}

/** Each outcome in a word: the code of a refusal, else its status. */
export function words(plan: Plan): string[] {
  return plan.outcomes.map(wordOf);
}

function wordOf(outcome: Outcome): string {
  if (outcome.status === 'refused') return outcome.code;
  if (outcome.status === 'same as') return `same as ${String(outcome.item)}`;
  if (outcome.status === 'posted' || outcome.status === 'posted before') return outcome.status;
  return outcome.replayed ? `${outcome.status} before` : outcome.status;
}

/** Each entry as `wallet amount = balance after`. */
export function lines(plan: Plan): string[] {
  return plan.entries.map(
    ({ walletId, amount, balanceAfter }) =>
      `${walletId} ${amount > 0n ? '+' : ''}${String(amount)} = ${String(balanceAfter)}`,
  );
}
