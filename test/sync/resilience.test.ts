import type pg from 'pg';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Trueup } from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import { caches, createEconomy, truth, type Economy } from '../support/economy.js';

/** The wallet guards, the profile serves: what happens when one of them cannot follow. */

const db = await createDatabase('empty');
let economy: Economy;
let trueup: Trueup;
let writer: pg.Client;

beforeEach(async () => {
  await db.run('DROP SCHEMA IF EXISTS app CASCADE');
  economy = await createEconomy(db, 4, { foreignKeys: false });
  trueup = await db.trueup({ config: economy.mapping });
  await trueup.installSync();
  await db.run('TRUNCATE trueup.sync_failures');
  writer = await db.connect();
});

interface Failure {
  readonly wallet_id: string;
  readonly profile_id: string;
  readonly sqlstate: string;
  readonly message: string;
  readonly own: boolean;
}

function failures(): Promise<Failure[]> {
  return db.rows<Failure & Record<string, unknown>>(
    `SELECT f.wallet_id, f.profile_id, f.sqlstate, f.message, f.writer::text::bigint > 0 AS own
       FROM trueup.sync_failures f ORDER BY f.id`,
  );
}

const credit = (wallet: number, amount: number): Promise<unknown> =>
  writer.query('INSERT INTO app.ledger (wallet_id, amount) VALUES ($1, $2)', [wallet, amount]);

const creditMany = (amount: number): Promise<unknown> =>
  writer.query('INSERT INTO app.ledger (wallet_id, amount) SELECT id, $1 FROM app.wallet', [
    amount,
  ]);

describe('the wallet is strict', () => {
  test('an entry for a wallet that does not exist fails, by itself', async () => {
    await expect(credit(99, 5)).rejects.toMatchObject({
      code: 'TU001',
      message: expect.stringContaining('wallet 99') as string,
      hint: expect.any(String) as string,
    });
  });

  test('and in the company of others', async () => {
    await expect(
      writer.query('INSERT INTO app.ledger (wallet_id, amount) VALUES (1, 5), (99, 5), (2, 5)'),
    ).rejects.toMatchObject({ code: 'TU001' });
    expect(await db.value('SELECT count(*) FROM app.ledger')).toBe('0');
    expect((await caches(db, economy))[0]).toBe('1 0 0 | 0 0');
  });

  test('a wallet that cannot hold the balance refuses the entry', async () => {
    await credit(1, 2_000_000_000);
    await expect(credit(1, 2_000_000_000)).rejects.toMatchObject({ code: '22003' });
    expect((await failures()).map(({ sqlstate }) => sqlstate)).toEqual(['22003']); // of the profile
  });

  test('the application keeps its own lock_timeout for the wallet', async () => {
    const other = await db.connect();
    await other.query('BEGIN');
    await other.query('SELECT 1 FROM app.wallet WHERE id = 1 FOR UPDATE');
    await writer.query(`SET lock_timeout = '30ms'`);
    await expect(credit(1, 5)).rejects.toMatchObject({ code: '55P03' });
    await other.query('ROLLBACK');
    expect(await failures()).toEqual([]);
  });
});

