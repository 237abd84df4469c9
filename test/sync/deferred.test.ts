import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { from as copyFrom } from 'pg-copy-streams';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Trueup } from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import { caches, createEconomy, truth, type Economy } from '../support/economy.js';

/** Deferred mode: the wallet in the commit, the profile marked and carried. */

const db = await createDatabase('empty');
let economy: Economy;
let trueup: Trueup;

beforeEach(async () => {
  await db.run('DROP SCHEMA IF EXISTS app CASCADE');
  economy = await createEconomy(db, 6);
  trueup = await db.trueup({ config: economy.mapping });
  await trueup.installSync({ deferred: true });
  await db.run('TRUNCATE trueup.sync_failures, trueup.profile_marks, trueup.repairs');
});

const credit = (wallet: number, amount: number): Promise<void> =>
  db.run('INSERT INTO app.ledger (wallet_id, amount) VALUES ($1, $2)', [wallet, amount]);
const marks = (): Promise<string> => db.value('SELECT count(*) FROM trueup.profile_marks');
const failures = (): Promise<Record<string, string>[]> =>
  db.rows('SELECT wallet_id, profile_id, sqlstate FROM trueup.sync_failures ORDER BY id');

describe('in the commit', () => {
  test('the wallet follows, the profile is marked once an entry', async () => {
    await credit(1, 10);
    await credit(1, -4);
    await credit(2, 3);
    expect((await caches(db, economy)).slice(0, 2)).toEqual(['1 6 10 | 0 0', '2 3 3 | 0 0']);
    expect(await marks()).toBe('3');
    expect(await trueup.carry()).toEqual({ carried: 3, failed: 0, waiting: 0 });
    expect(await caches(db, economy)).toEqual(await truth(db, economy));
    expect(await marks()).toBe('0');
  });

  test('two, many and COPY: one mark a wallet of a set', async () => {
    await db.run('INSERT INTO app.ledger (wallet_id, amount) VALUES (2, 1), (1, 2)');
    await db.run(
      'INSERT INTO app.ledger (wallet_id, amount) VALUES (2, 1), (1, 2), (1, 5), (3, 4)',
    );
    expect(await marks()).toBe('5');
    const client = await db.connect();
    const lines = Array.from({ length: 300 }, (_, n) => `${String(1 + (n % 6))}\t2\n`);
    await pipeline(
      Readable.from(lines),
      client.query(copyFrom('COPY app.ledger (wallet_id, amount) FROM STDIN')),
    );
    expect(await marks()).toBe('11');
    await trueup.carry();
    expect(await caches(db, economy)).toEqual(await truth(db, economy));
  });

  test('a rollback leaves no mark, a wallet without profile gets none, a missing wallet is refused', async () => {
    const client = await db.connect();
    await client.query('BEGIN');
    await client.query('INSERT INTO app.ledger (wallet_id, amount) VALUES (1, 9)');
    await client.query('ROLLBACK');
    await db.run('UPDATE app.wallet SET profile_id = NULL WHERE id = 2');
    await credit(2, 5);
    await db.run('INSERT INTO app.ledger (wallet_id, amount) VALUES (2, 5), (2, 6), (2, 7)');
    expect(await marks()).toBe('0');
    await expect(credit(77, 1)).rejects.toThrow('there is no wallet 77');
  });

  test('a role that may only insert entries needs nothing else', async () => {
    const { name } = await db.role();
    await db.run(`GRANT USAGE ON SCHEMA app TO ${name}; GRANT INSERT ON app.ledger TO ${name}`);
    const client = await db.connect();
    await client.query(`SET ROLE ${name}`);
    await client.query('INSERT INTO app.ledger (wallet_id, amount) VALUES (1, 9)');
    expect(await marks()).toBe('1');
  });
});

