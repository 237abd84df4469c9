import { describe, expect, test } from 'vitest';
import type { PostItem, ReverseRequest } from '../../src/core/posting/request.js';
import type { LedgerEntry } from '../../src/core/posting/state.js';
import { decided, entry, lines, wallet, words, type World } from '../support/decision.js';

/** Reversals: of a credit, a debit, a transfer, a reversal; whole, in part, once. */

/** A transfer of 40 from wallet 1 to wallet 2. */
const TRANSFER = [
  entry('8', '1', -40n, { transactionId: 't8', counterparty: '2' }),
  entry('9', '2', 40n, { transactionId: 't8', counterparty: '1' }),
];

function world(
  entries: readonly LedgerEntry[],
  over: Partial<World> = {},
  reversed = false,
): World {
  const places = [
    `transaction ${entries[0]?.transactionId ?? ''}`,
    ...entries.map(({ entryId }) => `entry ${entryId}`),
  ];
  return {
    wallets: [wallet('1'), wallet('2')],
    reversible: new Map(places.map((place) => [place, { entries, reversed }])),
    ...over,
  };
}

const reverse = (request: Omit<ReverseRequest, 'type'>): PostItem => ({
  type: 'reverse',
  ...request,
});

describe('what is taken back', () => {
  test.each<[string, bigint, bigint | undefined, string]>([
    ['a credit', 40n, undefined, '1 -40 = 60'],
    ['a debit', -40n, undefined, '1 +40 = 140'],
    ['a part of a credit', 40n, 15n, '1 -15 = 85'],
    ['a part of a debit', -40n, 15n, '1 +15 = 115'],
    ['all of it, in so many words', 40n, 40n, '1 -40 = 60'],
  ])('%s', (_, original, amount, expected) => {
    const plan = decided(world([entry('5', '1', original)]), reverse({ entryId: '5', amount }));
    expect(words(plan)).toEqual(['posted']);
    expect(lines(plan)).toEqual([expected]);
    expect(plan.entries).toMatchObject([{ reverses: '5', reason: 'reversal', counterparty: null }]);
  });

  test.each<[string, ReverseRequest]>([
    ['its transaction', { transactionId: 't8' }],
    ['the entry that took', { entryId: '8' }],
    ['the entry that gave', { entryId: '9' }],
  ])('a transfer, named by %s: both entries, first the one that takes', (_, request) => {
    const plan = decided(world(TRANSFER), reverse({ ...request, idempotencyKey: 'k' }));
    expect(lines(plan)).toEqual(['2 -40 = 60', '1 +40 = 140']);
    expect(plan.entries).toMatchObject([
      { transaction: 0, counterparty: '1', reverses: '9', idempotencyKey: 'k' },
      { transaction: 0, counterparty: '2', reverses: '8', idempotencyKey: null },
    ]);
  });

  test('a part of a transfer, from both', () => {
    const plan = decided(world(TRANSFER), reverse({ transactionId: 't8', amount: '15' }));
    expect(lines(plan)).toEqual(['2 -15 = 85', '1 +15 = 115']);
  });

  test('a reversal can itself be reversed', () => {
    const reversal = entry('6', '1', -40n, { reverses: '5', reason: 'reversal' });
    expect(lines(decided(world([reversal]), reverse({ entryId: '6' })))).toEqual(['1 +40 = 140']);
  });

  test('another reason, an actor, a note', () => {
    const plan = decided(
      world([entry('5', '1', 40n)]),
      reverse({ entryId: '5', reason: 'correction', actor: 'ada', note: 'twice' }),
    );
    expect(plan.entries).toMatchObject([{ reason: 'correction', actor: 'ada', note: 'twice' }]);
  });
});

