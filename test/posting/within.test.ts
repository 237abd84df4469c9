import type pg from 'pg';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import type { Within } from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import { brokenPromises } from '../support/promises.js';

/** The verbs inside a transaction of the caller: all of it or nothing, and usable after a failure. */

const db = await createDatabase('own');
await db.run(`
  CREATE TABLE public.orders (id text PRIMARY KEY);
  CREATE FUNCTION public.no_13() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN IF NEW.amount IN (13, -13) THEN RAISE EXCEPTION 'thirteen'; END IF; RETURN NEW; END $$;
  CREATE TRIGGER no_13 BEFORE INSERT ON trueup.entries FOR EACH ROW EXECUTE FUNCTION public.no_13()`);
const trueup = await db.trueup();
const client = await db.connect();
const within: Within = trueup.within(client);
let wallet = '';
let order = '';
beforeEach(async () => {
  wallet = await trueup.openWallet({});
  order = `order of ${wallet}`;
  await trueup.credit({ walletId: wallet, amount: 100n, reason: 'top_up' });
  await client.query('BEGIN');
  await client.query('INSERT INTO public.orders VALUES ($1)', [order]);
});

const pay = (amount: bigint, more: object = {}): ReturnType<Within['debit']> =>
  within.debit({ walletId: wallet, amount, reason: 'purchase', ...more });

/** The balance, and whether the order is there, as everybody else sees them. */
async function seen(): Promise<string> {
  const [row] = await db.rows<{ line: string }>(
    `SELECT concat_ws(' ', balance, pending_balance, (SELECT count(*) FROM public.orders WHERE id = $2)) AS line
       FROM trueup.wallets WHERE id = $1`,
    [wallet, order],
  );
  return row?.line ?? '';
}

test('coins and order are committed together', async () => {
  expect(await pay(30n)).toMatchObject({ status: 'posted', balanceAfter: 70n });
  expect(await seen()).toBe('100 0 0');
  await client.query('COMMIT');
  expect(await seen()).toBe('70 0 1');
});

test('rolled back together, and the key is free again', async () => {
  const key = { idempotencyKey: order };
  await pay(30n, key);
  await within.hold({ walletId: wallet, amount: 10n, reason: 'purchase' });
  await client.query('ROLLBACK');
  expect(await seen()).toBe('100 0 0');
  expect(
    await trueup.debit({ walletId: wallet, amount: 31n, reason: 'purchase', ...key }),
  ).toMatchObject({ status: 'posted', replayed: false });
});

test('each call sees what the ones before it did', async () => {
  const held = await within.hold({ walletId: wallet, amount: 60n, reason: 'purchase' });
  const holdId = held.status === 'held' ? held.hold.holdId : '';
  expect(await pay(41n)).toMatchObject({ code: 'insufficient_funds' });
  expect(await within.capture({ holdId, amount: 25n })).toMatchObject({ balanceAfter: 75n });
  expect(await within.release({ holdId })).toMatchObject({ status: 'released' });
  expect(await pay(75n, { idempotencyKey: order })).toMatchObject({ balanceAfter: 0n });
  expect(await pay(75n, { idempotencyKey: order })).toMatchObject({ replayed: true });
  await client.query('COMMIT');
  expect(await seen()).toBe('0 0 1');
});

describe('after a failure', () => {
  test('a refusal leaves the transaction usable', async () => {
    expect(await pay(101n)).toMatchObject({ code: 'insufficient_funds' });
    expect(await pay(100n)).toMatchObject({ status: 'posted' });
    await client.query('COMMIT');
    expect(await seen()).toBe('0 0 1');
  });

  test('an error undoes its call, and nothing else', async () => {
    await pay(20n);
    const items = [12n, 13n].map((amount) => ({
      type: 'debit' as const,
      walletId: wallet,
      amount,
      reason: 'purchase',
    }));
    await expect(within.post(items)).rejects.toMatchObject({
      code: 'database_failed',
      message: expect.stringContaining('thirteen') as string,
    });
    expect(await pay(5n)).toMatchObject({ status: 'posted', balanceAfter: 75n });
    await client.query('COMMIT');
    expect(await seen()).toBe('75 0 1');
  });

  test('a wrong argument is told before anything is sent', async () => {
    await expect(pay(5n, { reason: ' ' })).rejects.toMatchObject({ code: 'invalid_argument' });
    await client.query('COMMIT');
    expect(await seen()).toBe('100 0 1');
  });
});

test('a key that somebody else commits in between: it is looked up again', async () => {
  const other = await trueup.openWallet({});
  const key = { idempotencyKey: order };
  const somebody = await db.connect();
  await somebody.query('BEGIN');
  await trueup.within(somebody).credit({ walletId: other, amount: 3n, reason: 'winner', ...key });
  const answer = pay(3n, key);
  await blocked(client);
  await somebody.query('COMMIT');
  expect(await answer).toMatchObject({ code: 'idempotency_conflict' });
  expect(await pay(4n)).toMatchObject({ status: 'posted' });
  await client.query('COMMIT');
  expect(await seen()).toBe('96 0 1');
});

test('repeatable read: who came too late is told so, and not that coins are lacking', async () => {
  await client.query('ROLLBACK');
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
  await client.query('SELECT 1 FROM trueup.wallets LIMIT 1');
  await trueup.credit({ walletId: wallet, amount: 900n, reason: 'winner' });
  await expect(pay(500n)).rejects.toMatchObject({
    code: 'database_failed',
    message: expect.stringContaining('40001') as string,
  });
  await client.query('ROLLBACK');
});

test('without a transaction it is an error, and nothing is posted', async () => {
  await client.query('ROLLBACK');
  await expect(pay(5n)).rejects.toMatchObject({
    message: expect.stringContaining('25P01') as string,
  });
  expect(await seen()).toBe('100 0 0');
});

test('the driver has nothing to warn of', async () => {
  const warnings: string[] = [];
  const listen = (warning: Error): void => void warnings.push(warning.message);
  process.on('warning', listen);
  await pay(1n);
  await within.hold({ walletId: wallet, amount: 1n, reason: 'purchase', idempotencyKey: order });
  await client.query('COMMIT');
  process.off('warning', listen);
  expect(warnings).toEqual([]);
});

test('and after all of this every promise holds', async () => {
  await client.query('ROLLBACK');
  expect(await brokenPromises(db, trueup)).toEqual([]);
});

/** Waits until a connection waits for a lock. */
async function blocked(waiting: pg.Client): Promise<void> {
  const { processID } = waiting as pg.Client & { processID: number };
  await vi.waitUntil(
    () => db.value<boolean>('SELECT cardinality(pg_blocking_pids($1)) > 0', [processID]),
    { timeout: 20_000, interval: 2 },
  );
}
