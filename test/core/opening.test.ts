import { describe, expect, test } from 'vitest';
import { total } from '../../src/core/amount.js';
import type { CacheComparison, Comparison } from '../../src/core/drift.js';
import { decideOpening, type OpeningRules } from '../../src/core/opening.js';

const RULES: OpeningRules = { earns: true, scale: 0, highest: 32_767n };

/** A wallet and its profile: what is cached, and what the ledger says. */
function row(
  balance: string | null,
  options: Partial<Comparison> & {
    sum?: string;
    earned?: string | null;
    shown?: string | null;
  } = {},
): Comparison {
  const { sum = '0', earned = '0', shown = '0', ...rest } = options;
  const caches: CacheComparison[] = [
    { part: 'wallet', field: 'balance', cached: balance, expected: sum },
    { part: 'wallet', field: 'lifetimeEarnings', cached: earned, expected: sum },
    { part: 'wallet', field: 'pendingBalance', cached: '3', expected: '3' },
    { part: 'profile', field: 'balance', cached: shown, expected: sum },
  ];
  return {
    walletId: '7',
    walletExists: true,
    profileId: '107',
    profileExists: true,
    userId: 'ada',
    entryCount: '0',
    caches,
    ...rest,
  };
}

describe('an entry', () => {
  test('moves the balance; earnings and what is shown follow the ledger', () => {
    expect(decideOpening(row('500', { earned: '800' }), null, RULES)).toMatchObject({
      amount: '500',
      balance: '500',
      entriesBefore: 0,
      changes: [
        { part: 'wallet', field: 'lifetimeEarnings', before: '800', after: '500' },
        { part: 'profile', field: 'balance', before: '0', after: '500' },
      ],
    });
  });

  test('of a debt, or of a reason that does not earn, earns nothing', () => {
    const debt = decideOpening(row('-5', { shown: '-5' }), null, RULES);
    expect(debt).toMatchObject({ amount: '-5', changes: [] });
    const unearned = decideOpening(row('5', { shown: '5' }), null, { ...RULES, earns: false });
    expect(unearned).toMatchObject({ amount: '5', changes: [] });
  });

  test('after entries that were all followed since it was listed moves what was listed', () => {
    const later = row('510', { sum: '10', earned: '10', shown: '510', entryCount: '2' });
    expect(decideOpening(later, '500', RULES)).toMatchObject({
      amount: '500',
      balance: '510',
      entriesBefore: 2,
      changes: [{ field: 'lifetimeEarnings', before: '10', after: '510' }],
    });
  });

  test('leaves a profile that does not exist alone', () => {
    const lonely = row('5', { profileExists: false, shown: null });
    expect(decideOpening(lonely, null, RULES)).toMatchObject({
      changes: [{ part: 'wallet', field: 'lifetimeEarnings' }],
    });
  });
});

test.each<[string, Comparison, string | null, string]>([
  ['no coins', row('0', { earned: '5' }), null, 'no_coins'],
  ['a null balance', row(null, { earned: '5' }), null, 'no_coins'],
  ['NaN', row('NaN'), null, 'not_exact'],
  ['a fraction', row('0.5'), null, 'not_exact'],
  ['more than the column holds', row('32768'), null, 'not_exact'],
  ['less than the column holds', row('-32769'), null, 'not_exact'],
  ['a history that explains it', row('5', { sum: '5', entryCount: '1' }), '5', 'settled'],
  ['a history that does not', row('9', { sum: '5', entryCount: '1' }), '5', 'has_history'],
  ['a history and no list', row('9', { sum: '5', entryCount: '1' }), null, 'has_history'],
  ['a wallet that is gone', row('5', { walletExists: false }), '5', 'settled'],
])('none for %s', (_, comparison, listed, code) => {
  expect(decideOpening(comparison, listed, RULES)).toMatchObject({ walletId: '7', code });
});

test.each([
  ['-32768', 'the lowest', RULES],
  ['32767', 'the highest', RULES],
  ['0.25', 'a fraction that fits', { ...RULES, scale: 2, highest: null }],
])('%s: %s', (balance, _, rules) => {
  expect(decideOpening(row(balance), null, rules)).toMatchObject({ amount: balance });
});

test.each([
  ['1', '2', '3'],
  ['-1', '0.5', '-0.5'],
  ['9007199254740993', '-9007199254740992', '1'],
  ['0.1', '0.2', '0.3'],
  ['1', 'NaN', null],
])('%s + %s = %s', (one, other, sum) => {
  expect(total(one, other)).toBe(sum);
});
