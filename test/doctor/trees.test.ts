import { describe, expect, test } from 'vitest';
import { writeConfig } from '../cli/fixture.js';
import { createDatabase } from '../support/database.js';
import { caches, createEconomy, findings, truth, type Economy } from '../support/economy.js';
import { makeFolder } from '../support/folder.js';
import { complaints, expectMended, linesOf, type Patient } from './support.js';

/** Partitions, and tables that inherit: triggers of the whole are not on all of them. */

const db = await createDatabase('empty');
const folder = makeFolder('trees');
let economy: Economy;
let patient: Patient;

async function adopt(): Promise<void> {
  await db.run('DROP SCHEMA IF EXISTS trueup CASCADE; DROP SCHEMA IF EXISTS app CASCADE');
  economy = await createEconomy(db, 3);
  const configFile = writeConfig(folder, 'trueup.config.json', economy.mapping);
  patient = { db, config: economy.mapping, configFile };
}

const insert = (table: string, wallet: number, amount: number): Promise<void> =>
  db.run(`INSERT INTO ${table} (wallet_id, amount) VALUES ($1, $2)`, [wallet, amount]);

describe('partitions', () => {
  async function partitionLedger(): Promise<void> {
    await adopt();
    await db.run(`
      DROP TABLE app.ledger;
      CREATE SEQUENCE app.ids;
      CREATE TABLE app.ledger (id bigint DEFAULT nextval('app.ids'), wallet_id bigint NOT NULL, amount integer,
        reason text, key text, created_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (id, wallet_id))
        PARTITION BY RANGE (wallet_id);
      CREATE TABLE app.low PARTITION OF app.ledger FOR VALUES FROM (0) TO (2);
      CREATE TABLE app.high PARTITION OF app.ledger FOR VALUES FROM (2) TO (9) PARTITION BY LIST (wallet_id);
      CREATE TABLE app."High ""3""" PARTITION OF app.high FOR VALUES IN (3);
      CREATE TABLE app.rest PARTITION OF app.high DEFAULT`);
  }

  test('a partition that came after the triggers passes them: told, found, mended, and removable', async () => {
    await partitionLedger();
    const trueup = await db.trueup({ config: economy.mapping });
    await db.run('ALTER TABLE app.ledger DETACH PARTITION app.low');
    await trueup.installSync({ guard: 'record' });
    expect(await linesOf(patient, 'partition')).toMatchObject([{ level: 'ok' }]);
    await db.run('ALTER TABLE app.ledger ATTACH PARTITION app.low FOR VALUES FROM (0) TO (2)');
    await insert('app.ledger', 1, 5);
    await insert('app.low', 1, 7);
    expect(await findings(trueup)).toMatchObject([
      { walletId: '1', part: 'wallet', field: 'balance', cached: '5', expected: '12' },
      { field: 'lifetimeEarnings' },
      { part: 'profile' },
      { part: 'profile' },
    ]);
    expect(await linesOf(patient, 'partition')).toMatchObject([
      {
        what: 'rows written to app.low directly pass trueup_sync of "app"."ledger"',
        remedy: 'trueup sync install --guard record',
      },
    ]);
    expect(await linesOf(patient, 'trigger_present')).toMatchObject([{ level: 'ok' }]);
    await expectMended(patient, 'partition', 'error', 'rows written to app.low directly');
    await expectMended(patient, 'ledger_index', 'warning', 'wallet_id');
    await trueup.reconcile({ all: true });
    await insert('app.low', 1, 1);
    await insert('app.high', 3, 2);
    await insert('app."High ""3"""', 3, 3);
    await insert('app.ledger', 3, 4);
    await insert('app.rest', 2, 6);
    expect(await caches(db, economy)).toEqual(['1 13 13 | 13 13', '2 6 6 | 6 6', '3 9 9 | 9 9']);
    expect(await caches(db, economy)).toEqual(await truth(db, economy));
    await trueup.removeSync();
    expect(await db.value(`SELECT count(*) FROM pg_trigger WHERE tgname = 'trueup_sync'`)).toBe(
      '0',
    );
  });

  test('a partition that went away is told for as long as its trigger counts', async () => {
    await partitionLedger();
    await (await db.trueup({ config: economy.mapping })).installSync({ protect: true });
    await db.run('ALTER TABLE app.ledger DETACH PARTITION app.low');
    const what = 'trigger trueup_sync counts the rows of app.low, which is no part of the ledger';
    await expectMended(patient, 'partition', 'error', what);
    await insert('app.low', 1, 5);
    expect((await caches(db, economy))[0]).toBe('1 0 0 | 0 0');
  });

  test('the trigger of a partition is looked at as that of the whole is', async () => {
    await partitionLedger();
    await (await db.trueup({ config: economy.mapping })).installSync();
    await db.run(`ALTER TABLE app.low DISABLE TRIGGER trueup_sync`);
    await expectMended(patient, 'trigger_enabled', 'error', 'trueup_sync of app.low is disabled');
  });

  test('a foreign table is told, and in nobody’s way', async () => {
    await partitionLedger();
    await db.run(`
      CREATE EXTENSION IF NOT EXISTS file_fdw; CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
      CREATE FOREIGN TABLE app.old (id bigint NOT NULL, wallet_id bigint NOT NULL, amount integer, reason text,
        key text, created_at timestamptz NOT NULL) SERVER files OPTIONS (program 'true');
      CREATE TABLE app.plain (LIKE app.old) PARTITION BY RANGE (wallet_id);
      ALTER TABLE app.plain ATTACH PARTITION app.old FOR VALUES FROM (9) TO (99)`);
    const config = {
      ...economy.mapping,
      ledger: { ...economy.mapping.ledger, table: 'app.plain' },
    };
    const trueup = await db.trueup({ config });
    await trueup.installSync({ protect: true });
    expect(await linesOf({ db, config }, 'partition')).toMatchObject([
      { level: 'info', what: expect.stringContaining('app.old is a foreign table') as string },
    ]);
    await trueup.removeSync();
  });

  test('a ledger that is a partition itself is passed by what comes through its parent', async () => {
    await partitionLedger();
    const config = { ...economy.mapping, ledger: { ...economy.mapping.ledger, table: 'app.low' } };
    await (await db.trueup({ config })).installSync();
    expect(await linesOf({ db, config }, 'partition')).toMatchObject([
      {
        level: 'error',
        what: 'rows that come through app.ledger pass trueup_sync of "app"."low"',
        remedy: 'name app.ledger as ledger.table in the mapping, then: trueup sync install',
      },
    ]);
  });
});

