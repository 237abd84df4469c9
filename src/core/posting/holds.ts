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
import { checkPair, factsOf, post, spend } from './movements.js';
import type { Outcome } from './plan.js';
import { refusal, type Refusal } from './refusals.js';
import type { CaptureRequest, HoldRequest, PreparedItem, ReleaseRequest } from './request.js';
import type { HoldState } from './state.js';

/** What a hold still keeps from being spent. */
export function heldBy({ state, amount, captured }: HoldState): bigint {
  return state === 'open' ? amount - captured : 0n;
}

/** Sets coins aside. They count as spent under the limits from now on, not once more when captured. */
export function decideHold(draft: Draft, item: HoldRequest, prepared: PreparedItem): Outcome {
  const amount = amountOf(draft, item.amount);
  if (amount === undefined) return invalidAmount(draft);
  const reason = checkReason(draft, item.reason, 'debit', item.actor);
  if (reason !== undefined) return reason;
  const wallet = walletOf(draft, item);
  if (wallet === undefined) return unknownWallet(item);
  const refused =
    checkCurrency(wallet, item) ??
    checkFrozen(wallet) ??
    checkFunds(wallet, amount) ??
    checkLimits(draft, wallet, item.reason, amount);
  if (refused !== undefined) return refused;
  const { now } = draft.state;
  const seconds = item.expiresInSeconds;
  const hold: HoldState = {
    holdId: prepared.newHoldId,
    walletId: wallet.walletId,
    amount,
    captured: 0n,
    state: 'open',
    reason: item.reason,
    note: item.note ?? null,
    metadata: prepared.metadata,
    actor: item.actor ?? null,
    expiresAt: seconds === undefined ? null : now + seconds * 1000,
    createdAt: now,
    releaseKey: null,
  };
  draft.changeWallet({ ...wallet, held: wallet.held + amount });
  spend(draft, wallet, item.reason, amount);
  draft.openHold({ ...hold, idempotencyKey: item.idempotencyKey ?? null });
  return { status: 'held', hold, replayed: false };
}

/** Takes coins of a hold: their wallet has them, because they were held. */
export function decideCapture(draft: Draft, item: CaptureRequest, prepared: PreparedItem): Outcome {
  const asked = item.amount === undefined ? null : amountOf(draft, item.amount);
  if (asked === undefined) return invalidAmount(draft);
  const to = item.to === undefined ? undefined : walletOf(draft, item.to);
  if (item.to !== undefined && to === undefined) return unknownWallet(item.to);
  const hold = draft.hold(item.holdId);
  if (hold === undefined) return unknownHold(item.holdId);
  const from = draft.wallet(hold.walletId);
  if (from === undefined) return unknownWallet({ walletId: hold.walletId });
  const amount = asked ?? heldBy(hold);
  const refused =
    (to === undefined ? undefined : (checkPair(from, to) ?? checkCurrency(to, item.to ?? {}))) ??
    (to === undefined ? checkFrozen(from) : checkFrozen(from, to)) ??
    checkOpen(draft, hold) ??
    checkLeft(hold, amount) ??
    (to === undefined ? undefined : checkCeiling(draft, to, amount));
  if (refused !== undefined) return refused;

  const captured = captureOf(draft, hold, amount, item.releaseRest ?? false);
  draft.changeWallet({ ...from, held: from.held - heldBy(hold) + heldBy(captured) });
  draft.changeHold(captured);
  const facts = { ...factsOf(prepared, hold.reason), holdId: hold.holdId };
  const outcome = post(draft, facts, [
    { walletId: from.walletId, amount: -amount, counterparty: to?.walletId ?? null },
    ...(to === undefined ? [] : [{ walletId: to.walletId, amount, counterparty: from.walletId }]),
  ]);
  return outcome.status === 'posted' ? { ...outcome, hold: captured } : outcome;
}

function captureOf(draft: Draft, hold: HoldState, amount: bigint, releaseRest: boolean): HoldState {
  const captured = hold.captured + amount;
  if (captured === hold.amount) return { ...hold, captured, state: 'captured' };
  const partly: HoldState = { ...hold, captured };
  return releaseRest ? freed(draft, partly, null) : partly;
}

/** Frees what is left. Releasing what was released before is no error. */
export function decideRelease(draft: Draft, item: ReleaseRequest): Outcome {
  const hold = draft.hold(item.holdId);
  if (hold === undefined) return unknownHold(item.holdId);
  if (hold.state === 'released' && item.idempotencyKey === undefined) {
    return { status: 'released', hold, replayed: true };
  }
  const refused = checkOpen(draft, hold);
  if (refused !== undefined) return refused;
  const wallet = draft.wallet(hold.walletId);
  if (wallet === undefined) return unknownWallet({ walletId: hold.walletId });
  const released = freed(draft, hold, item.idempotencyKey ?? null);
  draft.changeWallet({ ...wallet, held: wallet.held - heldBy(hold) });
  draft.changeHold(released);
  return { status: 'released', hold: released, replayed: false };
}

/**
 * Closes a hold, and gives back what it did not use to the limits that counted it: those that were there
 * when it was made, and whose window still runs.
 */
function freed(draft: Draft, hold: HoldState, releaseKey: string | null): HoldState {
  const wallet = draft.wallet(hold.walletId);
  if (wallet !== undefined) {
    for (const limit of limitsOn(draft, wallet, hold.reason)) {
      const { windowStart } = draft.spending(limit);
      const counted = hold.createdAt >= windowStart * 1000 && hold.createdAt >= limit.createdAt;
      if (counted) draft.spend(limit, -heldBy(hold));
    }
  }
  return { ...hold, state: 'released', releaseKey };
}

function unknownHold(holdId: string): Refusal {
  return refusal('unknown_hold', `there is no hold ${holdId}`);
}

function checkOpen(draft: Draft, hold: HoldState): Refusal | undefined {
  const over = hold.expiresAt !== null && hold.expiresAt <= draft.state.now;
  if (hold.state === 'expired' || (hold.state === 'open' && over)) {
    return refusal('hold_expired', `the time of hold ${hold.holdId} is over`);
  }
  if (hold.state === 'open') return undefined;
  return refusal('hold_closed', `hold ${hold.holdId} was ${hold.state} before`);
}

function checkLeft(hold: HoldState, amount: bigint): Refusal | undefined {
  if (amount <= heldBy(hold)) return undefined;
  return refusal('exceeds_hold', `hold ${hold.holdId} keeps ${String(heldBy(hold))} coins`);
}
