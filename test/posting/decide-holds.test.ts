import { describe, expect, test } from 'vitest';
import type { CaptureRequest, PostItem } from '../../src/core/posting/request.js';
import type { HoldState } from '../../src/core/posting/state.js';
import { NOW, decided, hold, lines, wallet, words, type World } from '../support/decision.js';

/** Holds: made, captured in one or several parts, released, expired; and what they leave to spend. */

const put = (amount: bigint, more: object = {}): PostItem => ({
  type: 'hold',
  walletId: '1',
  amount,
  reason: 'purchase',
  ...more,
});
const capture = (amount?: bigint, more: Partial<CaptureRequest> = {}): PostItem => ({
  type: 'capture',
  holdId: 'h',
  amount,
  ...more,
});
const release: PostItem = { type: 'release', holdId: 'h' };
const debit = (amount: bigint): PostItem => ({
  type: 'debit',
  walletId: '1',
  amount,
  reason: 'purchase',
});

/** Wallet 1 holds 100, of which 40 are on hold `h`; wallet 2 holds nothing. */
function world(over: Partial<HoldState> = {}): World {
  return {
    wallets: [wallet('1', { held: 40n }), wallet('2', { balance: 0n })],
    holds: [hold('h', '1', over)],
  };
}

describe('a new hold', () => {
  test('keeps what was said of it, and moves no coins', () => {
    const more = { note: 'shop', metadata: { order: 7 }, actor: 'till', idempotencyKey: 'k' };
    const plan = decided(world(), put(60n, { ...more, expiresInSeconds: 90.5 }));
    expect(plan.entries).toEqual([]);
    expect(plan.newHolds).toEqual([
      {
        holdId: 'new 0',
        walletId: '1',
        amount: 60n,
        captured: 0n,
        state: 'open',
        reason: 'purchase',
        note: 'shop',
        metadata: '{"order":7}',
        actor: 'till',
        expiresAt: NOW + 90_500,
        createdAt: NOW,
        releaseKey: null,
        idempotencyKey: 'k',
      },
    ]);
  });

  test('cannot be spent by what comes after it in the batch', () => {
    const plan = decided(world(), put(50n), debit(11n), put(11n), debit(10n), put(1n));
    const no = 'insufficient_funds';
    expect(words(plan)).toEqual(['held', no, no, 'posted', no]);
  });

  test('can be captured and released in the batch that makes it', () => {
    const plan = decided(
      world(),
      put(60n),
      { type: 'capture', holdId: 'new 0', amount: 25n, to: { walletId: '2' } },
      { type: 'release', holdId: 'new 0' },
      debit(35n),
    );
    expect(words(plan)).toEqual(['held', 'posted', 'released', 'posted']);
    expect(lines(plan)).toEqual(['1 -25 = 75', '2 +25 = 25', '1 -35 = 40']);
    expect(plan.newHolds).toMatchObject([{ holdId: 'new 0', captured: 25n, state: 'released' }]);
    expect(plan.changedHolds).toEqual([]);
  });
});

