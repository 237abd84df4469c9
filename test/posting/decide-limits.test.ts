import { describe, expect, test } from 'vitest';
import type { PostItem } from '../../src/core/posting/request.js';
import {
  NOW,
  decided,
  entry,
  hold,
  limit,
  wallet,
  words,
  type World,
} from '../support/decision.js';

/** Spending limits per window of time. The hour of these tests began 1,000 seconds ago. */

const HOUR = NOW / 1_000 - 1_000;
const rich = wallet('1', { balance: 10_000n });

const debit = (amount: bigint, reason = 'purchase'): PostItem => ({
  type: 'debit',
  walletId: '1',
  amount,
  reason,
});
const put = (amount: bigint): PostItem => ({
  type: 'hold',
  walletId: '1',
  amount,
  reason: 'purchase',
});

function limited(amount: bigint, over: Parameters<typeof limit>[2] = {}): World {
  return { wallets: [rich, wallet('2')], limits: [limit('1', amount, over)] };
}

describe('what counts', () => {
  test('debits, transfers and holds count; credits, refusals and what comes in do not', () => {
    const plan = decided(
      limited(100n),
      debit(40n),
      { type: 'transfer', from: { walletId: '1' }, to: { walletId: '2' }, amount: 30n },
      { type: 'credit', walletId: '1', amount: 500n, reason: 'winner' },
      { type: 'transfer', from: { walletId: '2' }, to: { walletId: '1' }, amount: 90n },
      debit(31n),
      put(30n),
      debit(1n),
    );
    const no = 'limit_exceeded';
    expect(words(plan)).toEqual(['posted', 'posted', 'posted', 'posted', no, 'held', no]);
    expect(plan.spending).toEqual([
      { limitId: 'limit 1 all', walletId: '1', windowStart: HOUR, spent: 100n },
    ]);
  });

  test('a limit of nothing lets nothing go', () => {
    expect(words(decided(limited(0n), debit(1n)))).toEqual(['limit_exceeded']);
  });

  test('a limit for a reason counts that reason only', () => {
    const plan = decided(
      limited(50n, { reason: 'purchase' }),
      debit(60n, 'withdrawal'),
      debit(50n),
      debit(1n),
      debit(60n, 'correction'),
    );
    expect(words(plan)).toEqual(['posted', 'posted', 'limit_exceeded', 'posted']);
    expect(plan.spending).toMatchObject([{ spent: 50n }]);
  });

  test('every limit that applies is counted, and each can refuse', () => {
    const limits = [
      limit('1', 100n),
      limit('1', 30n, { reason: 'purchase' }),
      limit('1', 110n, {
        limitId: 'day',
        windowSeconds: 86_400,
        spent: 5n,
        windowStart: NOW / 1_000 - 1_000,
      }),
    ];
    const world: World = { wallets: [rich], limits };
    const plan = decided(
      world,
      debit(31n),
      debit(30n),
      debit(71n, 'withdrawal'),
      debit(70n, 'withdrawal'),
    );
    const no = 'limit_exceeded';
    expect(words(plan)).toEqual([no, 'posted', no, 'posted']);
    expect(plan.spending.map(({ limitId, spent }) => [limitId, spent])).toEqual([
      ['limit 1 all', 100n],
      ['limit 1 purchase', 30n],
      ['day', 105n],
    ]);
  });

  test('the limit of one wallet does not bind another', () => {
    const world: World = { wallets: [rich, wallet('2')], limits: [limit('2', 1n)] };
    expect(words(decided(world, debit(500n)))).toEqual(['posted']);
    expect(decided(world, debit(500n)).spending).toEqual([]);
  });

  test('a reversal counts nothing, and takes what was spent', () => {
    const reversible = new Map([['entry 5', { entries: [entry('5', '1', 40n)], reversed: false }]]);
    const world: World = { ...limited(10n), reversible };
    expect(words(decided(world, { type: 'reverse', entryId: '5' }))).toEqual(['posted']);
  });
});

