import pg from 'pg';
import { expect, test, vi } from 'vitest';
import type { TransactionClient } from '../../src/index.js';
import { createDatabase } from '../support/database.js';

/** What `trueup.within` may be given, beside the clients of the recipes. */

const db = await createDatabase('own');
const trueup = await db.trueup();
const [ada, bob] = [
  await trueup.openWallet({ userId: 'ada' }),
  await trueup.openWallet({ userId: 'bob' }),
];
const award = { amount: 5n, reason: 'winner' };

/** A client of another copy of the driver: its errors are of a class that Trueup does not know. */
function fromAnotherCopy(client: pg.Client): TransactionClient {
  return {
    query: async (statement) => {
      try {
        return await client.query(statement);
      } catch (error) {
        if (!(error instanceof pg.DatabaseError)) throw error;
        const { code, severity } = error;
        throw Object.assign(new Error(error.message), { code, severity });
      }
    },
  };
}

test('errors are understood whatever copy of the driver they come from', async () => {
  const [first, second] = [await db.connect(), await db.connect()];
  await first.query('BEGIN');
  await second.query('BEGIN');
  const one = trueup.within(fromAnotherCopy(first));
  const other = trueup.within(fromAnotherCopy(second));
  await one.credit({ ...award, walletId: ada, idempotencyKey: 'shared' });
  // It waits for the first one's key, meets it as 23505, and is decided anew.
  const conflict = other.credit({ ...award, walletId: bob, idempotencyKey: 'shared' });
  await vi.waitFor(async () => {
    const waiting = `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
    expect(await db.value(waiting)).toBe('1');
  }, 10_000);
  await first.query('COMMIT');
  expect(await conflict).toMatchObject({ status: 'refused', code: 'idempotency_conflict' });
  await second.query('COMMIT');
});

test('the message of such an error names its SQLSTATE', async () => {
  const client = await db.connect();
  await expect(
    trueup.within(fromAnotherCopy(client)).credit({ ...award, walletId: ada }),
  ).rejects.toMatchObject({
    code: 'invalid_argument',
    message: expect.stringContaining('25P01') as string,
  });
});

test('the driver is never given a second statement before the first is answered', async () => {
  const client = await db.connect();
  let underWay = 0;
  let most = 0;
  const counted: TransactionClient = {
    query: async (statement) => {
      underWay += 1;
      most = Math.max(most, underWay);
      const result = await client.query(statement);
      underWay -= 1;
      return result;
    },
  };
  await client.query('BEGIN');
  await trueup.within(counted).credit({ ...award, walletId: ada, idempotencyKey: 'counted' });
  await client.query('COMMIT');
  expect(most).toBe(1);
});

test('after an error of Trueup the transaction goes on', async () => {
  const [client, other] = [await db.connect(), await db.connect()];
  await db.run('CREATE TABLE notes (text text)');
  await other.query('BEGIN');
  await other.query('SELECT FROM trueup.wallets WHERE id = $1 FOR UPDATE', [ada]);
  await client.query(`BEGIN; SET LOCAL lock_timeout = '50ms'; INSERT INTO notes VALUES ('before')`);
  await expect(trueup.within(client).credit({ ...award, walletId: ada })).rejects.toMatchObject({
    message: expect.stringContaining('55P03') as string,
  });
  expect(await trueup.within(client).credit({ ...award, walletId: bob })).toMatchObject({
    status: 'posted',
  });
  await client.query(`INSERT INTO notes VALUES ('after'); COMMIT`);
  await other.query('ROLLBACK');
  expect(await db.rows('SELECT text FROM notes')).toEqual([{ text: 'before' }, { text: 'after' }]);
});
