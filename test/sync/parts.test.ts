import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { from as copyFrom } from 'pg-copy-streams';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Mapping, Trueup } from '../../src/index.js';
import { runTrueup } from '../support/cli.js';
import { createDatabase } from '../support/database.js';
import { caches, createEconomy, truth, type Economy } from '../support/economy.js';
import { makeFolder } from '../support/folder.js';

/** The triggers on partitions and on tables that inherit: each entry counts once, wherever it is written. */

const db = await createDatabase('empty');
const cwd = makeFolder('parts');
let economy: Economy;
let trueup: Trueup;

beforeEach(async () => {
  await db.run('DROP SCHEMA IF EXISTS trueup CASCADE; DROP SCHEMA IF EXISTS app CASCADE');
  economy = await createEconomy(db, 3, { foreignKeys: false });
  writeFileSync(join(cwd, 'trueup.config.json'), JSON.stringify(economy.mapping));
});

/** Two levels of partitions; the columns of one lie in another order. */
async function partitionLedger(): Promise<void> {
  await db.run(`
    DROP TABLE app.ledger;
    CREATE SEQUENCE app.ids;
    CREATE TABLE app.ledger (id bigint DEFAULT nextval('app.ids'), wallet_id bigint NOT NULL, amount integer,
      reason text, key text, created_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (id, wallet_id))
      PARTITION BY RANGE (wallet_id);
    CREATE TABLE app.low PARTITION OF app.ledger FOR VALUES FROM (0) TO (2);
    CREATE TABLE app.high PARTITION OF app.ledger FOR VALUES FROM (2) TO (9) PARTITION BY LIST (wallet_id);
    CREATE TABLE app."High ""3""" (key text, amount integer, reason text, created_at timestamptz NOT NULL DEFAULT now(),
      wallet_id bigint NOT NULL, id bigint NOT NULL DEFAULT nextval('app.ids'));
    ALTER TABLE app.high ATTACH PARTITION app."High ""3""" FOR VALUES IN (3)`);
  trueup = await db.trueup({ config: economy.mapping });
}

const PARTS = ['app.low', 'app.high', 'app."High ""3"""'] as const;

async function insert(table: string, ...rows: readonly (readonly [number, number])[]) {
  const values = rows.map(([wallet, amount]) => `(${String(wallet)}, ${String(amount)})`);
  await db.run(`INSERT INTO ${table} (wallet_id, amount) VALUES ${values.join(', ')}`);
}

async function copy(table: string, ...rows: readonly (readonly [number, number])[]) {
  const client = await db.connect();
  await pipeline(
    Readable.from(rows.map((row) => `${row.join('\t')}\n`)),
    client.query(copyFrom(`COPY ${table} (wallet_id, amount) FROM STDIN`)),
  );
}

async function expectInSync(): Promise<void> {
  expect(await caches(db, economy)).toEqual(await truth(db, economy));
}

/** The tables that have a trigger of this name. */
const tablesWith = async (trigger: string): Promise<string[]> =>
  (
    await db.rows<{ name: string }>(
      `SELECT tgrelid::regclass::text AS name FROM pg_trigger JOIN pg_class c ON c.oid = tgrelid
        WHERE tgname LIKE $1 AND c.relnamespace = 'app'::regnamespace ORDER BY 1`,
      [trigger],
    )
  ).map(({ name }) => name);

const unsound = async (): Promise<string[]> =>
  (await trueup.syncStatus()).triggers
    .filter(({ state }) => state !== 'installed')
    .map(({ key, state }) => `${key}: ${state}`);

