import type pg from 'pg';
import { expect, test } from 'vitest';
import { TrueupError, type Trueup } from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import { findings } from '../support/economy.js';
import { brokenPromises } from '../support/promises.js';

/** Group commit, callers with transactions of their own, and plain SQL, all on the same wallets. */

const db = await createDatabase('own');
await db.run('CREATE TABLE public.orders (id bigint PRIMARY KEY, coins bigint NOT NULL)');
const small = { posting: { batchLimit: 4, lanes: 3 } };
const trueups: readonly Trueup[] = [
  await db.trueup(),
  await db.trueup(small),
  await db.trueup(small),
];

function nth(index: number): Trueup {
  const one = trueups[index % trueups.length];
  if (one === undefined) throw new Error('no Trueup');
  return one;
}
const trueup = nth(0);

async function wallets(count: number, amount: bigint): Promise<string[]> {
  const ids = await Promise.all(Array.from({ length: count }, () => trueup.openWallet({})));
  await trueup.post(
    ids.map((walletId) => ({ type: 'credit', walletId, amount, reason: 'top_up' })),
  );
  return ids;
}

function balances(ids: readonly string[]): Promise<string> {
  return db.value('SELECT sum(balance)::text FROM trueup.wallets WHERE id = ANY ($1::bigint[])', [
    ids,
  ]);
}

test('transfers in opposite directions: all are posted, and no deadlock is seen', async () => {
  const [a = '', b = '', c = ''] = await wallets(3, 10_000n);
  const ways = [
    [a, b],
    [b, a],
    [b, c],
    [c, a],
    [a, c],
    [c, b],
  ] as const;
  const outcomes = await Promise.all(
    Array.from({ length: 600 }, (_, index) => {
      const [from, to] = ways[index % ways.length] ?? [a, b];
      return nth(Math.floor(index / 7)).transfer({
        from: { walletId: from },
        to: { walletId: to },
        amount: BigInt(1 + (index % 9)),
      });
    }),
  );
  expect(outcomes.filter(({ status }) => status !== 'posted')).toEqual([]);
  expect(await balances([a, b, c])).toBe('30000');
  expect(await brokenPromises(db, trueup)).toEqual([]);
});

/** Buys in a transaction of his own, and repeats it when he is the victim of a deadlock. */
async function buy(client: pg.Client, order: number, from: string, to: string): Promise<boolean> {
  const within = trueup.within(client);
  for (;;) {
    await client.query('BEGIN');
    try {
      await client.query('INSERT INTO public.orders VALUES ($1, 3)', [order]);
      const paid = await within.transfer({
        from: { walletId: from },
        to: { walletId: to },
        amount: 2n,
        idempotencyKey: `order ${String(order)}`,
      });
      const fee = await within.debit({ walletId: from, amount: 1n, reason: 'platform_fee' });
      const good = paid.status === 'posted' && fee.status === 'posted' && order % 5 !== 0;
      await client.query(good ? 'COMMIT' : 'ROLLBACK');
      return good;
    } catch (error) {
      await client.query('ROLLBACK');
      if (!(error instanceof TrueupError && error.message.includes('40P01'))) throw error;
    }
  }
}

test('buyers in their own transactions, group commit and plain SQL side by side', async () => {
  const ids = await wallets(4, 5_000n);
  const at = (index: number): string => ids[index % ids.length] ?? '';
  const buyers = await Promise.all(Array.from({ length: 5 }, () => db.connect()));
  const plain = await Promise.all(Array.from({ length: 2 }, () => db.connect()));
  const bought: boolean[] = [];
  let watching = true;
  const drift: unknown[] = [];

  const work = Promise.all([
    ...buyers.map(async (client, buyer) => {
      for (let n = 0; n < 12; n += 1) {
        bought.push(await buy(client, 1 + buyer * 12 + n, at(buyer + n), at(buyer + n + 1)));
      }
    }),
    ...plain.map(async (client, index) => {
      for (let n = 0; n < 25; n += 1) {
        await client.query(
          `INSERT INTO trueup.entries (wallet_id, amount, reason) VALUES ($1, 5, 'plain'), ($1, -1, 'plain')`,
          [at(index + n)],
        );
      }
    }),
    ...trueups.map(async (one, index) => {
      for (let n = 0; n < 10; n += 1) {
        const posted = await one.post([
          {
            type: 'transfer',
            from: { walletId: at(n + 1) },
            to: { walletId: at(index + n + 2) },
            amount: 3n,
          },
          { type: 'credit', walletId: at(n), amount: 2n, reason: 'winner' },
          { type: 'hold', walletId: at(n), amount: 1n, reason: 'purchase' },
        ]);
        // Of the three, one sends coins to itself, and is told so.
        expect(posted.slice(1).map(({ status }) => status)).toEqual(['posted', 'held']);
      }
    }),
  ]).finally(() => {
    watching = false;
  });
  const watch = async (): Promise<void> => {
    while (watching) drift.push(...(await findings(trueup)));
  };
  await Promise.all([work, watch()]);

  expect(drift).toEqual([]);
  const orders = bought.filter(Boolean).length;
  expect(orders).toBe(60 - 12);
  expect(await db.value('SELECT count(*) FROM public.orders')).toBe(String(orders));
  expect(
    await db.value(`SELECT count(*) FROM trueup.entries WHERE idempotency_key LIKE 'order %'`),
  ).toBe(String(orders));
  const came = 4 * 5_000 + 50 * 4 + 30 * 2 - orders;
  expect(await balances(ids)).toBe(String(came));
  expect(await brokenPromises(db, trueup)).toEqual([]);
});

test('a lone transfer between two busy wallets does not wait for ever', async () => {
  const [a = '', b = '', c = ''] = await wallets(3, 1_000_000n);
  const few = await db.trueup({ posting: { batchLimit: 10 } });
  let done = false;
  let posted = 0;
  const busy = async (walletId: string): Promise<void> => {
    while (!done && posted < 20_000) {
      await few.credit({ walletId, amount: 1n, reason: 'winner' });
      posted += 1;
    }
  };
  const first = Array.from({ length: 60 }, () => busy(a));
  await few.credit({ walletId: a, amount: 1n, reason: 'winner' });
  const second = Array.from({ length: 60 }, () => busy(b));
  await few.credit({ walletId: c, amount: 1n, reason: 'winner' });
  const before = posted;
  const outcome = await few.transfer({
    from: { walletId: a },
    to: { walletId: b },
    amount: 1n,
  });
  const meanwhile = posted - before;
  done = true;
  await Promise.all([...first, ...second]);
  expect(outcome.status).toBe('posted');
  // Every caller has one posting under way: a few rounds of all of them are a fair turn.
  expect(meanwhile).toBeLessThan(10 * 120);
});
