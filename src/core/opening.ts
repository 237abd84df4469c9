import { difference, total } from './amount.js';
import type { Comparison, Field, Part } from './drift.js';

/**
 * The opening entry of a wallet that holds coins and has no history: what it would be, and what
 * becomes of every cache. The ledger decides afterwards, as always.
 */

/** A cache before and after the opening entry. */
export interface OpeningChange {
  readonly part: Part;
  readonly field: Field;
  /** null: the cache is null, or there is no row to hold it. */
  readonly before: string | null;
  readonly after: string;
}

/** An opening entry to be posted. Amounts are decimal text. */
export interface Opening {
  readonly walletId: string;
  readonly profileId: string | null;
  readonly userId: string | null;
  /** What the entry moves, negative for a debt. */
  readonly amount: string;
  /** What the wallet holds before and after it. */
  readonly balance: string;
  /** How many entries stand before it. */
  readonly entriesBefore: number;
  /** Every cache that will hold something else than it holds now. */
  readonly changes: readonly OpeningChange[];
  /** What the ledger says of these caches without the entry, in the order of the comparison. */
  readonly expected: readonly { part: Part; field: Field; value: string }[];
}

/** A wallet for which no opening entry can be posted, and why. */
export interface NoOpening {
  readonly walletId: string;
  readonly code: 'settled' | 'no_coins' | 'not_exact' | 'has_history';
  readonly message: string;
}

/** What the ledger can hold, and whether an opening balance counts as earnings. */
export interface OpeningRules {
  readonly earns: boolean;
  /** Digits after the point that an amount can have. */
  readonly scale: number;
  /** The highest whole amount; null: no bound is known. */
  readonly highest: bigint | null;
}

/**
 * Decides the opening entry of one wallet.
 *
 * Entries may have been written since the wallet was listed. If the ledger and the cache still differ
 * by exactly what was listed, all of them were followed, and that difference is the opening balance.
 *
 * @param listed what the wallet held when it had no entry
 */
export function decideOpening(
  row: Comparison,
  listed: string | null,
  rules: OpeningRules,
): Opening | NoOpening {
  const walletId = row.walletId ?? '';
  const refused = (code: NoOpening['code'], message: string): NoOpening => ({
    walletId,
    code,
    message,
  });
  const balance = row.caches.find(({ part, field }) => part === 'wallet' && field === 'balance');
  if (!row.walletExists || balance === undefined) return refused('settled', 'the wallet is gone');
  const cached = balance.cached ?? '0';
  const amount = difference(cached, balance.expected);
  if (amount === null) return refused('not_exact', `its balance ${cached} is no number of coins`);
  if (row.entryCount !== '0' && amount === '0') return refused('settled', 'its history is there');
  if (row.entryCount !== '0' && amount !== listed) {
    return refused(
      'has_history',
      `entries were written meanwhile, and do not explain what it holds: ${cached} instead of ${balance.expected}. ` +
        'Look at it before any repair: trueup reconcile would take the difference away',
    );
  }
  if (amount === '0') {
    return refused('no_coins', 'it shows earnings but holds no coins, and no entry can be zero');
  }
  const inexact = inexactness(amount, rules);
  if (inexact !== null) return refused('not_exact', inexact);
  return {
    walletId,
    profileId: row.profileId,
    userId: row.userId,
    amount,
    balance: cached,
    entriesBefore: Number(row.entryCount),
    ...consequences(row, amount, rules),
  };
}

function inexactness(amount: string, { scale, highest }: OpeningRules): string | null {
  const fraction = amount.split('.')[1] ?? '';
  if (fraction.length > scale) {
    return `ledger.amount cannot hold ${amount}: it has ${String(scale)} digits after the point`;
  }
  if (highest === null || fraction !== '') return null;
  const coins = BigInt(amount);
  return coins > highest || coins < -highest - 1n ? `ledger.amount cannot hold ${amount}` : null;
}

function consequences(
  row: Comparison,
  amount: string,
  { earns }: OpeningRules,
): Pick<Opening, 'changes' | 'expected'> {
  const decided = row.caches.filter(
    ({ part, field }) =>
      (field === 'balance' || field === 'lifetimeEarnings') &&
      (part === 'wallet' || row.profileExists),
  );
  const earned = earns && !amount.startsWith('-') ? amount : '0';
  const changes = decided.flatMap(({ part, field, cached, expected }) => {
    const after = total(expected, field === 'balance' ? amount : earned) ?? expected;
    return after === cached ? [] : [{ part, field, before: cached, after }];
  });
  const expected = decided.map(({ part, field, expected: value }) => ({ part, field, value }));
  return { changes, expected };
}
