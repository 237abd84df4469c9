import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { EntryFact } from '../../src/core/comparison.js';
import { couldAddUpTo } from '../../src/core/prefilter.js';
import { fromUnits, History, toUnits } from '../../src/core/sums.js';

/** Which entries add up to what is lacking. */

/** Entries, the newest first, each of a transaction of its own. */
function entries(...amounts: string[]): EntryFact[] {
  return amounts.map((amount, place) => ({
    id: String(amounts.length - place),
    amount,
    earned: amount.startsWith('-') ? '0' : amount,
    createdAt: null,
    transaction: `x${String(place)}`,
  }));
}

describe('sums', () => {
  test.each([
    ['0', 0n],
    ['-12.5', -12_500_000n],
    ['9007199254740993', 9_007_199_254_740_993_000_000n],
    ['0.000001', 1n],
    ['NaN', undefined],
    ['', undefined],
    ['0.0000001', undefined],
  ])('%s in millionths', (text, units) => {
    expect(toUnits(text)).toBe(units);
    if (units !== undefined) expect(fromUnits(units)).toBe(text);
  });

  test('one entry before a transaction, before the tail, before a run; the newest of several', () => {
    const find = (balance: bigint, all: EntryFact[], whole = false): string[] =>
      new History(all, whole).addingUpTo({ balance: balance * 1_000_000n }).map(({ id }) => id);
    expect(find(5n, entries('5', '2', '3', '5'))).toEqual(['4']);
    expect(find(5n, entries('9', '2', '3', '7'))).toEqual(['3', '2']);
    expect(find(14n, entries('9', '2', '3', '7'))).toEqual(['4', '3', '2']);
    expect(find(21n, entries('9', '2', '3', '7'), true)).toEqual(['4', '3', '2', '1']);
    const together = entries('9', '2', '30', '7').map((entry, place) =>
      place === 1 || place === 3 ? { ...entry, transaction: 'same' } : entry,
    );
    expect(new History(together, false).addingUpTo({ balance: 9_000_000n })).toHaveLength(1);
    expect(find(6n, entries('9', '2', '30', '7'))).toEqual([]);
    expect(find(0n, entries('9'))).toEqual([]);
  });

  test('asking by amounts alone never misses what the entries would tell', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: -20, max: 20 }), fc.nat({ max: 3 })), {
          maxLength: 20,
        }),
        fc.integer({ min: -40, max: 40 }),
        fc.boolean(),
        (some, target, negative) => {
          const all = some.map(([amount, transaction], place) => ({
            id: String(place),
            amount: String(amount),
            earned: String(Math.max(amount, 0)),
            createdAt: null,
            transaction: String(transaction),
          }));
          const lack = { balance: BigInt(negative ? -target : target) * 1_000_000n };
          const found = new History(all, true).addingUpTo({ balance: BigInt(target) * 1_000_000n });
          const could = couldAddUpTo(
            lack,
            some.map(([amount]) => amount),
            some.map(([, transaction]) => String(transaction)),
          );
          if (found.length > 0) expect(could).toBe(true);
        },
      ),
      { numRuns: 2_000 },
    );
  });
});
