import { describe, expect, test } from 'vitest';
import { decided, lines, wallet, words, type World } from '../support/decision.js';

/** The decision about single movements and about batches of them: tables of cases. */

describe('one item', () => {
  const world: World = { wallets: [wallet('1'), wallet('2', { balance: 5n, sequence: 0n })] };

  test('a credit is one entry, with everything that was said of it', () => {
    const plan = decided(world, {
      type: 'credit',
      userId: '1',
      amount: 30n,
      reason: 'winner',
      note: 'finals',
      metadata: { b: 1, a: [{ d: 2, c: 3 }] },
      actor: 'referee',
      idempotencyKey: 'k',
    });
    expect(plan.entries).toEqual([
      {
        transaction: 0,
        walletId: '1',
        sequence: 8n,
        amount: 30n,
        balanceAfter: 130n,
        counterparty: null,
        reason: 'winner',
        note: 'finals',
        metadata: '{"a":[{"c":3,"d":2}],"b":1}',
        actor: 'referee',
        idempotencyKey: 'k',
        reverses: null,
        holdId: null,
      },
    ]);
    expect(plan.outcomes).toEqual([{ status: 'posted', first: 0, count: 1 }]);
    expect(plan.transactions).toBe(1);
  });

  test('a transfer is two entries of one transaction that name each other; the key is on one', () => {
    const { entries } = decided(world, {
      type: 'transfer',
      from: { walletId: '1' },
      to: { userId: '2', currency: 'coins' },
      amount: '30',
      idempotencyKey: 'k',
    });
    const reason = 'p2p_transfer';
    expect(entries).toMatchObject([
      { transaction: 0, walletId: '1', sequence: 8n, amount: -30n, balanceAfter: 70n, reason },
      { transaction: 0, walletId: '2', sequence: 1n, amount: 30n, balanceAfter: 35n, reason },
    ]);
    expect(entries.map(({ counterparty, idempotencyKey: key }) => [counterparty, key])).toEqual([
      ['2', 'k'],
      ['1', null],
    ]);
  });

  test('where the ledger has no numbers, none are made up', () => {
    const plan = decided(
      { wallets: [wallet('1', { sequence: null })] },
      { type: 'credit', walletId: '1', amount: 1n, reason: 'winner' },
    );
    expect(plan.entries).toMatchObject([{ sequence: null, balanceAfter: 101n }]);
  });

  test.each<[string, Partial<Parameters<typeof wallet>[1]>, bigint, string]>([
    ['to zero', {}, 100n, 'posted'],
    ['below zero', {}, 101n, 'insufficient_funds'],
    ['what is not on hold', { held: 40n }, 60n, 'posted'],
    ['what is on hold', { held: 40n }, 61n, 'insufficient_funds'],
    ['all on hold', { held: 100n }, 1n, 'insufficient_funds'],
    ['more on hold than there is', { held: 140n }, 1n, 'insufficient_funds'],
    ['to the floor', { floor: -50n }, 150n, 'posted'],
    ['below the floor', { floor: -50n }, 151n, 'insufficient_funds'],
    ['to the floor, holds counted', { floor: -50n, held: 10n }, 140n, 'posted'],
    ['below the floor, holds counted', { floor: -50n, held: 10n }, 141n, 'insufficient_funds'],
    ['from below zero', { balance: -50n, floor: -50n }, 1n, 'insufficient_funds'],
    ['without a floor', { balance: -50n, floor: null, held: 9n }, 10n ** 15n, 'posted'],
    ['a frozen wallet', { frozen: true }, 1n, 'wallet_frozen'],
  ])('a debit and a hold %s', (_, over, amount, expected) => {
    const wallets = [wallet('1', over)];
    const debit = decided(
      { wallets },
      { type: 'debit', walletId: '1', amount, reason: 'purchase' },
    );
    expect(words(debit)).toEqual([expected]);
    const held = decided({ wallets }, { type: 'hold', walletId: '1', amount, reason: 'purchase' });
    expect(words(held)).toEqual([expected === 'posted' ? 'held' : expected]);
    const transfer = decided(
      { wallets: [...wallets, wallet('2')] },
      { type: 'transfer', from: { walletId: '1' }, to: { walletId: '2' }, amount },
    );
    expect(words(transfer)).toEqual([expected]);
  });

  test.each<[string, Partial<Parameters<typeof wallet>[1]>, bigint, string]>([
    ['to the ceiling', { ceiling: 150n }, 50n, 'posted'],
    ['over the ceiling', { ceiling: 150n }, 51n, 'ceiling_exceeded'],
    ['held coins count', { ceiling: 150n, held: 90n }, 51n, 'ceiling_exceeded'],
    ['a ceiling above the column', { ceiling: 900n }, 101n, 'ceiling_exceeded'],
    ['to what the column holds', {}, 100n, 'posted'],
    ['more than the column holds', {}, 101n, 'ceiling_exceeded'],
    ['to a frozen wallet', { frozen: true }, 1n, 'wallet_frozen'],
  ])('a credit and what comes by transfer %s', (_, over, amount, expected) => {
    const world = { wallets: [wallet('1', over), wallet('2')], over: { highestBalance: 200n } };
    const credit = decided(world, { type: 'credit', walletId: '1', amount, reason: 'winner' });
    expect(words(credit)).toEqual([expected]);
    const from = { ...world, wallets: [wallet('1', over), wallet('2', { balance: 200n })] };
    const transfer = decided(from, {
      type: 'transfer',
      from: { walletId: '2' },
      to: { walletId: '1' },
      amount,
    });
    expect(words(transfer)).toEqual([expected]);
  });

  test('a debit does not look at the ceiling', () => {
    const plan = decided(
      { wallets: [wallet('1', { ceiling: 10n })] },
      { type: 'debit', walletId: '1', amount: 1n, reason: 'purchase' },
    );
    expect(lines(plan)).toEqual(['1 -1 = 99']);
  });
});

