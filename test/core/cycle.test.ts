import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { walletsDue, type RangeAge } from '../../src/core/cycle.js';

/** How much of a ledger is verified at each look, so that all of it is verified once a cycle. */

const DAY = 86_400;
const WEEK = 7 * DAY;

interface Verified {
  readonly wallets: number;
  readonly at: number;
}

/** A ledger as its ranges, and a clock. A look verifies what is due, the longest unverified first. */
class Simulation {
  readonly sizes: number[] = [];
  #ranges: Verified[];
  #now = 0;

  constructor(wallets: number) {
    this.#ranges = [{ wallets, at: 0 }];
  }

  wait(seconds: number): void {
    this.#now += seconds;
  }

  /** The age of the oldest range. */
  get oldest(): number {
    return Math.max(...this.#ranges.map(({ at }) => this.#now - at));
  }

  get wallets(): number {
    return this.#ranges.reduce((sum, { wallets }) => sum + wallets, 0);
  }

  look(cycle: number, most = Number.POSITIVE_INFINITY): void {
    const ages: RangeAge[] = this.#ranges.map(({ wallets, at }) => ({
      wallets,
      age: this.#now - at,
    }));
    const size = Math.min(walletsDue(ages, cycle), most);
    this.sizes.push(size);
    const left: Verified[] = [];
    let done = 0;
    for (const range of [...this.#ranges].sort((one, other) => one.at - other.at)) {
      const take = Math.min(size - done, range.wallets);
      done += take;
      if (take < range.wallets) left.push({ ...range, wallets: range.wallets - take });
    }
    if (done > 0) left.push({ wallets: done, at: this.#now });
    this.#ranges = left;
  }
}

describe('the size of a slice', () => {
  test('a week of nights takes a seventh each, and begins again', () => {
    const ledger = new Simulation(700);
    for (let night = 0; night < 15; night += 1) {
      ledger.wait(DAY);
      ledger.look(WEEK);
    }
    expect(ledger.sizes).toEqual(Array.from({ length: 15 }, () => 100));
  });

  test('a night that was missed is made up over those that are left', () => {
    const ledger = new Simulation(600);
    ledger.wait(DAY);
    ledger.look(WEEK, 0);
    ledger.wait(DAY);
    ledger.look(WEEK, 0);
    for (let night = 3; night <= 7; night += 1) {
      ledger.wait(DAY);
      ledger.look(WEEK);
    }
    // The looks of the first nights have verified nothing, so the time since the last one seems longer.
    expect(ledger.sizes.reduce((sum, size) => sum + size, 0)).toBeGreaterThanOrEqual(600);
    expect(ledger.oldest).toBeLessThanOrEqual(WEEK);
  });

  test('whatever is older than the cycle is due at once', () => {
    expect(walletsDue([{ wallets: 500, age: WEEK }], WEEK)).toBe(500);
    expect(
      walletsDue(
        [
          { wallets: 300, age: 10 * WEEK },
          { wallets: 500, age: 0 },
        ],
        WEEK,
      ),
    ).toBe(300);
  });

  test('right after a look nothing is due', () => {
    expect(walletsDue([{ wallets: 500, age: 0 }], WEEK)).toBe(0);
    expect(walletsDue([], WEEK)).toBe(0);
  });

  test('with looks at regular times nothing ever gets older than the cycle', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 10_000 }),
        fc.integer({ min: 60, max: WEEK }),
        fc.integer({ min: 1, max: 60 }),
        (wallets, between, looks) => {
          const ledger = new Simulation(wallets);
          for (let look = 0; look < looks; look += 1) {
            ledger.wait(between);
            expect(ledger.oldest).toBeLessThanOrEqual(WEEK);
            ledger.look(WEEK);
            expect(ledger.wallets).toBe(wallets);
          }
        },
      ),
    );
  });
});
