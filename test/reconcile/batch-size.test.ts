import { describe, expect, test } from 'vitest';
import {
  adaptiveSize,
  FIRST_BATCH,
  fixedSize,
  LARGEST_BATCH,
  TARGET_MS,
  type BatchSize,
} from '../../src/reconcile/batch-size.js';

/** Plays batches on a server that checks so many wallets a millisecond; returns the last size. */
function play(size: BatchSize, rate: number, batches: number): number {
  for (let batch = 0; batch < batches; batch += 1) size.done(size.next(), size.next() / rate);
  return size.next();
}

describe('an adaptive batch', () => {
  test('begins with a size that is known to be quick', () => {
    expect(adaptiveSize().next()).toBe(FIRST_BATCH);
  });

  test.each([
    { server: 'a slow one', rate: 2, wallets: 2 * TARGET_MS },
    { server: 'one as ours', rate: 75, wallets: 75 * TARGET_MS },
    { server: 'one that is faster than batches may grow', rate: 10_000, wallets: LARGEST_BATCH },
    { server: 'one that takes seconds for a wallet', rate: 1 / 5_000, wallets: 1 },
  ])('comes to take its time on $server', ({ rate, wallets }) => {
    expect(play(adaptiveSize(), rate, 40)).toBeCloseTo(wallets, -1);
  });

  test('follows a server that becomes slower within a few batches', () => {
    const size = adaptiveSize();
    play(size, 50, 20);
    const after = play(size, 5, 8);
    expect(after / 5).toBeLessThan(1.5 * TARGET_MS);
  });

  test('does not more than double, however quick one batch was', () => {
    const size = adaptiveSize();
    size.done(FIRST_BATCH, 0);
    expect(size.next()).toBe(2 * FIRST_BATCH);
  });

  test('is not misled by a batch without wallets', () => {
    const size = adaptiveSize();
    size.done(0, 5_000);
    expect(size.next()).toBe(FIRST_BATCH);
  });

  test('halves what the server has refused, and comes back to it slowly', () => {
    const size = adaptiveSize();
    size.tooLong(8_000);
    expect(size.next()).toBe(4_000);
    expect(play(size, 10_000, 5)).toBeLessThan(8_000);
    expect(play(size, 10_000, 100)).toBe(LARGEST_BATCH);
  });
});

describe('a fixed batch', () => {
  test('stays what it is, however long it takes', () => {
    expect(play(fixedSize(700), 1 / 1_000, 10)).toBe(700);
  });

  test('is halved where the server cannot take it, down to one wallet', () => {
    const size = fixedSize(5);
    const sizes = [5, 2, 1, 1].map((expected) => {
      const now = size.next();
      size.tooLong(now);
      return { expected, now };
    });
    expect(sizes.every(({ expected, now }) => expected === now)).toBe(true);
  });

  test('comes back to what was asked for, and never beyond it', () => {
    const size = fixedSize(700);
    size.tooLong(700);
    expect(play(size, 1, 100)).toBe(700);
  });
});
