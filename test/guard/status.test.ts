import { beforeEach, describe, expect, test } from 'vitest';
import type { Trueup, TriggerState } from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import { caches, createEconomy, truth, type Economy } from '../support/economy.js';

/** Whether the triggers are there and as they were installed; the append-only ledger; rights. */

const db = await createDatabase('empty');
let economy: Economy;
let trueup: Trueup;

beforeEach(async () => {
  await db.run('DROP SCHEMA IF EXISTS app CASCADE; DROP SCHEMA IF EXISTS trueup CASCADE');
  economy = await createEconomy(db, 3);
  trueup = await db.trueup({ config: economy.mapping });
  await trueup.installSync({ guard: 'keep', protect: true });
});

async function states(): Promise<Record<string, TriggerState>> {
  const { triggers } = await trueup.syncStatus();
  return Object.fromEntries(triggers.map(({ key, state }) => [key, state]));
}

const SOUND = {
  sync: 'installed',
  protection: 'installed',
  protection_all: 'installed',
  'guard wallet': 'installed',
  'guard profile': 'installed',
} as const;

/** The name of the guard's trigger, which the ledger's name makes. */
const guard = (): Promise<string> =>
  db.value(`SELECT DISTINCT tgname::text FROM pg_trigger WHERE tgname LIKE 'zz_trueup_guard_%'`);
const functionOf = (kind: string): Promise<string> =>
  db.value(
    `SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'trueup'::regnamespace AND proname ~ $1`,
    [`^${kind}_[0-9a-f]{8}$`],
  );

type Fault = readonly [
  string,
  () => Promise<string>,
  Partial<Record<keyof typeof SOUND, TriggerState>>,
];

const FAULTS: readonly Fault[] = [
  [
    'the guard is dropped from the profile',
    async () => `DROP TRIGGER ${await guard()} ON app.profile`,
    { 'guard profile': 'missing' },
  ],
  [
    'the guard of the wallet is disabled',
    async () => `ALTER TABLE app.wallet DISABLE TRIGGER ${await guard()}`,
    { 'guard wallet': 'disabled' },
  ],
  [
    'the guard fires in replica sessions only',
    async () => `ALTER TABLE app.wallet ENABLE REPLICA TRIGGER ${await guard()}`,
    { 'guard wallet': 'disabled' },
  ],
  [
    'every trigger of the ledger is disabled',
    () => Promise.resolve('ALTER TABLE app.ledger DISABLE TRIGGER USER'),
    { sync: 'disabled', protection: 'disabled', protection_all: 'disabled' },
  ],
  [
    'append-only no longer holds in replica sessions',
    () => Promise.resolve('ALTER TABLE app.ledger ENABLE TRIGGER trueup_append_only'),
    { protection: 'changed' },
  ],
  [
    'the guard has another condition',
    async () =>
      `CREATE OR REPLACE TRIGGER ${await guard()} BEFORE UPDATE ON app.wallet FOR EACH ROW
         WHEN (pg_trigger_depth() < 1 AND OLD.id > 1000) EXECUTE FUNCTION ${await functionOf('guard_wallet')}`,
    { 'guard wallet': 'changed' },
  ],
  [
    'the guard calls the function of another trigger',
    async () =>
      `CREATE OR REPLACE TRIGGER ${await guard()} BEFORE UPDATE ON app.wallet FOR EACH ROW
         EXECUTE FUNCTION ${await functionOf('protect')}`,
    { 'guard wallet': 'changed' },
  ],
  [
    'a function has another body',
    async () =>
      `CREATE OR REPLACE FUNCTION ${await functionOf('guard_profile')} RETURNS trigger LANGUAGE plpgsql
         SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS 'BEGIN RETURN NEW; END'`,
    { 'guard profile': 'changed' },
  ],
  [
    'a function finds names where its caller likes',
    async () => `ALTER FUNCTION ${await functionOf('sync')} RESET search_path`,
    { sync: 'changed' },
  ],
  [
    'a function has the rights of its caller',
    async () => `ALTER FUNCTION ${await functionOf('guard_wallet')} SECURITY INVOKER`,
    { 'guard wallet': 'changed' },
  ],
];

