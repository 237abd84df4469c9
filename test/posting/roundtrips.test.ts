import { beforeAll, describe, expect, test } from 'vitest';
import type { PostItem } from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import { Proxy } from '../support/proxy.js';

/**
 * How often a batch waits for the server, whatever is in it and however much. Credits, debits and
 * transfers of wallets that the program has posted to: once. Under locks twice: once for BEGIN, the
 * locks and everything that is read, once for everything that is written and COMMIT. For what turns out
 * not to be postable in one: once more.
 */

const AHEAD = 1;
const LOCKED = 2;
/** One that finds the keys used. */
const REPEATED = AHEAD + LOCKED;
const SIZES = [1, 2, 500] as const;

const db = await createDatabase('own');
const proxy = await Proxy.to(db.url);
const trueup = await db.trueup({ databaseUrl: proxy.url });
let wallets: string[] = [];

beforeAll(async () => {
  wallets = await Promise.all(Array.from({ length: 60 }, () => trueup.openWallet({})));
  await trueup.post(
    items(500, (index) => ({
      type: 'credit',
      walletId: at(index),
      amount: 100_000n,
      reason: 'top_up',
    })),
  );
});

function at(index: number): string {
  return wallets[index % wallets.length] ?? '';
}

let batch = 0;
const items = (count: number, make: (index: number) => PostItem): PostItem[] =>
  Array.from({ length: count }, (_, index) => make(index));
const keyed = (item: PostItem, index: number): PostItem => ({
  ...item,
  idempotencyKey: `batch ${String(batch)} item ${String(index)}`,
});
const credit = (index: number): PostItem => ({
  type: 'credit',
  walletId: at(index),
  amount: 1n,
  reason: 'winner',
});
const transfer = (index: number): PostItem => ({
  type: 'transfer',
  from: { walletId: at(index) },
  to: { walletId: at(index + 1 + (index % 7)) },
  amount: 1n,
});
const hold = (index: number): PostItem => ({
  type: 'hold',
  walletId: at(index),
  amount: 2n,
  reason: 'purchase',
});
const refused = (index: number): PostItem => ({
  type: 'debit',
  walletId: at(index),
  amount: 1n,
  reason: 'nonsense',
});

const KINDS: readonly (readonly [string, number, (index: number) => PostItem])[] = [
  ['credits', AHEAD, credit],
  ['transfers', AHEAD, transfer],
  ['keyed credits', AHEAD, (index) => keyed(credit(index), index)],
  ['keyed transfers', AHEAD, (index) => keyed(transfer(index), index)],
  ['nothing but refusals', LOCKED, refused],
  ['keyed holds', LOCKED, (index) => keyed(hold(index), index)],
  [
    'a bit of everything',
    LOCKED,
    (index) => [credit, transfer, hold, refused][index % 4]?.(index) ?? credit(0),
  ],
];

describe('a batch takes a constant number of round trips', () => {
  test.each(KINDS)('%s: %i', async (_, expected, make) => {
    for (const size of SIZES) {
      batch += 1;
      const rounds = await proxy.count(() => trueup.post(items(size, make)));
      expect([size, rounds]).toEqual([size, expected]);
    }
  });

  test('repeats of what was posted before', async () => {
    for (const size of SIZES) {
      batch += 1;
      const again = items(size, (index) => keyed(transfer(index), index));
      await trueup.post(again);
      const rounds = await proxy.count(() => trueup.post(again));
      expect([size, rounds]).toEqual([size, REPEATED]);
    }
  });

  test('captures, releases and reversals', async () => {
    for (const size of SIZES) {
      const held = await trueup.post(items(size, hold));
      const posted = await trueup.post(items(size, transfer));
      const mixed = held.flatMap((outcome, index): PostItem[] => {
        const other = posted[index];
        if (outcome.status !== 'held' || other?.status !== 'posted') return [];
        const { holdId } = outcome.hold;
        const reverse: PostItem = { type: 'reverse', entryId: other.entryId };
        return index % 2 === 0
          ? [{ type: 'capture', holdId, to: { walletId: at(index + 1) } }, reverse]
          : [{ type: 'release', holdId }, reverse];
      });
      expect(mixed).toHaveLength(2 * size);
      const rounds = await proxy.count(() => trueup.post(mixed));
      expect([size, rounds]).toEqual([size, LOCKED]);
    }
  });

  test('many callers at once share them; wallets that are new to the program take one more', async () => {
    const few = await db.trueup({ databaseUrl: proxy.url, posting: { lanes: 1 } });
    const together = (): Promise<unknown> =>
      Promise.all(items(300, credit).map((item) => few.post([item])));
    await few.post([credit(0)]);
    expect(await proxy.count(together)).toBe(AHEAD + 1);
    expect(await proxy.count(together)).toBe(AHEAD);
  });
});

test('inside a transaction of the caller, whose connection does not pipeline: a constant, too', async () => {
  const client = await db.connect({ connectionString: proxy.url });
  const counts: number[] = [];
  for (const size of SIZES) {
    await client.query('BEGIN');
    const within = trueup.within(client);
    counts.push(await proxy.count(() => within.post(items(size, transfer))));
    await client.query('COMMIT');
  }
  expect(new Set(counts).size).toBe(1);
  expect(counts[0]).toBeLessThanOrEqual(6);
});