describe('the profile is resilient', () => {
  test('an overflow leaves the coin movement standing, and is recorded', async () => {
    await credit(1, 100_000_000);
    expect((await caches(db, economy))[0]).toBe('1 100000000 100000000 | 0 0');
    expect(await failures()).toEqual([
      {
        wallet_id: '1',
        profile_id: '101',
        sqlstate: '22003',
        message: 'numeric field overflow',
        own: true,
      },
    ]);
  });

  test('in a statement for many, only the one at fault does not follow', async () => {
    await db.run('UPDATE app.profile SET shown = 99999999 WHERE id = 102');
    await creditMany(7);
    expect(await caches(db, economy)).toEqual([
      '1 7 7 | 7 7',
      '2 7 7 | 99999999 0',
      '3 7 7 | 7 7',
      '4 7 7 | 7 7',
    ]);
    expect(await failures()).toMatchObject([
      { wallet_id: '2', profile_id: '102', sqlstate: '22003' },
    ]);
  });

  test.each([
    ['one entry', () => credit(2, 7)],
    ['an entry for everybody', () => creditMany(7)],
  ])('a profile that somebody else holds does not hold up %s', async (_, write) => {
    const other = await db.connect();
    await other.query('BEGIN');
    await other.query('UPDATE app.profile SET name = name WHERE id = 102');
    await write();
    await other.query('COMMIT');
    expect((await caches(db, economy))[1]).toBe('2 7 7 | 0 0');
    expect(await failures()).toMatchObject([{ wallet_id: '2', sqlstate: '55P03' }]);
    expect(await trueup.heal()).toEqual({ healed: 1, failed: 0 });
    expect(await caches(db, economy)).toEqual(await truth(db, economy));
  });

  test('the caller’s lock_timeout is his again afterwards, also after a failure', async () => {
    await writer.query('BEGIN');
    await writer.query(`SET LOCAL lock_timeout = '7s'`);
    for (const amount of [5, 100_000_000]) {
      await credit(1, amount);
      const { rows } = await writer.query<{ lock_timeout: string }>('SHOW lock_timeout');
      expect(rows).toEqual([{ lock_timeout: '7s' }]);
    }
    await writer.query('COMMIT');
  });

  test('an application in the opposite order wins: the entry is the one that gives way', async () => {
    const other = await db.connect();
    await other.query('BEGIN');
    await other.query('UPDATE app.profile SET name = name WHERE id = 101');
    const entry = credit(1, 5); // holds the wallet, waits for the profile
    await waitFor(async () => (await waiting()) === '1');
    await other.query('UPDATE app.wallet SET earned = earned WHERE id = 1'); // waits for the wallet
    await entry;
    await other.query('COMMIT');
    expect(await failures()).toMatchObject([{ sqlstate: '55P03' }]);
  });

  test.each([
    ['one entry', () => credit(3, 7)],
    ['an entry for everybody', () => creditMany(7)],
  ])('a profile row that is missing is recorded for %s', async (_, write) => {
    await db.run('DELETE FROM app.profile WHERE id = 103');
    await write();
    expect(await failures()).toMatchObject([
      { wallet_id: '3', profile_id: '103', sqlstate: 'TU002' },
    ]);
    expect(await trueup.heal()).toEqual({ healed: 0, failed: 1 });
  });

  test('a trigger of the application that raises cannot stop the coins', async () => {
    await db.run(`
      CREATE FUNCTION app.angry() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN IF NEW.id = 101 THEN RAISE EXCEPTION 'not today'; END IF; RETURN NEW; END $$;
      CREATE TRIGGER angry BEFORE UPDATE ON app.profile FOR EACH ROW EXECUTE FUNCTION app.angry()`);
    await credit(1, 5);
    await creditMany(5);
    expect(await failures()).toMatchObject([
      { wallet_id: '1', sqlstate: 'P0001', message: 'not today' },
      { wallet_id: '1', sqlstate: 'P0001', message: 'not today' },
    ]);
    expect((await caches(db, economy)).slice(0, 2)).toEqual(['1 10 10 | 0 0', '2 5 5 | 5 5']);
  });

  test('a null profile cache takes over what the wallet says; a null wallet cache stays unknown', async () => {
    await db.run('ALTER TABLE app.profile ALTER shown DROP NOT NULL');
    await db.run('ALTER TABLE app.wallet ALTER balance DROP NOT NULL');
    await (await db.trueup({ config: economy.mapping })).installSync();
    await credit(1, 5);
    await credit(2, 5);
    await db.run('UPDATE app.profile SET shown = NULL WHERE id IN (101, 103)');
    await db.run('UPDATE app.wallet SET balance = NULL WHERE id = 2');
    await credit(1, 3);
    await creditMany(1);
    expect(await caches(db, economy)).toEqual([
      '1 9 9 | 9 9',
      '2 6 | 6 6', // its wallet balance is null
      '3 1 1 | 1 1',
      '4 1 1 | 1 1',
    ]);
  });
});

describe('rights', () => {
  test('a role that may only insert entries needs nothing else', async () => {
    const { name } = await db.role();
    await db.run(`GRANT USAGE ON SCHEMA app TO ${name}; GRANT INSERT ON app.ledger TO ${name}`);
    await writer.query(`SET ROLE ${name}`);
    await credit(1, 5);
    await writer.query('INSERT INTO app.ledger (wallet_id, amount) VALUES (1, 1), (2, 100000000)');
    await writer.query('RESET ROLE');
    expect((await caches(db, economy))[0]).toBe('1 6 6 | 6 6');
    expect(await failures()).toMatchObject([{ wallet_id: '2', sqlstate: '22003' }]);
  });

  test('a search_path with traps in it does not reach the trigger', async () => {
    await writer.query(`
      CREATE SCHEMA trap;
      CREATE FUNCTION trap.plus(integer, integer) RETURNS integer LANGUAGE sql AS 'SELECT 1000000';
      CREATE OPERATOR trap.+ (LEFTARG = integer, RIGHTARG = integer, FUNCTION = trap.plus);
      CREATE FUNCTION trap.now() RETURNS timestamptz LANGUAGE sql AS $$ SELECT 'epoch'::timestamptz $$;
      SET search_path = trap, pg_catalog, app`);
    await credit(1, 5);
    await writer.query('INSERT INTO app.ledger (wallet_id, amount) VALUES (1, 1), (2, 2)');
    expect((await caches(db, economy)).slice(0, 2)).toEqual(['1 6 6 | 6 6', '2 2 2 | 2 2']);
  });
});

async function waitFor(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition()));
}

/** How many sessions of this database wait for a lock. */
function waiting(): Promise<string> {
  return db.value(
    `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
  );
}