describe('status', () => {
  test('sound', async () => {
    expect(await states()).toEqual(SOUND);
    expect(await trueup.syncStatus()).toMatchObject({
      guard: 'keep',
      protected: true,
      remedy: 'trueup sync install --guard keep --protect',
    });
  });

  test.each(FAULTS)('%s', async (_, fault, found) => {
    await db.run(await fault());
    expect(await states()).toEqual({ ...SOUND, ...found });
    await trueup.installSync({ guard: 'keep', protect: true });
    expect(await states()).toEqual(SOUND);
  });

  test('a mapping with other caches asks for another guard', async () => {
    const wallet = { ...economy.mapping.wallet, lifetimeEarnings: undefined };
    const other = await db.trueup({ config: { ...economy.mapping, wallet } });
    const { triggers } = await other.syncStatus();
    expect(triggers).toMatchObject([
      { key: 'sync', state: 'changed' },
      { key: 'protection', state: 'installed' },
      { key: 'protection_all', state: 'installed' },
      { key: 'guard wallet', state: 'changed' },
      { key: 'guard profile', state: 'installed' },
    ]);
  });

  test('where nothing was ever installed', async () => {
    await trueup.removeSync();
    await db.run('DELETE FROM trueup.sync_installations');
    expect(await trueup.syncStatus()).toMatchObject({
      state: 'missing',
      guard: 'off',
      protected: false,
      triggers: [{ key: 'sync', state: 'missing' }],
      remedy: 'trueup sync install',
    });
  });
});

describe('an append-only ledger', () => {
  beforeEach(() => db.run(`INSERT INTO app.ledger (wallet_id, amount, key) VALUES (1, 5, 'k')`));

  test.each([
    ['UPDATE', 'UPDATE app.ledger SET amount = 6'],
    [
      'UPDATE',
      `INSERT INTO app.ledger (wallet_id, amount, key) VALUES (1, 5, 'k') ON CONFLICT (key) DO UPDATE SET amount = 9`,
    ],
    [
      'UPDATE',
      `MERGE INTO app.ledger l USING (VALUES (1)) AS v (id) ON l.wallet_id = v.id WHEN MATCHED THEN UPDATE SET amount = 9`,
    ],
    ['DELETE', 'DELETE FROM app.ledger'],
    ['TRUNCATE', 'TRUNCATE app.ledger'],
    ['DELETE', 'SET session_replication_role = replica; DELETE FROM app.ledger; '],
  ])('refuses %s: %s', async (operation, text) => {
    const app = await db.connect();
    await expect(app.query(text)).rejects.toMatchObject({
      code: 'TU003',
      message: `${operation} of app.ledger is refused: the ledger is append-only`,
    });
    expect(await db.value('SELECT count(*) FROM app.ledger')).toBe('1');
  });

  test('minds no statement that meets no row', async () => {
    await db.run('DELETE FROM app.ledger WHERE id < 0');
    await db.run(
      `INSERT INTO app.ledger (wallet_id, amount, key) VALUES (1, 5, 'l') ON CONFLICT (key) DO UPDATE SET amount = 9`,
    );
    expect(await caches(db, economy)).toEqual(await truth(db, economy));
  });

  test('is not in the way of reconcile, and ends with the removal', async () => {
    await trueup.reconcile({ all: true });
    await trueup.removeSync();
    await db.run('TRUNCATE app.ledger');
  });

  test('also by way of its partitions', async () => {
    await trueup.removeSync(); // Two ledgers cannot decide the same caches.
    await db.run(`
      CREATE TABLE app.parts (id bigint GENERATED ALWAYS AS IDENTITY, wallet_id bigint, amount bigint, day date NOT NULL) PARTITION BY RANGE (day);
      CREATE TABLE app.part_1 PARTITION OF app.parts FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')`);
    const parts = await db.trueup({
      config: {
        ledger: { table: 'app.parts', id: 'id', wallet: 'wallet_id', amount: 'amount' },
        wallet: economy.mapping.wallet,
        profile: { ...economy.mapping.profile, table: 'app.profile', id: 'id' },
      },
    });
    await trueup.removeSync();
    await parts.installSync({ protect: true });
    await db.run(
      `CREATE TABLE app.part_2 PARTITION OF app.parts FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')`,
    );
    await db.run(
      `INSERT INTO app.parts (wallet_id, amount, day) VALUES (1, 5, '2025-02-02'), (1, 6, '2026-02-02')`,
    );
    await parts.installSync({ protect: true });
    for (const table of ['app.parts', 'app.part_1', 'app.part_2']) {
      await expect(db.run(`TRUNCATE ${table}`)).rejects.toMatchObject({ code: 'TU003' });
      await expect(db.run(`DELETE FROM ${table}`)).rejects.toMatchObject({ code: 'TU003' });
    }
    const sound = (): Promise<boolean> =>
      parts
        .syncStatus()
        .then(({ triggers }) => triggers.every(({ state }) => state === 'installed'));
    expect(await sound()).toBe(true);
    await db.run('ALTER TABLE app.part_1 DISABLE TRIGGER trueup_append_only');
    expect(await sound()).toBe(false);
    await parts.removeSync();
    await db.run('DELETE FROM app.parts');
  });
});

