import { describe, expect, test } from 'vitest';
import {
  countUser,
  emptyTally,
  findingsOf,
  isWithoutHistory,
  type CacheComparison,
  type Comparison,
} from '../../src/core/drift.js';
import { EXIT, exitStatusOf } from '../../src/core/exit.js';

const IN_SYNC: readonly CacheComparison[] = [
  { part: 'wallet', field: 'balance', cached: '494', expected: '494' },
  { part: 'wallet', field: 'lifetimeEarnings', cached: '544', expected: '544' },
  { part: 'profile', field: 'balance', cached: '494', expected: '494' },
  { part: 'profile', field: 'lifetimeEarnings', cached: '544', expected: '544' },
];

function wallet(changes: Partial<Comparison> = {}): Comparison {
  return {
    walletId: '1',
    walletExists: true,
    profileId: '101',
    profileExists: true,
    userId: '7',
    entryCount: '3',
    caches: IN_SYNC,
    ...changes,
  };
}

function withCached(place: number, cached: string | null): readonly CacheComparison[] {
  return IN_SYNC.map((cache, index) => (index === place ? { ...cache, cached } : cache));
}

describe('findingsOf', () => {
  test('a wallet in sync has none', () => {
    expect(findingsOf(wallet(), { repaired: false })).toEqual([]);
  });

  test('names the user, the cache, and the exact difference', () => {
    expect(findingsOf(wallet({ caches: withCached(2, '0.5') }), { repaired: true })).toEqual([
      {
        userId: '7',
        walletId: '1',
        profileId: '101',
        part: 'profile',
        field: 'balance',
        cached: '0.5',
        expected: '494',
        delta: '493.5',
        cause: 'unknown',
        evidence: {},
        repaired: true,
      },
    ]);
  });

  test.each<[string, Partial<Comparison>, object]>([
    [
      'a null cache',
      { caches: withCached(0, null) },
      { cached: null, delta: null, repaired: true },
    ],
    ['NaN in a numeric column', { caches: withCached(3, 'NaN') }, { delta: null, repaired: true }],
    [
      'a wallet that does not exist',
      { walletExists: false, caches: withCached(0, null).slice(0, 1) },
      { cause: 'wallet_missing', repaired: false },
    ],
    [
      'a profile that does not exist',
      { profileExists: false, caches: withCached(2, null) },
      { part: 'profile', cause: 'profile_missing', repaired: false },
    ],
    [
      'coins without any history',
      {
        entryCount: '0',
        caches: [{ part: 'wallet', field: 'balance', cached: '5', expected: '0' }],
      },
      { cause: 'no_history', repaired: false },
    ],
    [
      'a profile without wallet that shows coins',
      {
        walletId: null,
        walletExists: false,
        caches: [{ part: 'profile', field: 'balance', cached: '5', expected: '0' }],
      },
      { walletId: null, cause: 'no_history', repaired: false },
    ],
    [
      'a broken running balance',
      {
        caches: [...IN_SYNC, { part: 'wallet', field: 'balanceAfter', cached: '1', expected: '2' }],
      },
      { field: 'balanceAfter', delta: '1', cause: 'ledger_changed', repaired: false },
    ],
    [
      'a gap in the numbers, where the balance happens to be right',
      {
        caches: [...IN_SYNC, { part: 'wallet', field: 'balanceAfter', cached: '2', expected: '2' }],
      },
      { field: 'balanceAfter', delta: '0', repaired: false },
    ],
  ])('%s', (_, changes, finding) => {
    expect(findingsOf(wallet(changes), { repaired: true })).toEqual([
      expect.objectContaining(finding),
    ]);
  });
});

describe('isWithoutHistory', () => {
  const shown = (field: CacheComparison['field'], cached: string | null): Comparison =>
    wallet({ entryCount: '0', caches: [{ part: 'wallet', field, cached, expected: '0' }] });

  test.each([
    ['a balance', shown('balance', '5'), true],
    ['a negative balance', shown('balance', '-5'), true],
    ['earnings that were spent', shown('lifetimeEarnings', '5'), true],
    ['nothing', shown('balance', '0'), false],
    ['a null', shown('balance', null), false],
    ['a hold', shown('pendingBalance', '5'), false],
    ['entries', wallet({ caches: withCached(0, '7') }), false],
  ])('a wallet with %s: %s', (_, row, expected) => {
    expect(isWithoutHistory(row)).toBe(expected);
  });
});

describe('counting', () => {
  test('a user counts once, however many of his caches have drifted', () => {
    const tally = emptyTally();
    const drifted = wallet({
      caches: IN_SYNC.map((cache) => ({ ...cache, cached: '1' })),
    });
    countUser(tally, findingsOf(drifted, { repaired: true }));
    countUser(tally, findingsOf(wallet({ caches: withCached(1, '1') }), { repaired: false }));
    countUser(tally, findingsOf(wallet(), { repaired: false }));
    expect(tally).toMatchObject({
      drifted: 2,
      balanceDrifts: 1,
      earningsDrifts: 2,
      findings: 5,
      repaired: 4,
    });
  });

  const found = { findings: 3, drifted: 1 };
  test.each([
    ['in sync', {}, {}, EXIT.ok],
    ['all repaired', { ...found, repaired: 3 }, {}, EXIT.ok],
    [
      'all repaired, but drift is to fail',
      { ...found, repaired: 3 },
      { failOnDrift: true },
      EXIT.drift,
    ],
    ['in sync, and drift is to fail', {}, { failOnDrift: true }, EXIT.ok],
    ['drift that is left', { ...found, repaired: 2 }, {}, EXIT.drift],
    ['a limit', {}, { incomplete: true }, EXIT.incomplete],
    ['a locked wallet', { skipped: 1 }, {}, EXIT.incomplete],
    ['drift before incompleteness', found, { incomplete: true }, EXIT.drift],
    ['an error before everything', { ...found, errors: 1 }, { incomplete: true }, EXIT.error],
  ])('%s: exit status', (_, tally, run, status) => {
    expect(
      exitStatusOf(
        { ...emptyTally(), ...tally },
        { incomplete: false, failOnDrift: false, ...run },
      ),
    ).toBe(status);
  });
});
