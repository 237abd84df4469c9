import type { NewEntry, Outcome, Plan } from '../core/posting/plan.js';
import type { Refusal } from '../core/posting/refusals.js';
import { heldBy } from '../core/posting/holds.js';
import type { HoldState, HoldStatus, LedgerEntry } from '../core/posting/state.js';

/** An entry as its poster sees it. */
export interface PostedEntry {
  readonly entryId: string;
  readonly walletId: string;
  /** Signed. */
  readonly amount: bigint;
  /** The wallet's balance after the entry; null where the ledger does not record it. */
  readonly balanceAfter: bigint | null;
}

/** A hold as its owner sees it. */
export interface Hold {
  readonly holdId: string;
  readonly walletId: string;
  readonly amount: bigint;
  readonly captured: bigint;
  /** What it still keeps from being spent. */
  readonly held: bigint;
  readonly state: HoldStatus;
  readonly reason: string;
  /** null: never. */
  readonly expiresAt: Date | null;
}

/** Coins were moved. The fields of the first entry stand beside the list, for the usual case. */
export interface Posted extends PostedEntry {
  readonly status: 'posted';
  /** null where the ledger does not record transactions. */
  readonly transactionId: string | null;
  /** A transfer has two: whose coins went, and whose came. */
  readonly entries: readonly PostedEntry[];
  /** The key was known: this is the first result, and nothing new was posted. */
  readonly replayed: boolean;
  /** Of a capture: the hold after it. */
  readonly hold?: Hold;
}

export interface Held {
  readonly status: 'held';
  readonly hold: Hold;
  readonly replayed: boolean;
}

export interface Released {
  readonly status: 'released';
  readonly hold: Hold;
  readonly replayed: boolean;
}

export type PostOutcome = Posted | Refusal;
export type HoldOutcome = Held | Refusal;
export type ReleaseOutcome = Released | Refusal;
/** The outcome of one item of a batch. */
export type ItemOutcome = Posted | Held | Released | Refusal;

/** What the database gave to a plan that was written. */
export interface Given {
  /** Ids of the plan's entries, in their order. */
  readonly entryIds: readonly string[];
  /** Ids of the plan's transactions; empty where the ledger does not record them. */
  readonly transactionIds: readonly string[];
}

/** One outcome for each item of a plan. */
export function concludePlan(plan: Plan, given: Given): ItemOutcome[] {
  const concluded: ItemOutcome[] = [];
  for (const outcome of plan.outcomes) {
    concluded.push(
      outcome.status === 'same as'
        ? again(concluded[outcome.item])
        : conclude(plan, given, outcome),
    );
  }
  return concluded;
}

function again(first: ItemOutcome | undefined): ItemOutcome {
  if (first === undefined) throw new Error('an item repeats one that stands after it');
  return first.status === 'refused' ? first : { ...first, replayed: true };
}

function conclude(
  plan: Plan,
  given: Given,
  outcome: Exclude<Outcome, { readonly status: 'same as' }>,
): ItemOutcome {
  switch (outcome.status) {
    case 'refused':
      return outcome;
    case 'held':
    case 'released':
      return { status: outcome.status, hold: toHoldView(outcome.hold), replayed: outcome.replayed };
    case 'posted before': {
      const { entries, hold } = outcome;
      return posted(entries.map(ofLedger), entries[0]?.transactionId ?? null, true, hold);
    }
    case 'posted': {
      const { first, count, hold } = outcome;
      const entries = plan.entries
        .slice(first, first + count)
        .map((entry, index) => ofPlan(entry, given.entryIds[first + index]));
      const transaction = plan.entries[first]?.transaction ?? 0;
      return posted(entries, given.transactionIds[transaction] ?? null, false, hold);
    }
  }
}

function posted(
  entries: readonly PostedEntry[],
  transactionId: string | null,
  replayed: boolean,
  hold: HoldState | undefined,
): Posted {
  const [first] = entries;
  if (first === undefined) throw new Error('a posting without entries');
  const base = { status: 'posted' as const, ...first, transactionId, entries, replayed };
  return hold === undefined ? base : { ...base, hold: toHoldView(hold) };
}

function ofLedger({ entryId, walletId, amount, balanceAfter }: LedgerEntry): PostedEntry {
  return { entryId, walletId, amount, balanceAfter };
}

function ofPlan({ walletId, amount, balanceAfter }: NewEntry, entryId = ''): PostedEntry {
  return { entryId, walletId, amount, balanceAfter };
}

/** A hold for its owner. */
export function toHoldView(hold: HoldState): Hold {
  const { holdId, walletId, amount, captured, state, reason, expiresAt } = hold;
  return {
    holdId,
    walletId,
    amount,
    captured,
    held: heldBy(hold),
    state,
    reason,
    expiresAt: expiresAt === null ? null : new Date(expiresAt),
  };
}