describe('rights', () => {
  test('an application without any right on Trueup’s schema is guarded all the same', async () => {
    const role = await db.role();
    await db.run(
      `GRANT USAGE ON SCHEMA app TO ${role.name}; GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA app TO ${role.name}`,
    );
    const app = await db.connect({ connectionString: role.url });
    await app.query('INSERT INTO app.ledger (wallet_id, amount) VALUES (1, 5)');
    await app.query('UPDATE app.wallet SET balance = 9 WHERE id = 1');
    expect(await caches(db, economy)).toEqual(await truth(db, economy));
    expect(await db.rows('SELECT role, old_value, new_value FROM trueup.cache_writes')).toEqual([
      { role: role.name, old_value: '5', new_value: '9' },
    ]);
    await expect(app.query('SELECT * FROM trueup.cache_writes')).rejects.toMatchObject({
      code: '42501',
    });
    expect(
      await db.rows(
        `SELECT proname FROM pg_proc WHERE pronamespace = 'trueup'::regnamespace AND has_function_privilege('public', oid, 'EXECUTE')`,
      ),
    ).toEqual([]);
  });

  test('status needs SELECT only', async () => {
    const role = await db.role();
    await db.run(`GRANT USAGE ON SCHEMA app, trueup TO ${role.name};
      GRANT SELECT ON ALL TABLES IN SCHEMA app TO ${role.name}; GRANT SELECT ON ALL TABLES IN SCHEMA trueup TO ${role.name}`);
    const reader = await db.trueup({
      config: economy.mapping,
      databaseUrl: role.url,
      readOnly: true,
    });
    expect(await reader.syncStatus()).toEqual(await trueup.syncStatus());
    await expect(reader.installSync()).rejects.toMatchObject({ code: 'read_only' });
  });

  test('a search_path with an operator of its own does not get into the trigger', async () => {
    await db.run(`
      CREATE SCHEMA evil;
      CREATE FUNCTION evil.never(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT true';
      CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.never);
      ALTER DATABASE ${db.name} SET search_path = evil, pg_catalog, public`);
    const fresh = await db.trueup({ config: economy.mapping });
    await fresh.installSync();
    const app = await db.connect();
    await app.query(`SET trueup.writer = 'somebody'`); // Of nothing, nothing is equal by any operator.
    await app.query('UPDATE app.wallet SET balance = 9 WHERE id = 1');
    expect(await db.value('SELECT balance::text FROM app.wallet WHERE id = 1')).toBe('0');
    await db.run(`ALTER DATABASE ${db.name} RESET search_path; DROP SCHEMA evil CASCADE`);
  });
});
