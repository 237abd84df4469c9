import { describe, expect, test } from 'vitest';
import type { Amount } from '../../src/core/amount.js';
import type { PostItem } from '../../src/core/posting/request.js';
import { decided, entry, hold, wallet, words, type World } from '../support/decision.js';

/** What is an amount, which reasons may be used, and which wallets coins can go between. */

const reversible = new Map([['entry 5', { entries: [entry('5', '1', 40n)], reversed: false }]]);

describe('amounts', () => {
  const NONE: readonly unknown[] = [
    0,
    -0,
    -1,
    1.5,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    2 ** 53,
    Number.MAX_SAFE_INTEGER + 1,
    1e300,
    Number.MIN_VALUE,
    0n,
    -1n,
    2n ** 53n,
    2n ** 64n,
    '0',
    '-1',
    '+1',
    '1.0',
    ' 5',
    '5 ',
    '5\n',
    '5 coins',
    '0x10',
    '1e3',
    '1_000',
    '1,000',
    '٣',
    '',
    ' ',
    'NaN',
    'Infinity',
    '9'.repeat(17),
    '9'.repeat(100_000),
    '9007199254740992',
    null,
    true,
    false,
    {},
    [],
    [5],
    { valueOf: () => 5 },
    new Date(5),
    Symbol('5'),
    () => 5,
  ];
  const ITEMS: readonly ((amount: Amount) => PostItem)[] = [
    (amount) => ({ type: 'credit', walletId: '1', amount, reason: 'winner' }),
    (amount) => ({ type: 'debit', walletId: '1', amount, reason: 'purchase' }),
    (amount) => ({ type: 'transfer', from: { walletId: '1' }, to: { walletId: '2' }, amount }),
    (amount) => ({ type: 'reverse', entryId: '5', amount }),
    (amount) => ({ type: 'hold', walletId: '1', amount, reason: 'purchase' }),
    (amount) => ({ type: 'capture', holdId: 'h', amount }),
  ];
  const world: World = {
    wallets: [wallet('1', { held: 40n }), wallet('2')],
    holds: [hold('h', '1')],
    reversible,
  };

  test.each(ITEMS.map((make) => ({ type: make(1n).type, make })))(
    '$type: everything but whole coins has one code',
    ({ make }) => {
      for (const amount of NONE) {
        const plan = decided(world, make(amount as Amount));
        expect([amount, words(plan)]).toEqual([amount, ['invalid_amount']]);
        expect(plan).toMatchObject({ entries: [], newHolds: [], changedHolds: [], spending: [] });
      }
      for (const amount of [1, 1n, '1', '0001', 30, 30n, '30']) {
        expect([amount, words(decided(world, make(amount)))]).not.toContain('invalid_amount');
        expect(words(decided(world, make(amount)))[0]).toMatch(/^(posted|held)$/);
      }
    },
  );

  test('left out: an error for some, all there is for others', () => {
    const without = ITEMS.map(
      (make) => words(decided(world, make(undefined as unknown as Amount)))[0],
    );
    expect(without).toEqual([
      'invalid_amount',
      'invalid_amount',
      'invalid_amount',
      'posted',
      'invalid_amount',
      'posted',
    ]);
  });

  test('what the column of the ledger holds is the highest', () => {
    const narrow: World = { ...world, over: { highestAmount: 32_767n, highestBalance: 40_000n } };
    const credit = (amount: Amount): string[] =>
      words(decided(narrow, { type: 'credit', walletId: '1', amount, reason: 'winner' }));
    expect(credit(32_767)).toEqual(['posted']);
    expect(credit(32_768)).toEqual(['invalid_amount']);
    expect(credit('32768')).toEqual(['invalid_amount']);
  });

  test('the highest of all', () => {
    const credit = (amount: Amount): string[] =>
      words(decided(world, { type: 'credit', walletId: '1', amount, reason: 'winner' }));
    expect(credit(Number.MAX_SAFE_INTEGER)).toEqual(['posted']);
    expect(credit('9007199254740991')).toEqual(['posted']);
    expect(credit(9_007_199_254_740_991n)).toEqual(['posted']);
  });
});

describe('wallets and currencies', () => {
  const gems = wallet('3', { currency: 'gems' });
  const world: World = { wallets: [wallet('1'), wallet('2'), gems] };
  const transfer = (from: object, to: object): string[] =>
    words(decided(world, { type: 'transfer', from, to, amount: 1n }));

  test.each([
    ['the same currency', { walletId: '1' }, { walletId: '2' }, 'posted'],
    ['two currencies', { walletId: '1' }, { walletId: '3' }, 'currency_mismatch'],
    ['and back', { walletId: '3' }, { walletId: '1' }, 'currency_mismatch'],
    [
      'the sender holds another',
      { walletId: '1', currency: 'gems' },
      { walletId: '2' },
      'currency_mismatch',
    ],
    [
      'the receiver holds another',
      { walletId: '1' },
      { walletId: '2', currency: 'gems' },
      'currency_mismatch',
    ],
    ['itself', { walletId: '1' }, { walletId: '1' }, 'same_wallet'],
    ['itself, by another name', { walletId: '1' }, { userId: '1' }, 'same_wallet'],
    [
      'a user without a wallet of it',
      { userId: '1', currency: 'gems' },
      { walletId: '3' },
      'unknown_wallet',
    ],
    ['nobody', { walletId: '1' }, { userId: 'nobody' }, 'unknown_wallet'],
  ])('a transfer to %s', (_, from, to, expected) => {
    expect(transfer(from, to)).toEqual([expected]);
  });

  test('where the mapping knows no currencies, none differ', () => {
    const wallets = [wallet('1', { currency: null }), wallet('2', { currency: null })];
    const plan = decided(
      { wallets },
      { type: 'transfer', from: { walletId: '1' }, to: { walletId: '2' }, amount: 1n },
    );
    expect(words(plan)).toEqual(['posted']);
  });
});

describe('reasons', () => {
  const reasons = {
    in: { allows: 'credit' },
    out: { allows: 'debit' },
    both: {},
    staff: { actors: ['ada', 'bob'] },
  } as const;
  const world: World = {
    wallets: [wallet('1'), wallet('2')],
    reversible,
    over: { reasons },
  };
  const all = (reason: string, actor?: string): string[] =>
    words(
      decided(
        world,
        { type: 'credit', walletId: '1', amount: 1n, reason, actor },
        { type: 'debit', walletId: '1', amount: 1n, reason, actor },
        { type: 'hold', walletId: '1', amount: 1n, reason, actor },
        {
          type: 'transfer',
          from: { walletId: '1' },
          to: { walletId: '2' },
          amount: 1n,
          reason,
          actor,
        },
        { type: 'reverse', entryId: '5', reason, actor },
      ),
    );
  const no = 'reason_not_allowed';

  test.each([
    ['in', undefined, ['posted', no, no, no, no]],
    ['out', undefined, [no, 'posted', 'held', no, no]],
    ['both', undefined, ['posted', 'posted', 'held', 'posted', 'posted']],
    ['staff', undefined, Array(5).fill(no)],
    ['staff', 'eve', Array(5).fill(no)],
    ['staff', 'Ada', Array(5).fill(no)],
    ['staff', 'bob', ['posted', 'posted', 'held', 'posted', 'posted']],
    ['neither', undefined, Array(5).fill('unknown_reason')],
    ['constructor', undefined, Array(5).fill('unknown_reason')],
    ['__proto__', undefined, Array(5).fill('unknown_reason')],
  ])('%s by %s', (reason, actor, expected) => {
    expect(all(reason, actor)).toEqual(expected);
  });
});