describe('carrying', () => {
  test('several at once carry each mark once, and meet no deadlock', async () => {
    await db.run(
      'INSERT INTO app.ledger (wallet_id, amount) SELECT 1 + n % 6, 1 FROM generate_series(1, 60) n',
    );
    for (let n = 0; n < 240; n += 1) await credit(1 + (n % 6), 1);
    const others = await Promise.all([1, 2, 3].map(() => db.trueup({ config: economy.mapping })));
    const results = await Promise.all([trueup, ...others].map((one) => one.carry()));
    expect(results.reduce((sum, { carried }) => sum + carried, 0)).toBe(246);
    expect(await caches(db, economy)).toEqual(await truth(db, economy));
  });

  test('marks that another carrier has taken are left to it, and hold up nothing', async () => {
    await credit(1, 5);
    const other = await db.connect();
    await other.query('BEGIN');
    await other.query('SELECT 1 FROM trueup.profile_marks FOR UPDATE');
    await credit(2, 6);
    const carried = trueup.carry();
    while ((await caches(db, economy))[1] !== '2 6 6 | 6 6');
    expect((await caches(db, economy))[0]).toBe('1 5 5 | 0 0');
    await other.query('ROLLBACK');
    expect(await carried).toEqual({ carried: 2, failed: 0, waiting: 0 });
  });

  test('an entry that commits while its wallet is carried keeps its own mark', async () => {
    await credit(1, 5);
    const other = await db.connect();
    await other.query('BEGIN; LOCK TABLE app.profile IN EXCLUSIVE MODE');
    const carried = trueup.carry(); // takes the mark, and then waits for the table
    while ((await waiting()) !== '1');
    await credit(1, 6);
    await other.query('ROLLBACK');
    expect(await carried).toEqual({ carried: 1, failed: 0, waiting: 0 });
    expect(await marks()).toBe('1');
    expect((await caches(db, economy))[0]).toBe('1 11 11 | 11 11');
    await trueup.carry();
    expect(await marks()).toBe('0');
    expect(await caches(db, economy)).toEqual(await truth(db, economy));
  });

  test('a profile that cannot hold the balance goes to the healer, and stops no other', async () => {
    await credit(1, 100_000_000);
    await credit(1, 1);
    for (const wallet of [2, 3, 4, 5, 6]) await credit(wallet, wallet);
    expect(await trueup.carry()).toEqual({ carried: 5, failed: 2, waiting: 0 });
    expect(await failures()).toEqual([
      { wallet_id: '1', profile_id: '101', sqlstate: '22003' },
      { wallet_id: '1', profile_id: '101', sqlstate: '22003' },
    ]);
    expect((await caches(db, economy))[1]).toBe('2 2 2 | 2 2');
    expect(await trueup.syncStatus()).toMatchObject({ waitingMarks: 0, waitingFailures: 2 });
    await db.run(
      'ALTER TABLE app.profile ALTER shown TYPE numeric(20,2), ALTER earned TYPE numeric(20,2)',
    );
    expect(await trueup.heal({ everything: true })).toEqual({ healed: 2, failed: 0 });
    expect(await caches(db, economy)).toEqual(await truth(db, economy));
  });

  test('a failure names the transaction of its entry', async () => {
    await credit(1, 100_000_000);
    const writer = await db.value('SELECT writer FROM trueup.profile_marks');
    await trueup.carry();
    expect(await db.value('SELECT writer FROM trueup.sync_failures')).toBe(writer);
  });

  test('a held profile is waited for, and after a while given to the healer', async () => {
    await credit(1, 5);
    await credit(2, 6);
    const other = await db.connect();
    await other.query('BEGIN');
    await other.query('SELECT 1 FROM app.profile WHERE id = 101 FOR UPDATE');
    expect(await trueup.carry()).toMatchObject({ carried: 1, failed: 1 });
    expect(await failures()).toEqual([{ wallet_id: '1', profile_id: '101', sqlstate: '55P03' }]);
    expect(await marks()).toBe('0');
    await other.query('ROLLBACK');
    await trueup.heal({ everything: true });
    expect(await caches(db, economy)).toEqual(await truth(db, economy));
  });

  test('a held wallet keeps no profile waiting', async () => {
    await credit(1, 5);
    const other = await db.connect();
    await other.query('BEGIN');
    await other.query('INSERT INTO app.ledger (wallet_id, amount) VALUES (1, 7)');
    expect(await trueup.carry()).toEqual({ carried: 1, failed: 0, waiting: 0 });
    expect((await caches(db, economy))[0]).toBe('1 5 5 | 5 5');
    await other.query('COMMIT');
    await trueup.carry();
    expect((await caches(db, economy))[0]).toBe('1 12 12 | 12 12');
  });

  test('a missing profile is recorded, a wallet that is gone is let go', async () => {
    await db.run('ALTER TABLE app.wallet DROP CONSTRAINT wallet_profile_id_fkey');
    await db.run('DELETE FROM app.profile WHERE id = 101');
    await credit(1, 5);
    await db.run(
      "INSERT INTO trueup.profile_marks (ledger, wallet_id) VALUES ($1, '77'), ($1, '1')",
      [trueup.mapping.ledger.table.quoted],
    );
    expect(await trueup.carry()).toMatchObject({ carried: 1, failed: 2 });
    expect((await failures()).map(({ sqlstate }) => sqlstate)).toEqual(['TU002', 'TU002']);
    expect(await marks()).toBe('0');
  });

  test('a null wallet cache is looked up in the ledger', async () => {
    await db.run('ALTER TABLE app.wallet ALTER balance DROP NOT NULL');
    const again = await db.trueup({ config: economy.mapping });
    await credit(1, 5);
    await db.run('UPDATE app.wallet SET balance = NULL WHERE id = 1');
    await credit(1, 7);
    await again.carry();
    expect((await caches(db, economy))[0]).toBe('1 12 | 12 12');
  });
});

/** How many sessions of this database wait for a lock. */
function waiting(): Promise<string> {
  return db.value(
    `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
  );
}