describe('a batch', () => {
  const empty: World = { wallets: [wallet('1', { balance: 0n }), wallet('2', { balance: 0n })] };
  const credit = { type: 'credit', walletId: '1', amount: 10n, reason: 'winner' } as const;
  const debit = { type: 'debit', walletId: '1', amount: 10n, reason: 'purchase' } as const;

  test('what came in before can be spent after, and not the other way round', () => {
    expect(words(decided(empty, credit, debit))).toEqual(['posted', 'posted']);
    expect(words(decided(empty, debit, credit))).toEqual(['insufficient_funds', 'posted']);
  });

  test('running balances and numbers go on from entry to entry', () => {
    const pass = { from: { walletId: '1' }, to: { walletId: '2' } };
    const back = { from: { walletId: '2' }, to: { walletId: '1' } };
    const plan = decided(
      empty,
      credit,
      { type: 'transfer', ...pass, amount: 7n },
      { type: 'transfer', ...back, amount: 8n },
      { type: 'transfer', ...back, amount: 2n },
      debit,
      { ...debit, amount: 5n },
    );
    const refused = 'insufficient_funds';
    expect(words(plan)).toEqual(['posted', 'posted', refused, 'posted', refused, 'posted']);
    expect(lines(plan)).toEqual([
      '1 +10 = 10',
      '1 -7 = 3',
      '2 +7 = 7',
      '2 -2 = 5',
      '1 +2 = 5',
      '1 -5 = 0',
    ]);
    expect(plan.entries.map(({ walletId, sequence }) => [walletId, sequence])).toEqual([
      ['1', 8n],
      ['1', 9n],
      ['2', 8n],
      ['2', 9n],
      ['1', 10n],
      ['1', 11n],
    ]);
    expect(plan.entries.map(({ transaction }) => transaction)).toEqual([0, 1, 1, 2, 2, 3]);
    expect(plan.transactions).toBe(4);
  });

  test('the state that was handed in is not changed, and decides the same again', () => {
    const first = decided(empty, credit, debit);
    expect(decided(empty, credit, debit)).toEqual(first);
    expect(empty.wallets?.[0]).toMatchObject({ balance: 0n, sequence: 7n });
  });

  test('nothing to decide', () => {
    expect(decided(empty)).toEqual({
      outcomes: [],
      entries: [],
      transactions: 0,
      newHolds: [],
      changedHolds: [],
      spending: [],
      wallets: [],
    });
  });
});
