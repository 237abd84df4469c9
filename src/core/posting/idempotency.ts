import { amountOf, invalidAmount, walletOf } from './checks.js';
import type { Draft, UsedHere } from './draft.js';
import type { NewEntry, Outcome } from './plan.js';
import { refusal } from './refusals.js';
import type { PreparedItem } from './request.js';
import type { EarlierUse, HoldState, LedgerEntry } from './state.js';

/**
 * What makes two requests the same, field by field. A field that is undefined is not compared: the
 * mapping does not keep it, or the request leaves it open.
 */
type Fingerprint = Readonly<Record<string, string | null | undefined>>;

/**
 * The outcome of an item whose key was used before: the first result again, or a conflict that names
 * what differs.
 *
 * @returns undefined where there is no key, or it is new
 */
export function earlierOutcome(draft: Draft, prepared: PreparedItem): Outcome | undefined {
  const key = prepared.item.idempotencyKey;
  const use = key === undefined ? undefined : draft.use(key);
  if (use === undefined) return undefined;
  const wanted = fingerprintOf(draft, prepared);
  if (wanted === undefined) return invalidAmount(draft);
  const { found, what } = usedFor(draft, use);
  const differs = [
    ...Object.keys(wanted).filter(
      (field) =>
        wanted[field] !== undefined && found[field] !== undefined && wanted[field] !== found[field],
    ),
    ...leftOpen(draft, prepared.item),
  ];
  if (differs.length > 0) {
    return refusal(
      'idempotency_conflict',
      `the key was used for ${what} with another ${differs.join(' and another ')}`,
    );
  }
  return firstResult(draft, use, prepared);
}

/**
 * A capture of all that is left, or one that frees the rest, leaves no hold open. If it is open, the
 * first capture was another one; what it was asked for is not kept.
 */
function leftOpen(draft: Draft, item: PreparedItem['item']): string[] {
  if (item.type !== 'capture' || draft.hold(item.holdId)?.state !== 'open') return [];
  if (item.releaseRest === true) return ['release of the rest'];
  return item.amount === undefined ? ['amount'] : [];
}

function firstResult(draft: Draft, use: EarlierUse | UsedHere, { item }: PreparedItem): Outcome {
  switch (use.kind) {
    case 'here':
      return { status: 'same as', item: use.item };
    case 'entries': {
      const hold = item.type === 'capture' ? draft.hold(item.holdId) : undefined;
      const before = { status: 'posted before' as const, entries: use.entries };
      return hold === undefined ? before : { ...before, hold };
    }
    case 'hold':
      return { status: 'held', hold: use.hold, replayed: true };
    case 'release':
      return { status: 'released', hold: use.hold, replayed: true };
  }
}

function usedFor(draft: Draft, use: EarlierUse | UsedHere): { found: Fingerprint; what: string } {
  if (use.kind === 'here') return usedHere(draft, use.item);
  if (use.kind === 'entries') {
    const [first] = use.entries;
    if (first === undefined) return { found: {}, what: 'an entry' };
    return { found: ofEntry(draft, first), what: `entry ${first.entryId}` };
  }
  const found = use.kind === 'hold' ? ofHold(draft, use.hold) : ofRelease(use.hold.holdId);
  return { found, what: `${use.kind === 'hold' ? '' : 'the release of '}hold ${use.hold.holdId}` };
}

function usedHere(draft: Draft, item: number): { found: Fingerprint; what: string } {
  const what = `item ${String(item)} of this batch`;
  const outcome = draft.outcomes[item];
  switch (outcome?.status) {
    case 'posted': {
      const entry = draft.entries[outcome.first];
      return { found: entry === undefined ? {} : ofEntry(draft, entry), what };
    }
    case 'posted before': {
      const [entry] = outcome.entries;
      return { found: entry === undefined ? {} : ofEntry(draft, entry), what };
    }
    case 'held':
      return { found: ofHold(draft, outcome.hold), what };
    case 'released':
      return { found: ofRelease(outcome.hold.holdId), what };
    case 'same as':
      return usedHere(draft, outcome.item);
    case 'refused':
    case undefined:
      return { found: {}, what };
  }
}

/** Which coins a wallet holds, for requests that say so. */
function currencyOf(draft: Draft, walletId: string): string | undefined {
  return draft.wallet(walletId)?.currency ?? undefined;
}