describe('capture', () => {
  test.each<[string, bigint | undefined, bigint, string]>([
    ['all of it', undefined, 40n, 'captured'],
    ['all of it, in so many words', 40n, 40n, 'captured'],
    ['some of it', 15n, 15n, 'open'],
  ])('%s', (_, amount, taken, state) => {
    const plan = decided(world(), capture(amount));
    expect(lines(plan)).toEqual([`1 -${String(taken)} = ${String(100n - taken)}`]);
    expect(plan.entries).toMatchObject([
      { holdId: 'h', reason: 'purchase', counterparty: null, idempotencyKey: null },
    ]);
    expect(plan.changedHolds).toMatchObject([{ holdId: 'h', captured: taken, state }]);
  });

  test('into a wallet: two entries that name each other and the hold', () => {
    const plan = decided(world(), capture(30n, { to: { userId: '2' } }));
    expect(lines(plan)).toEqual(['1 -30 = 70', '2 +30 = 30']);
    expect(plan.entries.map(({ counterparty, holdId }) => [counterparty, holdId])).toEqual([
      ['2', 'h'],
      ['1', 'h'],
    ]);
  });

  test('in parts, until nothing is left', () => {
    const no = 'exceeds_hold';
    const plan = decided(world(), capture(15n), capture(26n), capture(10n), capture(), capture());
    expect(words(plan)).toEqual(['posted', no, 'posted', 'posted', 'hold_closed']);
    expect(lines(plan)).toEqual(['1 -15 = 85', '1 -10 = 75', '1 -15 = 60']);
    expect(plan.changedHolds).toMatchObject([{ captured: 40n, state: 'captured' }]);
  });

  test('a part leaves the rest on hold', () => {
    const plan = decided(world(), capture(15n), debit(61n), debit(60n));
    expect(words(plan)).toEqual(['posted', 'insufficient_funds', 'posted']);
  });

  test('a part that releases the rest leaves nothing on hold', () => {
    const plan = decided(world(), capture(15n, { releaseRest: true }), capture(), debit(85n));
    expect(words(plan)).toEqual(['posted', 'hold_closed', 'posted']);
    expect(lines(plan)).toEqual(['1 -15 = 85', '1 -85 = 0']);
    expect(plan.changedHolds).toMatchObject([{ captured: 15n, state: 'released' }]);
  });

  test('all of it, releasing the rest: it is captured, not released', () => {
    const plan = decided(world(), capture(40n, { releaseRest: true }));
    expect(plan.changedHolds).toMatchObject([{ captured: 40n, state: 'captured' }]);
  });

  test('needs no free coins: they were set aside', () => {
    const plan = decided(world(), debit(60n), capture());
    expect(words(plan)).toEqual(['posted', 'posted']);
    expect(lines(plan).at(-1)).toBe('1 -40 = 0');
  });

  test.each<[string, Partial<HoldState>, string]>([
    ['a hold whose time ends now', { expiresAt: NOW }, 'hold_expired'],
    ['a hold whose time is over', { expiresAt: NOW - 1 }, 'hold_expired'],
    ['a hold that was closed as expired', { state: 'expired' }, 'hold_expired'],
    ['a hold in its last moment', { expiresAt: NOW + 1 }, 'posted'],
    ['a released hold', { state: 'released' }, 'hold_closed'],
    ['a captured hold', { state: 'captured', captured: 40n }, 'hold_closed'],
    ['a captured hold whose time is over', { state: 'captured', expiresAt: 1 }, 'hold_closed'],
  ])('%s', (_, over, expected) => {
    expect(words(decided(world(over), capture(1n)))).toEqual([expected]);
  });

  test('into a wallet of another currency, a frozen one, a full one, its own, none', () => {
    const others = [
      wallet('3', { currency: 'gems' }),
      wallet('4', { frozen: true }),
      wallet('5', { ceiling: 139n }),
    ];
    const base = world();
    const all = { ...base, wallets: [...(base.wallets ?? []), ...others] };
    const into = (walletId: string): PostItem => capture(40n, { to: { walletId } });
    expect(words(decided(all, ...['3', '4', '5', '1', '6', '2'].map(into)))).toEqual([
      'currency_mismatch',
      'wallet_frozen',
      'ceiling_exceeded',
      'same_wallet',
      'unknown_wallet',
      'posted',
    ]);
  });

  test('from a frozen wallet: nothing', () => {
    const frozen: World = { ...world(), wallets: [wallet('1', { held: 40n, frozen: true })] };
    expect(words(decided(frozen, capture()))).toEqual(['wallet_frozen']);
  });
});

describe('release', () => {
  test('frees what is left, once', () => {
    const plan = decided(world({ captured: 10n }), debit(61n), release, release, capture(1n));
    expect(words(plan)).toEqual([
      'insufficient_funds',
      'released',
      'released before',
      'hold_closed',
    ]);
    expect(plan.changedHolds).toMatchObject([{ captured: 10n, state: 'released' }]);
  });

  test('what it frees can be spent in the same batch', () => {
    const plan = decided(world(), release, debit(100n));
    expect(words(plan)).toEqual(['released', 'posted']);
    expect(lines(plan)).toEqual(['1 -100 = 0']);
  });

  test('of a partly captured hold frees no more than what is left', () => {
    const part: World = {
      wallets: [wallet('1', { balance: 70n, held: 10n })],
      holds: [hold('h', '1', { captured: 30n })],
    };
    expect(words(decided(part, release, debit(71n), debit(70n)))).toEqual([
      'released',
      'insufficient_funds',
      'posted',
    ]);
  });

  test.each<[string, Partial<HoldState>, string]>([
    ['a hold whose time is over', { expiresAt: NOW }, 'hold_expired'],
    ['a hold that was closed as expired', { state: 'expired' }, 'hold_expired'],
    ['a captured hold', { state: 'captured', captured: 40n }, 'hold_closed'],
    ['a released hold', { state: 'released' }, 'released before'],
  ])('%s', (_, over, expected) => {
    const plan = decided(world(over), release);
    expect(words(plan)).toEqual([expected]);
    expect(plan.changedHolds).toEqual([]);
  });

  test('a frozen wallet gets its coins back', () => {
    const frozen: World = { ...world(), wallets: [wallet('1', { held: 40n, frozen: true })] };
    expect(words(decided(frozen, release))).toEqual(['released']);
  });

  test('a hold that nobody knows', () => {
    expect(words(decided(world(), { type: 'release', holdId: 'x' }))).toEqual(['unknown_hold']);
  });
});
