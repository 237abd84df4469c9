import {
  amountOf,
  checkCeiling,
  checkFrozen,
  checkFunds,
  checkReason,
  invalidAmount,
  unknownWallet,
} from './checks.js';
import type { Draft } from './draft.js';
import { factsOf, post } from './movements.js';
import type { Outcome } from './plan.js';
import { refusal, type Refusal } from './refusals.js';
import type { PreparedItem, ReverseRequest } from './request.js';
import type { LedgerEntry, Reversible } from './state.js';

/** The name under which the state keeps what a reversal takes back. */
export function reversibleKey({ entryId, transactionId }: ReverseRequest): string {
  return entryId === undefined ? `transaction ${transactionId ?? ''}` : `entry ${entryId}`;
}

/** Takes back the entries of a transaction, once, wholly or in part. */
export function decideReversal(
  draft: Draft,
  item: ReverseRequest,
  prepared: PreparedItem,
): Outcome {
  const asked = item.amount === undefined ? null : amountOf(draft, item.amount);
  if (asked === undefined) return invalidAmount(draft);
  const name = item.reason ?? 'reversal';
  const reason = checkReason(draft, name, 'both', item.actor);
  if (reason !== undefined) return reason;
  const found = draft.state.reversible.get(reversibleKey(item));
  if (found === undefined || found.entries.length === 0) {
    return refusal('unknown_entry', `there is no ${reversibleKey(item)}`);
  }
  const refused = checkOriginal(draft, found, asked);
  if (refused !== undefined) return refused;
  // What takes coins goes first, so that one wallet's coins can pay for another's.
  const legs = found.entries
    .map((entry) => ({
      walletId: entry.walletId,
      amount: taken(entry, asked),
      counterparty: entry.counterparty ?? null,
      reverses: entry.entryId,
    }))
    .sort((left, right) => Number(left.amount > 0n) - Number(right.amount > 0n));
  const moved = new Map<string, bigint>();
  for (const { walletId, amount } of legs) {
    const standing = draft.wallet(walletId);
    if (standing === undefined) return unknownWallet({ walletId });
    const before = moved.get(walletId) ?? 0n;
    const wallet = { ...standing, balance: standing.balance + before };
    const short = amount < 0n ? checkFunds(wallet, -amount) : checkCeiling(draft, wallet, amount);
    if (short !== undefined) return short;
    moved.set(walletId, before + amount);
  }
  return post(draft, factsOf(prepared, name), legs);
}

function taken({ amount }: LedgerEntry, asked: bigint | null): bigint {
  if (asked === null) return -amount;
  return amount > 0n ? -asked : asked;
}

function checkOriginal(
  draft: Draft,
  { entries, reversed }: Reversible,
  asked: bigint | null,
): Refusal | undefined {
  const wallets = entries.flatMap(({ walletId }) => draft.wallet(walletId) ?? []);
  const frozen = checkFrozen(...wallets);
  if (frozen !== undefined) return frozen;
  const again = entries.find(({ entryId }) => draft.isReversed(entryId));
  if (reversed || again !== undefined) {
    return refusal('already_reversed', `entry ${entries[0]?.entryId ?? ''} was reversed before`);
  }
  if (asked === null) return undefined;
  const least = entries.map(({ amount }) => (amount < 0n ? -amount : amount)).sort(compare)[0];
  if (least !== undefined && asked <= least) return undefined;
  return refusal('exceeds_original', `only ${String(least ?? 0n)} coins were moved`);
}

function compare(left: bigint, right: bigint): number {
  return left < right ? -1 : Number(left > right);
}
