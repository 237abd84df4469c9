import {
  amountOf,
  checkCeiling,
  checkCurrency,
  checkFrozen,
  checkFunds,
  checkLimits,
  checkReason,
  invalidAmount,
  limitsOn,
  unknownWallet,
  walletOf,
} from './checks.js';
import type { Draft } from './draft.js';
import type { NewEntry, Outcome } from './plan.js';
import { refusal } from './refusals.js';
import type { PostRequest, PreparedItem, TransferRequest } from './request.js';
import type { WalletState } from './state.js';

/** What the entries of one posting have in common. */
export type EntryFacts = Pick<
  NewEntry,
  'reason' | 'note' | 'metadata' | 'actor' | 'idempotencyKey' | 'holdId'
>;

/** One entry of a posting: whose coins, how many, and from or to whom. */
interface Leg {
  readonly walletId: string;
  readonly amount: bigint;
  readonly counterparty: string | null;
  readonly reverses?: string | null;
}

/** Coins that come in from outside, or go out. */
export function decideMovement(
  draft: Draft,
  item: PostRequest & { readonly type: 'credit' | 'debit' },
  prepared: PreparedItem,
): Outcome {
  const amount = amountOf(draft, item.amount);
  if (amount === undefined) return invalidAmount(draft);
  const reason = checkReason(draft, item.reason, item.type, item.actor);
  if (reason !== undefined) return reason;
  const wallet = walletOf(draft, item);
  if (wallet === undefined) return unknownWallet(item);
  const refused =
    checkCurrency(wallet, item) ??
    checkFrozen(wallet) ??
    (item.type === 'credit'
      ? checkCeiling(draft, wallet, amount)
      : (checkFunds(wallet, amount) ?? checkLimits(draft, wallet, item.reason, amount)));
  if (refused !== undefined) return refused;
  if (item.type === 'debit') spend(draft, wallet, item.reason, amount);
  const signed = item.type === 'credit' ? amount : -amount;
  return post(draft, factsOf(prepared, item.reason), [
    { walletId: wallet.walletId, amount: signed, counterparty: null },
  ]);
}

/** Coins that go from one wallet to another: both entries, or neither. */
export function decideTransfer(
  draft: Draft,
  item: TransferRequest,
  prepared: PreparedItem,
): Outcome {
  const amount = amountOf(draft, item.amount);
  if (amount === undefined) return invalidAmount(draft);
  const name = item.reason ?? 'p2p_transfer';
  const reason = checkReason(draft, name, 'both', item.actor);
  if (reason !== undefined) return reason;
  const from = walletOf(draft, item.from);
  if (from === undefined) return unknownWallet(item.from);
  const to = walletOf(draft, item.to);
  if (to === undefined) return unknownWallet(item.to);
  const refused =
    checkPair(from, to) ??
    checkCurrency(from, item.from) ??
    checkCurrency(to, item.to) ??
    checkFrozen(from, to) ??
    checkFunds(from, amount) ??
    checkLimits(draft, from, name, amount) ??
    checkCeiling(draft, to, amount);
  if (refused !== undefined) return refused;
  spend(draft, from, name, amount);
  return post(draft, factsOf(prepared, name), [
    { walletId: from.walletId, amount: -amount, counterparty: to.walletId },
    { walletId: to.walletId, amount, counterparty: from.walletId },
  ]);
}

/** Whether coins can go from one wallet to the other at all. */
export function checkPair(from: WalletState, to: WalletState): Outcome | undefined {
  if (from.walletId === to.walletId) {
    return refusal('same_wallet', `wallet ${from.walletId} cannot send coins to itself`);
  }
  if (from.currency === to.currency) return undefined;
  return refusal(
    'currency_mismatch',
    `wallet ${from.walletId} holds ${from.currency ?? 'coins'}, wallet ${to.walletId} ${to.currency ?? 'coins'}`,
  );
}

/** Counts coins against every limit that applies. */
export function spend(draft: Draft, wallet: WalletState, reason: string, coins: bigint): void {
  for (const limit of limitsOn(draft, wallet, reason)) draft.spend(limit, coins);
}

export function factsOf({ item, metadata }: PreparedItem, reason: string): EntryFacts {
  const { note, actor } =
    'note' in item || 'actor' in item ? item : { note: undefined, actor: undefined };
  return {
    reason,
    note: note ?? null,
    metadata,
    actor: actor ?? null,
    idempotencyKey: item.idempotencyKey ?? null,
    holdId: null,
  };
}

/** Moves the coins in the draft. The key goes on the first entry. */
export function post(draft: Draft, facts: EntryFacts, legs: readonly Leg[]): Outcome {
  const transaction = draft.beginTransaction();
  const first = draft.entries.length;
  for (const leg of legs) {
    const wallet = draft.wallet(leg.walletId);
    if (wallet === undefined) throw new Error(`wallet ${leg.walletId} was not loaded`);
    const balance = wallet.balance + leg.amount;
    const sequence = wallet.sequence === null ? null : wallet.sequence + 1n;
    draft.changeWallet({ ...wallet, balance, sequence });
    // Every field by name: this runs for every entry, and copying objects took a third of it.
    draft.add({
      transaction,
      walletId: leg.walletId,
      sequence,
      amount: leg.amount,
      balanceAfter: balance,
      counterparty: leg.counterparty,
      reason: facts.reason,
      note: facts.note,
      metadata: facts.metadata,
      actor: facts.actor,
      idempotencyKey: draft.entries.length === first ? facts.idempotencyKey : null,
      reverses: leg.reverses ?? null,
      holdId: facts.holdId,
    });
  }
  return { status: 'posted', first, count: legs.length };
}
