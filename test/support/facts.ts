import { causesOf } from '../../src/core/causes.js';
import {
  NO_FACTS,
  type CacheComparison,
  type ChainFact,
  type Comparison,
  type EntryFact,
  type Facts,
  type GapFact,
  type WritesFact,
} from '../../src/core/comparison.js';

/** Comparisons and facts for the tests of the decision about causes. */

export const T = (minute: number): string =>
  `2026-01-01T00:${String(minute).padStart(2, '0')}:00.000000Z`;

/** Entries, the newest first, as `amount` or `amount@minute`. */
export function entries(...texts: string[]): EntryFact[] {
  return texts.map((text, place) => {
    const [amount = '', minute] = text.split('@');
    return {
      id: String(texts.length - place),
      amount,
      earned: amount.startsWith('-') ? '0' : amount,
      createdAt: minute === undefined ? null : T(Number(minute)),
      transaction: `x${String(place)}`,
    };
  });
}

export const VERIFIED = { installedAt: T(10), rightAt: T(20) };
export const HISTORY = entries('30@35', '-7@33', '500@31');
export const GAP: GapFact = {
  what: 'disabled',
  lastSeenAt: T(30),
  noticedAt: T(32),
  endedAt: T(34),
};
export const FAILURE = {
  id: '5',
  sqlState: '55P03',
  message: 'lock timeout',
  failedAt: T(33),
  transaction: 'x1',
};

export const write = (
  part: 'wallet' | 'profile',
  field: 'balance',
  change: string | null,
  newValue: string | null = '0',
): WritesFact => ({
  part,
  field,
  change,
  count: '1',
  last: [
    {
      id: '1',
      role: 'r',
      applicationName: 'a',
      writtenAt: T(40),
      oldValue: '1',
      newValue,
      transaction: 'y',
    },
  ],
});

/** What is cached of a truth of 523 and 530: wallet balance, earnings, profile balance, earnings. */
type Cached = readonly [string | null, string | null, string | null, string | null];
export const RIGHT = ['523', '530', '523', '530'] as const;

export function row(
  cached: Cached,
  facts: Partial<Facts>,
  more: Partial<Comparison> = {},
): Comparison {
  const names = [
    ['wallet', 'balance'],
    ['wallet', 'lifetimeEarnings'],
    ['profile', 'balance'],
    ['profile', 'lifetimeEarnings'],
  ] as const;
  return {
    walletId: '1',
    walletExists: true,
    profileId: '101',
    profileExists: true,
    userId: '7',
    entryCount: '3',
    caches: names.map(([part, field], place) => ({
      part,
      field,
      cached: cached[place] ?? null,
      expected: RIGHT[place] ?? '',
    })),
    facts: { ...NO_FACTS, ...VERIFIED, entries: HISTORY, ...facts },
    ...more,
  };
}

export function decide(one: Comparison): string[] {
  const explain = causesOf(one);
  return one.caches
    .filter(({ cached, expected, field }) => cached !== expected || field === 'balanceAfter')
    .map((cache) => {
      const { cause, evidence } = explain(cache);
      const rest = evidence.unexplained === undefined ? '' : ` but ${evidence.unexplained}`;
      return [cause, ...(evidence.also ?? [])].join('+') + rest;
    });
}

export const broken: CacheComparison = {
  part: 'wallet',
  field: 'balanceAfter',
  cached: '1',
  expected: '2',
};
export const pending: CacheComparison = {
  part: 'wallet',
  field: 'pendingBalance',
  cached: '9',
  expected: '4',
};
export const breakOf = (size: string, amount: string): ChainFact => ({
  count: '1',
  offset: size,
  first: [
    {
      entryId: '2',
      sequence: null,
      position: null,
      amount,
      balanceAfter: '0',
      expected: '0',
      size,
    },
  ],
});
