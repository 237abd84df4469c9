import type { RefusalCode } from '../../src/core/posting/refusals.js';
import type { PostItem } from '../../src/core/posting/request.js';
import type {
  EarlierUse,
  HoldState,
  LedgerEntry,
  WalletState,
} from '../../src/core/posting/state.js';
import { NOW, entry, hold, limit, wallet, type World } from './decision.js';

/** One good item of each verb, and everything that can be wrong with it: one fault for each code. */

export type Verb = PostItem['type'];

type Mutable<Value> = { -readonly [Key in keyof Value]: Value[Key] };

/** A world that faults are put into. Wallets 1 and 2, a hold and a transfer, and one item. */
export interface Blank {
  item: PostItem;
  readonly wallets: Map<string, Mutable<WalletState>>;
  readonly hold: Mutable<HoldState>;
  /** A transfer from wallet 2 to wallet 1. */
  readonly entries: Mutable<LedgerEntry>[];
  limits: bigint | undefined;
  used: EarlierUse | undefined;
  reversed: boolean;
  highestAmount: bigint;
  state(): World;
}

type Fault = (world: Blank) => void;

interface VerbFaults {
  readonly good: PostItem;
  readonly success: string;
  readonly faults: Partial<Record<RefusalCode, Fault>>;
  /** Pairs of these faults that cannot stand together: `first second`. */
  readonly never: readonly string[];
}

export function blank(verb: Verb): Blank {
  const world: Blank = {
    item: structuredClone(FAULTS[verb].good),
    wallets: new Map(['1', '2'].map((id) => [id, wallet(id)])),
    hold: hold('h', '1'),
    entries: [
      entry('8', '2', -40n, { transactionId: 't', counterparty: '1' }),
      entry('9', '1', 40n, { transactionId: 't', counterparty: '2' }),
    ],
    limits: undefined,
    used: undefined,
    reversed: false,
    highestAmount: 1_000n,
    state: () => ({
      wallets: [...world.wallets.values()],
      holds: [world.hold],
      limits:
        world.limits === undefined ? [] : [limit('1', world.limits), limit('2', world.limits)],
      keys: new Map(world.used === undefined ? [] : [['used', world.used]]),
      reversible: new Map([['entry 9', { entries: world.entries, reversed: world.reversed }]]),
      over: { highestAmount: world.highestAmount },
    }),
  };
  return world;
}

const set =
  (change: Readonly<Record<string, unknown>>): Fault =>
  (world) => {
    world.item = { ...world.item, ...change };
  };

const everyWallet =
  (change: Partial<WalletState>): Fault =>
  ({ wallets }) => {
    for (const one of wallets.values()) Object.assign(one, change);
  };

const onHold =
  (change: Partial<HoldState>): Fault =>
  (world) => {
    Object.assign(world.hold, change);
  };

/** Changes one side of a transfer, or where a capture goes. */
const side =
  (name: 'from' | 'to', change: Readonly<Record<string, unknown>>): Fault =>
  (world) => {
    const before = (world.item as unknown as Record<string, object>)[name];
    set({ [name]: { ...before, ...change } })(world);
  };

const CONFLICT: Fault = (world) => {
  world.used = { kind: 'hold', hold: hold('other', '7') };
  set({ idempotencyKey: 'used' })(world);
};

const FRACTION = set({ amount: 1.5 });
const UNKNOWN_REASON = set({ reason: 'nonsense' });
const FROZEN = everyWallet({ frozen: true });
const NO_FUNDS = everyWallet({ balance: 0n });
const CEILING = everyWallet({ ceiling: 10n });
const NO_LIMIT_LEFT: Fault = (world) => {
  world.limits = 29n;
};
const WITHOUT_WALLET_2: Fault = ({ wallets }) => {
  wallets.delete('2');
};
/** A whole number, and yet more than the ledger's column holds. */
const TOO_MUCH: Fault = (world) => {
  world.highestAmount = 29n;
};

/** What the only wallet is like does not matter where there is none. */
const NO_WALLET = [
  'unknown_wallet currency_mismatch',
  'unknown_wallet wallet_frozen',
  'unknown_wallet insufficient_funds',
  'unknown_wallet limit_exceeded',
  'unknown_wallet ceiling_exceeded',
];
const ONE_REASON = 'unknown_reason reason_not_allowed';
const NO_HOLD = ['same_wallet', 'hold_closed', 'hold_expired', 'exceeds_hold'];
const NO_ENTRY = [
  'wallet_frozen',
  'already_reversed',
  'exceeds_original',
  'insufficient_funds',
  'ceiling_exceeded',
];