describe('partitions', () => {
  beforeEach(partitionLedger);

  test('each entry counts once: through the whole, straight to a part, by INSERT and by COPY', async () => {
    await trueup.installSync();
    expect(await tablesWith('trueup_sync')).toEqual([
      'app."High ""3"""',
      'app.high',
      'app.ledger',
      'app.low',
    ]);
    await insert('app.ledger', [1, 5]);
    await insert('app.ledger', [1, 1], [3, 2]);
    await insert('app.ledger', [1, 10], [1, 20], [3, 30], [1, -2]);
    await copy('app.ledger', [1, 100], [3, 100], [3, 1]);
    await insert('app.low', [1, 7]);
    await insert('app.low', [1, 7], [1, 8], [1, 9]);
    await copy('app.low', [1, 4], [1, 4]);
    await insert('app.high', [3, 3]);
    await copy('app.high', [3, 3]);
    await insert(PARTS[2], [3, 11], [3, 12], [3, 13]);
    await copy(PARTS[2], [3, 50]);
    expect(await caches(db, economy)).toEqual([
      '1 173 175 | 173 175',
      '2 0 0 | 0 0',
      '3 225 225 | 225 225',
    ]);
    await expectInSync();
    expect(await unsound()).toEqual([]);
  });

  test('installing again keeps them, also with other options', async () => {
    await trueup.installSync();
    await trueup.installSync({ guard: 'off', protect: true });
    for (const table of ['app.ledger', ...PARTS]) {
      await expect(db.run(`TRUNCATE ${table}`), table).rejects.toMatchObject({ code: 'TU003' });
    }
    await insert('app.low', [1, 7]);
    await expectInSync();
    await trueup.installSync({ guard: 'off' });
    await db.run('TRUNCATE app.high');
    expect(await tablesWith('trueup_append_only%')).toEqual([]);
    expect(await tablesWith('trueup_sync')).toHaveLength(4);
  });

  test('a partition that came later is told by status, and followed after the next installation', async () => {
    await trueup.installSync({ protect: true });
    await db.run('CREATE TABLE app.rest PARTITION OF app.high DEFAULT');
    expect(await unsound()).toEqual([
      'sync on app.rest: missing',
      'protection_all on app.rest: missing',
    ]);
    const cli = await runTrueup(['sync', 'status'], { databaseUrl: db.url, cwd });
    expect(cli.status).toBe(2);
    expect(cli.stdout).toContain('\n  on 3 partitions or tables that inherit: installed\n');
    expect(cli.stdout).toContain(
      '\n  trueup_sync on app.rest: not installed: trueup sync install --guard keep --protect\n',
    );
    await trueup.installSync({ protect: true });
    expect(await unsound()).toEqual([]);
    await insert('app.rest', [2, 6]);
    await expectInSync();
    await db.run('ALTER TABLE app.rest DISABLE TRIGGER trueup_sync');
    expect(await unsound()).toEqual(['sync on app.rest: disabled']);
    await trueup.installSync({ protect: true });
    expect(await unsound()).toEqual([]);
  });

  test('a partition that went away has no trigger after the next installation', async () => {
    await trueup.installSync();
    await db.run('ALTER TABLE app.ledger DETACH PARTITION app.low');
    expect(await tablesWith('trueup_sync')).toContain('app.low');
    await trueup.installSync();
    expect(await tablesWith('trueup_sync')).not.toContain('app.low');
  });

  test('the plan has them, does the same, and so does that of the removal', async () => {
    const plan = await trueup.planSync({ protect: true });
    for (const table of PARTS) {
      expect(plan).toContain(`CREATE OR REPLACE TRIGGER "trueup_sync" AFTER INSERT ON ${table}\n`);
      expect(plan).toContain(`BEFORE TRUNCATE ON ${table} FOR EACH STATEMENT`);
    }
    await db.run(plan);
    expect(await unsound()).toEqual([]);
    await insert('app.low', [1, 7]);
    await expectInSync();
    await db.run(await trueup.planSync('remove'));
    expect(await tablesWith('%trueup%')).toEqual([]);
  });

  test('a ledger that was renamed takes the triggers of its parts over', async () => {
    await trueup.installSync();
    await db.run('ALTER TABLE app.ledger RENAME TO entries');
    const config: Mapping = {
      ...economy.mapping,
      ledger: { ...economy.mapping.ledger, table: 'app.entries' },
    };
    trueup = await db.trueup({ config });
    await trueup.installSync();
    expect(await unsound()).toEqual([]);
    economy = { ...economy, ledger: 'app.entries' };
    await insert('app.low', [1, 7]);
    await insert('app.entries', [3, 7]);
    await expectInSync();
    await trueup.removeSync();
    expect(await tablesWith('trueup_sync')).toEqual([]);
  });

  test('a part with a sync of its own is not taken over, nor the other way round', async () => {
    await db.run(
      'CREATE TABLE app.purse AS SELECT id, balance FROM app.wallet; ALTER TABLE app.purse ADD PRIMARY KEY (id)',
    );
    const config: Mapping = {
      ledger: { ...economy.mapping.ledger, table: 'app.low' },
      wallet: { table: 'app.purse', id: 'id', balance: 'balance' },
    };
    const part = await db.trueup({ config });
    await part.installSync();
    await expect(trueup.installSync()).rejects.toMatchObject({
      code: 'mapping_mismatch',
      message: expect.stringContaining('app.low is a part of "app"."ledger"') as string,
    });
    await part.removeSync();
    await trueup.installSync();
    const same = await db.trueup({ config: { ...economy.mapping, ledger: config.ledger } });
    await expect(same.installSync()).rejects.toMatchObject({ code: 'mapping_mismatch' });
    await expectInSync();
  });
});