describe('tables that inherit', () => {
  test('row triggers are not on them: told, mended, and removable', async () => {
    await adopt();
    const trueup = await db.trueup({ config: economy.mapping });
    await trueup.installSync({ guard: 'refuse', protect: true });
    await db.run(`CREATE TABLE app.more (id bigint DEFAULT 1000000) INHERITS (app.ledger);
                  CREATE TABLE app.others () INHERITS (app.wallet);
                  INSERT INTO app.more (wallet_id, amount) VALUES (1, 7);
                  INSERT INTO app.others (id, balance, earned) VALUES (9, 0, 0)`);
    await trueup.reconcile({ all: true });
    const changes = [
      ['UPDATE app.wallet SET balance = 5 WHERE id = 9', 'TU007'],
      ['UPDATE app.ledger SET amount = 8 WHERE amount = 7', 'TU003'],
      ['DELETE FROM app.more', 'TU003'],
      ['SET LOCAL session_replication_role = replica; TRUNCATE app.more', 'TU003'],
    ] as const;
    const client = await db.connect();
    for (const [change] of changes) await client.query(`BEGIN; ${change}; ROLLBACK`);
    const found = await linesOf(patient, 'partition');
    expect(new Set(found.map(({ what }) => what.split(' ')[3]))).toEqual(
      new Set(['app.more', 'app.others']),
    );
    await expectMended(patient, 'partition', 'error', 'rows written to app.others directly');
    for (const [change, code] of changes) {
      await expect(client.query(`BEGIN; ${change}`), change).rejects.toMatchObject({ code });
      await client.query('ROLLBACK');
    }
    await client.query('INSERT INTO app.more (id, wallet_id, amount) VALUES (2000000, 1, 3)');
    expect((await caches(db, economy))[0]).toBe('1 10 10 | 10 10');
    expect(await complaints(patient)).toEqual([]);
    await trueup.removeSync();
    expect(
      await db.rows(
        `SELECT tgname FROM pg_trigger WHERE tgname ~ 'trueup' AND tgrelid IN ('app.more'::regclass, 'app.others'::regclass)`,
      ),
    ).toEqual([]);
  });
});
