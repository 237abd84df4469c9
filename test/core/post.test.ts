import { describe, expect, test } from 'vitest';
import { decidePost, type EarlierEntry, type WalletState } from '../../src/core/post.js';

const WALLET: WalletState = { walletId: '1', balance: 100n, allowOverdraft: false };
const EARLIER: EarlierEntry = {
  entryId: '9',
  walletId: '1',
  amount: 5n,
  reason: 'winner',
  balanceAfter: 105n,
};
const REQUEST = { amount: 5n, reason: 'winner' };

describe('decidePost', () => {
  test('a credit is inserted with its amount, a debit with the opposite', () => {
    expect(decidePost('credit', REQUEST, WALLET, undefined)).toEqual({
      kind: 'insert',
      amount: 5n,
    });
    expect(decidePost('debit', REQUEST, WALLET, undefined)).toEqual({
      kind: 'insert',
      amount: -5n,
    });
  });

  test.each<[string, Parameters<typeof decidePost>, string]>([
    [
      'amount before wallet',
      ['debit', { ...REQUEST, amount: 0 }, undefined, undefined],
      'invalid_amount',
    ],
    [
      'wallet before funds',
      ['debit', { ...REQUEST, amount: 500n }, undefined, undefined],
      'unknown_wallet',
    ],
    [
      'one coin too many',
      ['debit', { ...REQUEST, amount: 101n }, WALLET, undefined],
      'insufficient_funds',
    ],
    [
      'key with another amount',
      ['credit', { ...REQUEST, amount: 6n }, WALLET, EARLIER],
      'idempotency_conflict',
    ],
    ['key with the other direction', ['debit', REQUEST, WALLET, EARLIER], 'idempotency_conflict'],
    [
      'key with another reason',
      ['credit', { ...REQUEST, reason: 'refund' }, WALLET, EARLIER],
      'idempotency_conflict',
    ],
    [
      'key on another wallet',
      ['credit', REQUEST, { ...WALLET, walletId: '2' }, EARLIER],
      'idempotency_conflict',
    ],
    [
      'key before funds',
      ['debit', { ...REQUEST, amount: 500n }, WALLET, EARLIER],
      'idempotency_conflict',
    ],
  ])('refuses: %s', (_, args, code) => {
    expect(decidePost(...args)).toMatchObject({ outcome: { status: 'refused', code } });
  });

  test.each([
    ['to the last coin', 100n, WALLET],
    ['below zero where overdraft is allowed', 101n, { ...WALLET, allowOverdraft: true }],
  ])('debits %s', (_, amount, wallet) => {
    expect(decidePost('debit', { ...REQUEST, amount }, wallet, undefined)).toEqual({
      kind: 'insert',
      amount: -amount,
    });
  });

  test('a repeat is answered with the first result, even when the funds are gone since', () => {
    const spent = { ...EARLIER, amount: -5n, balanceAfter: 0n };
    expect(decidePost('debit', REQUEST, { ...WALLET, balance: 0n }, spent)).toEqual({
      kind: 'answer',
      outcome: {
        status: 'posted',
        entryId: '9',
        walletId: '1',
        amount: -5n,
        balanceAfter: 0n,
        replayed: true,
      },
    });
  });

  test('names everything that differs under a key', () => {
    const decision = decidePost(
      'credit',
      { amount: 6n, reason: 'refund' },
      { ...WALLET, walletId: '2' },
      EARLIER,
    );
    expect(decision).toMatchObject({
      outcome: {
        message: expect.stringContaining('wallet and another amount and another reason') as string,
      },
    });
  });
});