describe('tables that inherit', () => {
  test('an entry in one counts once; it is guarded and append-only as the others are', async () => {
    await db.run(`CREATE TABLE app.more (id bigint DEFAULT 1000000) INHERITS (app.ledger);
                  CREATE TABLE app.others () INHERITS (app.wallet);
                  INSERT INTO app.others (id, balance, earned) VALUES (9, 0, 0)`);
    trueup = await db.trueup({ config: economy.mapping });
    await trueup.installSync({ guard: 'refuse', protect: true });
    await insert('app.more', [1, 7]);
    await copy('app.more', [1, 1]);
    await insert('app.ledger', [1, 3]);
    expect((await caches(db, economy))[0]).toBe('1 11 11 | 11 11');
    const client = await db.connect();
    for (const [change, code] of [
      ['UPDATE app.wallet SET balance = 5 WHERE id = 9', 'TU007'],
      ['UPDATE app.ledger SET amount = 8 WHERE amount = 7', 'TU003'],
      ['DELETE FROM app.more', 'TU003'],
      ['TRUNCATE app.more', 'TU003'],
    ] as const) {
      await expect(client.query(change), change).rejects.toMatchObject({ code });
    }
    await trueup.removeSync();
    expect(await tablesWith('%trueup%')).toEqual([]);
  });
});

test('wallets and profiles in partitions are guarded, once for each write', async () => {
  await db.run(`
    DROP TABLE app.wallet, app.profile;
    CREATE TABLE app.profile (id bigint PRIMARY KEY, user_id bigint, shown integer, earned integer, touched timestamptz) PARTITION BY RANGE (id);
    CREATE TABLE app.profile_a PARTITION OF app.profile FOR VALUES FROM (0) TO (999);
    CREATE TABLE app.wallet (id bigint PRIMARY KEY, profile_id bigint, balance integer, earned integer, touched timestamptz) PARTITION BY RANGE (id);
    CREATE TABLE app.wallet_a PARTITION OF app.wallet FOR VALUES FROM (0) TO (999);
    INSERT INTO app.profile VALUES (101, 1, 0, 0); INSERT INTO app.wallet VALUES (1, 101, 0, 0)`);
  trueup = await db.trueup({ config: economy.mapping });
  await trueup.installSync();
  await insert('app.ledger', [1, 5]);
  const application = await db.connect();
  await application.query(
    'UPDATE app.wallet_a SET balance = 99; UPDATE app.profile_a SET shown = 99',
  );
  await expectInSync();
  expect(await db.value('SELECT count(*) FROM trueup.cache_writes')).toBe('2');
  expect(await unsound()).toEqual([]);
});