const ONE_WALLET: VerbFaults['faults'] = {
  idempotency_conflict: CONFLICT,
  unknown_reason: UNKNOWN_REASON,
  unknown_wallet: set({ walletId: 'nowhere' }),
  currency_mismatch: set({ currency: 'gems' }),
  wallet_frozen: FROZEN,
};

export const FAULTS: Readonly<Record<Verb, VerbFaults>> = {
  credit: {
    good: { type: 'credit', walletId: '1', amount: 30n, reason: 'winner' },
    success: 'posted',
    faults: {
      ...ONE_WALLET,
      invalid_amount: TOO_MUCH,
      reason_not_allowed: set({ reason: 'purchase' }),
      ceiling_exceeded: CEILING,
    },
    never: [ONE_REASON, ...NO_WALLET],
  },
  debit: {
    good: { type: 'debit', walletId: '1', amount: 30n, reason: 'purchase' },
    success: 'posted',
    faults: {
      ...ONE_WALLET,
      invalid_amount: FRACTION,
      reason_not_allowed: set({ reason: 'winner' }),
      insufficient_funds: NO_FUNDS,
      limit_exceeded: NO_LIMIT_LEFT,
    },
    never: [ONE_REASON, ...NO_WALLET],
  },
  hold: {
    good: { type: 'hold', walletId: '1', amount: 30n, reason: 'withdrawal' },
    success: 'held',
    faults: {
      ...ONE_WALLET,
      invalid_amount: TOO_MUCH,
      reason_not_allowed: set({ reason: 'winner' }),
      insufficient_funds: everyWallet({ held: 71n }),
      limit_exceeded: NO_LIMIT_LEFT,
    },
    never: [ONE_REASON, ...NO_WALLET],
  },
  transfer: {
    good: { type: 'transfer', from: { walletId: '1' }, to: { walletId: '2' }, amount: 30n },
    success: 'posted',
    faults: {
      invalid_amount: TOO_MUCH,
      idempotency_conflict: CONFLICT,
      unknown_reason: UNKNOWN_REASON,
      reason_not_allowed: set({ reason: 'refund' }),
      unknown_wallet: WITHOUT_WALLET_2,
      same_wallet: side('from', { walletId: '2' }),
      currency_mismatch: side('from', { currency: 'gems' }),
      wallet_frozen: FROZEN,
      insufficient_funds: NO_FUNDS,
      limit_exceeded: NO_LIMIT_LEFT,
      ceiling_exceeded: CEILING,
    },
    never: [ONE_REASON],
  },
  capture: {
    good: { type: 'capture', holdId: 'h', amount: 30n, to: { walletId: '2' } },
    success: 'posted',
    faults: {
      invalid_amount: TOO_MUCH,
      idempotency_conflict: CONFLICT,
      unknown_wallet: WITHOUT_WALLET_2,
      unknown_hold: set({ holdId: 'nothing' }),
      same_wallet: onHold({ walletId: '2' }),
      currency_mismatch: side('to', { currency: 'gems' }),
      wallet_frozen: FROZEN,
      hold_closed: onHold({ state: 'released' }),
      hold_expired: onHold({ expiresAt: NOW }),
      exceeds_hold: onHold({ captured: 11n }),
      ceiling_exceeded: CEILING,
    },
    never: NO_HOLD.map((code) => `unknown_hold ${code}`),
  },
  release: {
    good: { type: 'release', holdId: 'h' },
    success: 'released',
    faults: {
      idempotency_conflict: CONFLICT,
      unknown_hold: set({ holdId: 'nothing' }),
      hold_closed: onHold({ state: 'captured' }),
      hold_expired: onHold({ expiresAt: NOW }),
    },
    never: NO_HOLD.map((code) => `unknown_hold ${code}`),
  },
  reverse: {
    good: { type: 'reverse', entryId: '9', amount: 30n },
    success: 'posted',
    faults: {
      invalid_amount: FRACTION,
      idempotency_conflict: CONFLICT,
      unknown_reason: UNKNOWN_REASON,
      reason_not_allowed: set({ reason: 'purchase' }),
      unknown_entry: set({ entryId: '404' }),
      wallet_frozen: FROZEN,
      already_reversed: (world) => {
        world.reversed = true;
      },
      exceeds_original: ({ entries }) => {
        for (const one of entries) one.amount = one.amount > 0n ? 29n : -29n;
      },
      insufficient_funds: NO_FUNDS,
      ceiling_exceeded: CEILING,
    },
    never: [ONE_REASON, ...NO_ENTRY.map((code) => `unknown_entry ${code}`)],
  },
};
