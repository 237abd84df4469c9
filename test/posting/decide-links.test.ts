import { describe, expect, test } from 'vitest';
import type { PostItem } from '../../src/core/posting/request.js';
import type { EarlierUse } from '../../src/core/posting/state.js';
import { decided, entry, hold, lines, wallet, words, type World } from '../support/decision.js';

/** Linked items are posted together or not at all; what went before and after them is not touched. */

const world: World = {
  wallets: [wallet('1', { held: 40n }), wallet('2', { balance: 0n })],
  holds: [hold('h', '1')],
};
const move = (type: 'credit' | 'debit', walletId: string, amount: bigint, more = {}): PostItem => ({
  type,
  walletId,
  amount,
  reason: 'correction',
  ...more,
});
const x = { link: 'x' };
const y = { link: 'y' };
const untold = 'linked_item_refused';

describe('all or nothing', () => {
  const good = (): PostItem => move('credit', '2', 5n, x);
  const bad = (): PostItem => move('debit', '2', 500n, x);

  test.each([
    ['the first', [bad(), good(), good()], ['insufficient_funds', untold, untold]],
    ['one in the middle', [good(), bad(), good()], [untold, 'insufficient_funds', untold]],
    ['the last', [good(), good(), bad()], [untold, untold, 'insufficient_funds']],
    [
      'two, each with its own code',
      [good(), bad(), move('debit', '9', 1n, x)],
      [untold, 'insufficient_funds', 'unknown_wallet'],
    ],
  ])('%s is refused: nothing is posted, and each is told why', (_, items, expected) => {
    const plan = decided(world, ...items);
    expect(words(plan)).toEqual(expected);
    expect(plan).toMatchObject({ entries: [], transactions: 0, newHolds: [], changedHolds: [] });
  });

  test('none is refused: all are posted', () => {
    expect(words(decided(world, good(), good(), good()))).toEqual(['posted', 'posted', 'posted']);
  });

  test('a link with one item is an item', () => {
    expect(words(decided(world, good(), move('debit', '2', 6n, y)))).toEqual([
      'posted',
      'insufficient_funds',
    ]);
  });

  test('neighbours stand on what was there without the refused link', () => {
    const plan = decided(
      world,
      move('credit', '2', 10n),
      move('debit', '2', 10n, x),
      move('debit', '1', 61n, x),
      move('debit', '2', 10n, y),
      move('credit', '1', 5n, y),
      move('debit', '2', 1n),
      move('debit', '1', 65n),
    );
    expect(words(plan)).toEqual([
      'posted',
      untold,
      'insufficient_funds',
      'posted',
      'posted',
      'insufficient_funds',
      'posted',
    ]);
    expect(lines(plan)).toEqual(['2 +10 = 10', '2 -10 = 0', '1 +5 = 105', '1 -65 = 40']);
    expect(plan.entries.map(({ walletId, sequence }) => `${walletId}:${String(sequence)}`)).toEqual(
      ['2:8', '2:9', '1:8', '1:9'],
    );
    expect(plan.entries.map(({ transaction }) => transaction)).toEqual([0, 1, 2, 3]);
    expect(plan.outcomes.filter(({ status }) => status === 'posted')).toEqual(
      [0, 1, 2, 3].map((first) => ({ status: 'posted', first, count: 1 })),
    );
  });

  test('holds that were made, captured or released in it are as before', () => {
    const plan = decided(
      world,
      { type: 'hold', walletId: '1', amount: 60n, reason: 'purchase', ...x },
      { type: 'capture', holdId: 'new 0', amount: 10n, ...x },
      { type: 'release', holdId: 'h', ...x },
      bad(),
      { type: 'capture', holdId: 'h' },
      { type: 'capture', holdId: 'new 0' },
      move('debit', '1', 60n),
    );
    expect(words(plan)).toEqual([
      untold,
      untold,
      untold,
      'insufficient_funds',
      'posted',
      'unknown_hold',
      'posted',
    ]);
    expect(plan.newHolds).toEqual([]);
    expect(plan.changedHolds).toMatchObject([{ holdId: 'h', state: 'captured' }]);
  });

  test('a hold that only the refused link released is not called released', () => {
    const release: PostItem = { type: 'release', holdId: 'h', ...x };
    expect(words(decided(world, release, release, bad()))).toEqual([
      untold,
      untold,
      'insufficient_funds',
    ]);
  });
});

describe('keys', () => {
  const used: EarlierUse = {
    kind: 'entries',
    entries: [entry('5', '2', 5n, { reason: 'correction' })],
  };
  const withKey: World = { ...world, keys: new Map([['old', used]]) };
  const again = (more = {}): PostItem =>
    move('credit', '2', 5n, { idempotencyKey: 'old', ...more });

  test('a replay beside a refusal is still a replay', () => {
    const plan = decided(
      withKey,
      again(x),
      move('debit', '2', 500n, x),
      move('credit', '1', 1n, x),
    );
    expect(words(plan)).toEqual(['posted before', 'insufficient_funds', untold]);
  });

  test('a replay beside what is new does not keep it from being posted', () => {
    const plan = decided(withKey, again(x), move('credit', '1', 1n, x));
    expect(words(plan)).toEqual(['posted before', 'posted']);
    expect(lines(plan)).toEqual(['1 +1 = 101']);
  });

  test('a conflict refuses the whole link', () => {
    const plan = decided(withKey, move('credit', '1', 1n, x), again({ amount: 6n, ...x }));
    expect(words(plan)).toEqual([untold, 'idempotency_conflict']);
  });

  test('a repeat of an item before the link was posted, whatever becomes of the link', () => {
    const first = move('credit', '2', 5n, { idempotencyKey: 'new' });
    const plan = decided(world, first, { ...first, ...x }, move('debit', '1', 500n, x));
    expect(words(plan)).toEqual(['posted', 'same as 0', 'insufficient_funds']);
  });

  test('a key of a refused link is free again', () => {
    const keyed = (more: object): PostItem =>
      move('credit', '2', 5n, { idempotencyKey: 'new', ...more });
    const plan = decided(
      world,
      keyed(x),
      keyed(x),
      move('debit', '1', 500n, x),
      keyed({ amount: 6n }),
      keyed({ amount: 6n }),
    );
    expect(words(plan)).toEqual([untold, untold, 'insufficient_funds', 'posted', 'same as 3']);
    expect(lines(plan)).toEqual(['2 +6 = 6']);
  });
});