describe('the window', () => {
  test.each<[string, number, number, string]>([
    ['in the window that is remembered', HOUR, NOW, 'limit_exceeded'],
    ['in its last millisecond', HOUR, (HOUR + 3_600) * 1_000 - 1, 'limit_exceeded'],
    ['in the first millisecond of the next', HOUR, (HOUR + 3_600) * 1_000, 'posted'],
    ['in the first millisecond of the same', HOUR, HOUR * 1_000, 'limit_exceeded'],
    ['in a later one', HOUR - 3_600, NOW, 'posted'],
    ['by a limit that never counted', 0, NOW, 'posted'],
  ])('%s', (_, windowStart, now, expected) => {
    const world = limited(100n, { windowStart, spent: 100n });
    expect(words(decided({ ...world, over: { now } }, debit(1n)))).toEqual([expected]);
  });

  test('a new one begins with nothing spent', () => {
    const plan = decided(limited(100n, { windowStart: HOUR - 3_600, spent: 99n }), debit(7n));
    expect(plan.spending).toMatchObject([{ windowStart: HOUR, spent: 7n }]);
  });

  test('more was spent than is allowed now: nothing goes', () => {
    const lowered = limited(10n, { windowStart: HOUR, spent: 50n });
    expect(words(decided(lowered, debit(1n)))).toEqual(['limit_exceeded']);
  });
});

describe('holds', () => {
  const held = wallet('1', { balance: 10_000n, held: 40n });
  /** A hold of 40 that was counted in this hour, when nothing else was. */
  const world = (createdAt: number, over: object = {}): World => ({
    wallets: [held],
    holds: [hold('h', '1', { createdAt, ...over })],
    limits: [limit('1', 40n, { windowStart: HOUR, spent: 40n })],
  });
  const now = HOUR * 1_000;
  const no = 'limit_exceeded';

  test('count when they are made, not once more when they are captured', () => {
    const plan = decided(
      limited(40n),
      put(40n),
      { type: 'capture', holdId: 'new 0', amount: 15n },
      { type: 'capture', holdId: 'new 0' },
    );
    expect(words(plan)).toEqual(['held', 'posted', 'posted']);
    expect(plan.spending).toMatchObject([{ spent: 40n }]);
  });

  test('give back in their window what they did not use', () => {
    const plan = decided(
      world(now),
      debit(1n),
      { type: 'release', holdId: 'h' },
      debit(40n),
      debit(1n),
    );
    expect(words(plan)).toEqual([no, 'released', 'posted', no]);
  });

  test('give back what a capture left', () => {
    const partly = { type: 'capture', holdId: 'h', amount: 15n, releaseRest: true } as const;
    const plan = decided(world(now), partly, debit(26n), debit(25n), debit(1n));
    expect(words(plan)).toEqual(['posted', no, 'posted', no]);
  });

  test('give back nothing that was captured', () => {
    const plan = decided(
      world(now, { captured: 30n }),
      { type: 'release', holdId: 'h' },
      debit(11n),
      debit(10n),
    );
    expect(words(plan)).toEqual(['released', no, 'posted']);
  });

  test('of an earlier window give nothing back', () => {
    const plan = decided(world(now - 1), { type: 'release', holdId: 'h' }, debit(1n));
    expect(words(plan)).toEqual(['released', no]);
  });

  test('give back to the limits of their reason only', () => {
    const other = limit('1', 40n, { reason: 'withdrawal', windowStart: HOUR, spent: 40n });
    const both: World = { ...world(now), limits: [...(world(now).limits ?? []), other] };
    const plan = decided(
      both,
      { type: 'release', holdId: 'h' },
      debit(1n, 'withdrawal'),
      debit(40n),
    );
    expect(words(plan)).toEqual(['released', no, 'posted']);
  });

  test('a refused link takes its counting back', () => {
    const link = 'x';
    const plan = decided(
      limited(40n),
      { ...debit(30n), link },
      { ...debit(11n), link },
      debit(40n),
    );
    expect(words(plan)).toEqual(['linked_item_refused', no, 'posted']);
    expect(plan.spending).toMatchObject([{ spent: 40n }]);
  });
});