describe('what cannot be taken back', () => {
  const credit = [entry('5', '1', 40n)];
  const both = (first: object, second: object = {}): Partial<World> => ({
    wallets: [wallet('1', first), wallet('2', second)],
  });

  test.each<[string, readonly LedgerEntry[], ReverseRequest, Partial<World>, string]>([
    ['nothing that exists', [], { entryId: '5' }, {}, 'unknown_entry'],
    ['another id', credit, { entryId: '6' }, {}, 'unknown_entry'],
    ['another transaction', credit, { transactionId: '5' }, {}, 'unknown_entry'],
    ['more than it moved', credit, { entryId: '5', amount: 41n }, {}, 'exceeds_original'],
    [
      'coins that are spent',
      credit,
      { entryId: '5' },
      both({ balance: 39n }),
      'insufficient_funds',
    ],
    ['coins on hold', credit, { entryId: '5' }, both({ held: 61n }), 'insufficient_funds'],
    [
      'a part that is still there',
      credit,
      { entryId: '5', amount: 39n },
      both({ balance: 39n }),
      'posted',
    ],
    ['from a frozen wallet', credit, { entryId: '5' }, both({ frozen: true }), 'wallet_frozen'],
    ['to a frozen wallet', TRANSFER, { entryId: '9' }, both({ frozen: true }), 'wallet_frozen'],
    [
      'from a frozen receiver',
      TRANSFER,
      { entryId: '8' },
      both({}, { frozen: true }),
      'wallet_frozen',
    ],
    ['into a full wallet', TRANSFER, { entryId: '8' }, both({ ceiling: 139n }), 'ceiling_exceeded'],
    ['into one that is full then', TRANSFER, { entryId: '8' }, both({ ceiling: 140n }), 'posted'],
    [
      'for a reason of one direction',
      credit,
      { entryId: '5', reason: 'refund' },
      {},
      'reason_not_allowed',
    ],
  ])('%s', (_, entries, request, over, expected) => {
    const plan = decided(world(entries, over), reverse(request));
    expect(words(plan)).toEqual([expected]);
    if (expected !== 'posted') expect(plan.entries).toEqual([]);
  });

  test('a wallet with an overdraft pays down to its floor', () => {
    const over = both({ balance: 10n, floor: -30n });
    expect(words(decided(world(credit, over), reverse({ entryId: '5' })))).toEqual(['posted']);
    const less = both({ balance: 9n, floor: -30n });
    expect(words(decided(world(credit, less), reverse({ entryId: '5' })))).toEqual([
      'insufficient_funds',
    ]);
  });

  test('what was reversed before, wholly or in part', () => {
    expect(words(decided(world(credit, {}, true), reverse({ entryId: '5' })))).toEqual([
      'already_reversed',
    ]);
  });

  test('the same entry twice in one batch, by whatever name', () => {
    const plan = decided(
      world(TRANSFER),
      reverse({ entryId: '8', amount: 10n }),
      reverse({ entryId: '8' }),
      reverse({ entryId: '9' }),
      reverse({ transactionId: 't8' }),
    );
    const no = 'already_reversed';
    expect(words(plan)).toEqual(['posted', no, no, no]);
  });

  test('a refused link leaves the entry to be reversed by another item', () => {
    const link = 'x';
    const plan = decided(
      world(credit),
      { ...reverse({ entryId: '5' }), link },
      { type: 'debit', walletId: '1', amount: 61n, reason: 'purchase', link },
      reverse({ entryId: '5' }),
    );
    expect(words(plan)).toEqual(['linked_item_refused', 'insufficient_funds', 'posted']);
  });

  test('entries of one wallet are paid from what the ones before them left', () => {
    const twice = [
      entry('5', '1', 40n, { transactionId: 't5' }),
      entry('6', '1', 50n, { transactionId: 't5' }),
    ];
    const short = world(twice, both({ balance: 89n }));
    expect(words(decided(short, reverse({ transactionId: 't5' })))).toEqual(['insufficient_funds']);
    const enough = decided(world(twice, both({ balance: 90n })), reverse({ transactionId: 't5' }));
    expect(lines(enough)).toEqual(['1 -40 = 50', '1 -50 = 0']);
  });
});
