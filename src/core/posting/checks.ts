import { parseAmount } from '../amount.js';
import type { Draft } from './draft.js';
import { refusal, type Refusal } from './refusals.js';
import { referenceKey, type WalletReference } from './request.js';
import type { LimitState, WalletState } from './state.js';

/** Checks that several verbs share. Each returns the refusal, or undefined where nothing is wrong. */

/** Reads an amount; undefined where it is none, or more than one entry can hold. */
export function amountOf(draft: Draft, value: unknown): bigint | undefined {
  const amount = parseAmount(value);
  return amount === undefined || amount > draft.state.highestAmount ? undefined : amount;
}

export function invalidAmount(draft: Draft): Refusal {
  return refusal(
    'invalid_amount',
    `an amount is a whole number from 1 to ${String(draft.state.highestAmount)}`,
  );
}

/** Whether the reason is known, allows the direction, and may be used by the actor. */
export function checkReason(
  draft: Draft,
  reason: string,
  direction: 'credit' | 'debit' | 'both',
  actor: string | undefined,
): Refusal | undefined {
  const rule = Object.hasOwn(draft.state.reasons, reason) ? draft.state.reasons[reason] : undefined;
  if (rule === undefined) {
    return refusal('unknown_reason', `the registry has no reason ${JSON.stringify(reason)}`);
  }
  const allows = rule.allows ?? 'both';
  if (allows !== 'both' && allows !== direction) {
    const asked = direction === 'both' ? 'transfer' : direction;
    return refusal('reason_not_allowed', `${reason} is for a ${allows}, not for a ${asked}`);
  }
  if (rule.actors !== undefined && (actor === undefined || !rule.actors.includes(actor))) {
    return refusal('reason_not_allowed', `${reason} is not for ${actor ?? 'a nameless actor'}`);
  }
  return undefined;
}

/** The wallet that a reference means, as it stands now. */
export function walletOf(draft: Draft, reference: WalletReference): WalletState | undefined {
  const walletId = draft.state.references.get(referenceKey(reference));
  return walletId === undefined ? undefined : draft.wallet(walletId);
}

export function unknownWallet(reference: WalletReference): Refusal {
  const { walletId, userId, currency } = reference;
  const message =
    walletId === undefined
      ? `user ${userId ?? ''} has no wallet${currency === undefined ? '' : ` of ${currency}`}`
      : `there is no wallet ${walletId}`;
  return refusal('unknown_wallet', message);
}

export function checkCurrency(
  wallet: WalletState,
  reference: WalletReference,
): Refusal | undefined {
  const { currency } = reference;
  if (currency === undefined || wallet.currency === null || currency === wallet.currency) {
    return undefined;
  }
  return refusal(
    'currency_mismatch',
    `wallet ${wallet.walletId} holds ${wallet.currency}, not ${currency}`,
  );
}

export function checkFrozen(...wallets: readonly WalletState[]): Refusal | undefined {
  const frozen = wallets.find((wallet) => wallet.frozen);
  if (frozen === undefined) return undefined;
  return refusal('wallet_frozen', `wallet ${frozen.walletId} is frozen`);
}

/** Coins that can be spent: the balance less what is on hold. */
export function available(wallet: WalletState): bigint {
  return wallet.balance - wallet.held;
}

export function checkFunds(wallet: WalletState, amount: bigint): Refusal | undefined {
  if (wallet.floor === null || available(wallet) - amount >= wallet.floor) return undefined;
  return refusal(
    'insufficient_funds',
    `wallet ${wallet.walletId} has ${String(available(wallet))} available, not ${String(amount)}` +
      (wallet.floor === 0n ? '' : `, and may go down to ${String(wallet.floor)}`),
  );
}

export function checkCeiling(
  draft: Draft,
  wallet: WalletState,
  amount: bigint,
): Refusal | undefined {
  const highest = draft.state.highestBalance;
  const ceiling = wallet.ceiling === null || wallet.ceiling > highest ? highest : wallet.ceiling;
  if (wallet.balance + amount <= ceiling) return undefined;
  return refusal(
    'ceiling_exceeded',
    `wallet ${wallet.walletId} holds ${String(wallet.balance)} and may hold at most ${String(ceiling)}`,
  );
}

/** The limits under which coins of this wallet are spent for this reason. */
export function limitsOn(draft: Draft, wallet: WalletState, reason: string): LimitState[] {
  return draft.state.limits.filter(
    (limit) =>
      limit.walletId === wallet.walletId && (limit.reason === null || limit.reason === reason),
  );
}

export function checkLimits(
  draft: Draft,
  wallet: WalletState,
  reason: string,
  amount: bigint,
): Refusal | undefined {
  for (const limit of limitsOn(draft, wallet, reason)) {
    const { spent } = draft.spending(limit);
    if (spent + amount <= limit.amount) continue;
    const what = limit.reason === null ? '' : ` for ${limit.reason}`;
    return refusal(
      'limit_exceeded',
      `wallet ${wallet.walletId} has spent ${String(spent)} of ${String(limit.amount)}${what} ` +
        `in this window of ${String(limit.windowSeconds)} seconds`,
    );
  }
  return undefined;
}