function ofEntry(draft: Draft, entry: LedgerEntry | NewEntry): Fingerprint {
  const { holdId, reverses } = entry;
  return {
    kind: 'posting',
    wallet: entry.walletId,
    currency: currencyOf(draft, entry.walletId),
    amount: entry.amount.toString(),
    reason: entry.reason,
    counterparty: entry.counterparty,
    note: entry.note,
    metadata: entry.metadata,
    actor: entry.actor,
    hold: holdId,
    'reversed entry': reverses,
  };
}

function ofHold(draft: Draft, hold: HoldState): Fingerprint {
  return {
    kind: 'hold',
    wallet: hold.walletId,
    currency: currencyOf(draft, hold.walletId),
    amount: hold.amount.toString(),
    reason: hold.reason,
    note: hold.note,
    metadata: hold.metadata,
    actor: hold.actor,
    expiry: hold.expiresAt === null ? null : String(Math.round(hold.expiresAt - hold.createdAt)),
  };
}

function ofRelease(holdId: string): Fingerprint {
  return { kind: 'release', hold: holdId };
}

/** @returns undefined where the amount is none */
function fingerprintOf(draft: Draft, prepared: PreparedItem): Fingerprint | undefined {
  const { item, metadata } = prepared;
  if (item.type === 'release') return ofRelease(item.holdId);
  const amount = item.amount === undefined ? null : amountOf(draft, item.amount);
  if (amount === undefined) return undefined;
  const details = { note: item.note ?? null, metadata, actor: item.actor ?? null };
  const signed = (sign: -1n | 1n): string | undefined =>
    amount === null ? undefined : (sign * amount).toString();
  const idOf = (reference: Parameters<typeof walletOf>[1]): string =>
    walletOf(draft, reference)?.walletId ?? 'unknown';
  switch (item.type) {
    case 'credit':
    case 'debit': {
      const sign = item.type === 'credit' ? 1n : -1n;
      const outside = { counterparty: null, hold: null, 'reversed entry': null };
      const { currency, reason } = item;
      const facts = { wallet: idOf(item), currency, amount: signed(sign), reason };
      return { kind: 'posting', ...facts, ...outside, ...details };
    }
    case 'transfer': {
      const currency = [item.from.currency, item.to.currency].find((one) => one !== undefined);
      const wallets = { wallet: idOf(item.from), counterparty: idOf(item.to), currency };
      const facts = { ...wallets, amount: signed(-1n) };
      const reason = item.reason ?? 'p2p_transfer';
      return { kind: 'posting', ...facts, reason, hold: null, 'reversed entry': null, ...details };
    }
    case 'hold': {
      const seconds = item.expiresInSeconds;
      const expiry = seconds === undefined ? null : String(Math.round(seconds * 1000));
      const { currency, reason } = item;
      const facts = { wallet: idOf(item), currency, amount: signed(1n), reason };
      return { kind: 'hold', ...facts, expiry, ...details };
    }
    case 'capture': {
      const counterparty = item.to === undefined ? null : idOf(item.to);
      return { kind: 'posting', hold: item.holdId, counterparty, amount: signed(-1n), ...details };
    }
    case 'reverse':
      return { kind: 'posting', ...reversalOf(draft, item, amount), ...details };
  }
}

/** A reversal's first entry is the one that takes coins, if one does. */
function reversalOf(
  draft: Draft,
  item: {
    readonly entryId?: string | undefined;
    readonly transactionId?: string | undefined;
    readonly reason?: string | undefined;
  },
  amount: bigint | null,
): Fingerprint {
  const place =
    item.entryId === undefined
      ? `transaction ${item.transactionId ?? ''}`
      : `entry ${item.entryId}`;
  const entries = draft.state.reversible.get(place)?.entries ?? [];
  const first = entries.find((entry) => entry.amount > 0n) ?? entries[0];
  const reversed = first === undefined ? 'unknown' : first.entryId;
  const sign = first !== undefined && first.amount < 0n ? 1n : -1n;
  const all = first === undefined ? undefined : (-first.amount).toString();
  return {
    'reversed entry': reversed,
    reason: item.reason ?? 'reversal',
    amount: amount === null ? all : (sign * amount).toString(),
  };
}
