import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test, vi } from 'vitest';
import type { PostOutcome, Trueup } from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import type { Order } from './fixtures/order.js';
import { withRetry } from './fixtures/retry.js';

/** What a recipe does inside its transaction, step by step. */
export interface Steps {
  readonly charge: (userId: string, price: bigint) => Promise<PostOutcome>;
  readonly write: (order: Order, state: string) => Promise<unknown>;
}

/** A recipe of docs/recipes.md, on one database. */
export interface Recipe {
  placeOrder(order: Order): Promise<PostOutcome>;
  inTransaction<Result>(work: (steps: Steps) => Promise<Result>): Promise<Result>;
  close(): Promise<unknown>;
}

/** What every recipe has to do, with the real package and a real server. */
export async function testRecipe(open: (url: string, trueup: Trueup) => Recipe): Promise<void> {
  const db = await createDatabase('own');
  await db.run(readFileSync(join(import.meta.dirname, 'fixtures/orders.sql'), 'utf8'));
  const trueup = await db.trueup();
  const shop = open(db.url, trueup);
  afterAll(() => shop.close());
  await trueup.openWallet({ userId: 'ada' });
  await trueup.openWallet({ userId: 'bob' });

  let number = 0;
  const order = (change: Partial<Order> = {}): Order => {
    number += 1;
    return { id: `o${String(number)}`, userId: 'ada', item: 'skin', price: 60n, ...change };
  };
  const orders = (): Promise<Record<string, string>[]> =>
    db.rows('SELECT item, price::text, state FROM orders ORDER BY id');
  const coins = (userId: string): Promise<string> =>
    db.value(
      `SELECT (w.balance || ' ' || p.balance) FROM trueup.wallets w JOIN trueup.profiles p ON p.id = w.profile_id
        WHERE p.user_id = $1`,
      [userId],
    );
  const somebodyWaits = async (): Promise<void> => {
    await vi.waitFor(async () => {
      const waiting = `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
      expect(await db.value(waiting)).toBe('1');
    }, 10_000);
  };

  beforeEach(async () => {
    await db.run('DELETE FROM orders');
    for (const userId of ['ada', 'bob']) {
      const had = BigInt((await coins(userId)).split(' ')[0] ?? '0');
      if (had > 0n) await trueup.debit({ userId, amount: had, reason: 'correction' });
      await trueup.credit({ userId, amount: 100n, reason: 'winner' });
    }
  });

  test('a commit writes the coins and the order', async () => {
    expect(await shop.placeOrder(order())).toMatchObject({
      status: 'posted',
      amount: -60n,
      balanceAfter: 40n,
    });
    expect(await orders()).toEqual([{ item: 'skin', price: '60', state: 'paid' }]);
    expect(await coins('ada')).toBe('40 40');
  });

  test('the same order again is the same order', async () => {
    const twice = order({ price: 40n });
    const first = await shop.placeOrder(twice);
    const again = await shop.placeOrder(twice);
    expect(again).toEqual({ ...first, replayed: true });
    expect(await orders()).toHaveLength(1);
    expect(await coins('ada')).toBe('60 60');
  });

  test('an error leaves neither', async () => {
    const failing = shop.inTransaction(async ({ charge, write }) => {
      expect(await charge('ada', 60n)).toMatchObject({ status: 'posted' });
      await write(order(), 'paid');
      throw new Error('the shop is closed');
    });
    await expect(failing).rejects.toThrow('the shop is closed');
    expect(await orders()).toEqual([]);
    expect(await coins('ada')).toBe('100 100');
  });

  test('an order that the database refuses takes no coins', async () => {
    await expect(shop.placeOrder(order({ item: '' }))).rejects.toThrow();
    expect(await coins('ada')).toBe('100 100');
    expect(await shop.placeOrder(order())).toMatchObject({ status: 'posted' });
  });

  test('after a refusal nothing is written', async () => {
    expect(await shop.placeOrder(order({ price: 101n }))).toMatchObject({
      status: 'refused',
      code: 'insufficient_funds',
    });
    expect(await orders()).toEqual([]);
    expect(await coins('ada')).toBe('100 100');
  });

  test('or the order is, for the transaction goes on', async () => {
    await shop.inTransaction(async ({ charge, write }) => {
      expect(await charge('ada', 101n)).toMatchObject({ code: 'insufficient_funds' });
      await write(order({ item: 'dear' }), 'unpaid');
      expect(await charge('ada', 1n)).toMatchObject({ status: 'posted', balanceAfter: 99n });
    });
    expect(await orders()).toMatchObject([{ item: 'dear', state: 'unpaid' }]);
    expect(await coins('ada')).toBe('99 99');
  });

  test('of two orders for the last coins the second waits for the first, and is refused', async () => {
    let second: Promise<PostOutcome> | undefined;
    await shop.inTransaction(async ({ charge, write }) => {
      await charge('ada', 60n);
      second = shop.placeOrder(order({ item: 'second' }));
      await somebodyWaits();
      await write(order({ item: 'first' }), 'paid');
    });
    expect(await second).toMatchObject({ status: 'refused', code: 'insufficient_funds' });
    expect(await orders()).toMatchObject([{ item: 'first' }]);
    expect(await coins('ada')).toBe('40 40');
  });

  test('of eight at once one wins', async () => {
    const outcomes = await Promise.all(
      Array.from({ length: 8 }, () => shop.placeOrder(order({ price: 51n }))),
    );
    expect(outcomes.filter(({ status }) => status === 'posted')).toHaveLength(1);
    expect(await orders()).toHaveLength(1);
    expect(await coins('ada')).toBe('49 49');
  });

  test('a serialization failure (40001) is tried again', async () => {
    const strict = open(
      `${db.url}${db.url.includes('?') ? '&' : '?'}options=${encodeURIComponent('-c default_transaction_isolation=repeatable\\ read')}`,
      trueup,
    );
    const within = vi.spyOn(trueup, 'within');
    try {
      let second: Promise<PostOutcome> | undefined;
      await strict.inTransaction(async ({ charge, write }) => {
        await charge('ada', 60n);
        second = strict.placeOrder(order({ item: 'second' }));
        await somebodyWaits();
        await write(order({ item: 'first' }), 'paid');
      });
      expect(await second).toMatchObject({ status: 'refused', code: 'insufficient_funds' });
      expect(within).toHaveBeenCalledTimes(3); // The second order's first attempt had failed.
      expect(await orders()).toMatchObject([{ item: 'first' }]);
    } finally {
      within.mockRestore();
      await strict.close();
    }
  });

  test('a deadlock (40P01) is tried again', async () => {
    let attempts = 0;
    const charged = new Set<string>();
    const both = (first: string, then: string): Promise<void> =>
      withRetry(() =>
        shop.inTransaction(async ({ charge, write }) => {
          attempts += 1;
          expect(await charge(first, 10n)).toMatchObject({ status: 'posted' });
          charged.add(first);
          await vi.waitFor(() => {
            expect(charged.size).toBe(2);
          }, 10_000);
          expect(await charge(then, 10n)).toMatchObject({ status: 'posted' });
          await write(order({ item: `${first} first` }), 'paid');
        }),
      );
    await Promise.all([both('ada', 'bob'), both('bob', 'ada')]);
    expect(attempts).toBe(3);
    expect(await orders()).toHaveLength(2);
    expect([await coins('ada'), await coins('bob')]).toEqual(['80 80', '80 80']);
  });

  test('a connection that dies in the middle leaves neither, and the next order goes through', async () => {
    const dying = shop.inTransaction(async ({ charge, write }) => {
      await charge('ada', 60n);
      const idle = `FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'`;
      await db.run(`SELECT pg_terminate_backend(pid) ${idle}`);
      await vi.waitFor(async () => {
        expect(await db.value(`SELECT count(*) ${idle}`)).toBe('0');
      });
      await write(order(), 'paid');
    });
    await expect(dying).rejects.toThrow();
    expect(await orders()).toEqual([]);
    expect(await shop.placeOrder(order())).toMatchObject({ balanceAfter: 40n });
  });
}
