import pg from 'pg';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import type { Trueup } from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import { caches, createEconomy, truth, type Economy } from '../support/economy.js';

/** Installing is declarative, planned, recorded; and a removal leaves nothing behind. */

const db = await createDatabase('empty');
let economy: Economy;
let trueup: Trueup;

beforeEach(async () => {
  await db.run('DROP SCHEMA IF EXISTS app CASCADE; DROP SCHEMA IF EXISTS trueup CASCADE');
  economy = await createEconomy(db, 3, { schema: 'app' });
  trueup = await db.trueup({ config: economy.mapping });
});

/** Whatever could be a trace on the tables of the application, and in the schema of functions. */
function traces(): Promise<Record<string, string>[]> {
  return db.rows(`
    SELECT 'trigger' AS kind, tgname::text AS name FROM pg_trigger WHERE NOT tgisinternal AND tgrelid IN (
      SELECT oid FROM pg_class WHERE relnamespace = 'app'::regnamespace)
    UNION ALL SELECT 'function', proname FROM pg_proc WHERE pronamespace = 'trueup'::regnamespace
    UNION ALL SELECT 'column', attrelid::regclass || '.' || attname FROM pg_attribute WHERE attrelid IN (
      SELECT oid FROM pg_class WHERE relnamespace = 'app'::regnamespace)
    UNION ALL SELECT 'comment', description FROM pg_description WHERE objoid >= 16384 AND classoid <> 'pg_proc'::regclass
    UNION ALL SELECT 'right', relname || coalesce(relacl::text, '') FROM pg_class WHERE relnamespace = 'app'::regnamespace
    ORDER BY 1, 2`);
}

interface Gap {
  readonly what: string;
  readonly open: boolean;
  readonly seen: boolean;
}

function gaps(): Promise<Gap[]> {
  return db.rows<Gap & Record<string, unknown>>(
    `SELECT what, ended_at IS NULL AS open, last_seen_at IS NOT NULL AS seen FROM trueup.sync_gaps ORDER BY id`,
  );
}

const asked = (): Promise<Record<string, unknown>[]> =>
  db.rows(
    'SELECT guard, protected, removed_at IS NOT NULL AS removed FROM trueup.sync_installations',
  );

describe('options', () => {
  test('what is not asked for is not there afterwards', async () => {
    expect(await trueup.installSync({ guard: 'record', protect: true })).toEqual({
      now: { guard: 'record', protect: true, deferred: false },
      before: null,
    });
    expect(await asked()).toEqual([{ guard: 'record', protected: true, removed: false }]);
    expect(await trueup.installSync()).toEqual({
      now: { guard: 'keep', protect: false, deferred: false },
      before: { guard: 'record', protect: true, deferred: false },
    });
    expect(await asked()).toEqual([{ guard: 'keep', protected: false, removed: false }]);
    await db.run('INSERT INTO app.ledger (wallet_id, amount) VALUES (1, 5)');
    await db.run('DELETE FROM app.ledger');
    await trueup.installSync({ guard: 'off' });
    expect((await traces()).filter(({ kind }) => kind === 'trigger')).toEqual([
      { kind: 'trigger', name: 'trueup_sync' },
    ]);
    expect(await trueup.syncStatus()).toMatchObject({ guard: 'off', protected: false });
  });

  test('a guard of another kind is refused', async () => {
    await expect(trueup.installSync({ guard: 'watch' as 'keep' })).rejects.toMatchObject({
      code: 'invalid_argument',
      message: expect.stringContaining('"watch"') as string,
    });
    await expect(trueup.planSync({ guard: 'watch' as 'keep' })).rejects.toMatchObject({
      code: 'invalid_argument',
    });
  });

  test('a mapping that lost its profile leaves no guard on it', async () => {
    await trueup.installSync();
    const { ledger, wallet } = economy.mapping;
    const smaller = await db.trueup({
      config: { ledger, wallet: { ...wallet, profile: undefined } },
    });
    await smaller.installSync();
    expect(
      await db.value(
        `SELECT count(*) FROM pg_trigger WHERE tgrelid = 'app.profile'::regclass AND NOT tgisinternal`,
      ),
    ).toBe('0');
    await smaller.removeSync();
    expect((await traces()).filter(({ kind }) => kind === 'trigger')).toEqual([]);
  });

  test('two economies may show in one profile table', async () => {
    await db.run(`
      ALTER TABLE app.profile ADD gems bigint NOT NULL DEFAULT 0;
      CREATE TABLE app.gem_wallet (id bigint PRIMARY KEY, profile_id bigint UNIQUE, balance bigint NOT NULL);
      CREATE TABLE app.gem_ledger (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, wallet_id bigint, amount bigint);
      INSERT INTO app.gem_wallet VALUES (1, 101, 0)`);
    const gems = await db.trueup({
      config: {
        ledger: { table: 'app.gem_ledger', id: 'id', wallet: 'wallet_id', amount: 'amount' },
        wallet: { table: 'app.gem_wallet', id: 'id', profile: 'profile_id', balance: 'balance' },
        profile: { table: 'app.profile', id: 'id', user: 'user_id', balance: 'gems' },
      },
    });
    await trueup.installSync();
    await gems.installSync();
    const app = await db.connect();
    await app.query('INSERT INTO app.ledger (wallet_id, amount) VALUES (1, 5)');
    await app.query('INSERT INTO app.gem_ledger (wallet_id, amount) VALUES (1, 3)');
    await app.query('UPDATE app.profile SET shown = 77, gems = 88 WHERE id = 101');
    expect(await db.rows('SELECT shown::text, gems FROM app.profile WHERE id = 101')).toEqual([
      { shown: '5.00', gems: '3' },
    ]);
    await trueup.removeSync();
    await app.query('UPDATE app.profile SET shown = 77, gems = 88 WHERE id = 101');
    expect(await db.rows('SELECT shown::text, gems FROM app.profile WHERE id = 101')).toEqual([
      { shown: '77.00', gems: '3' },
    ]);
    expect(await gems.syncStatus()).toMatchObject({ state: 'installed', guard: 'keep' });
  });
});

describe('plan', () => {
  test('needs SELECT only, changes nothing, and holds all that is missing', async () => {
    await trueup.close();
    await db.run('DROP SCHEMA trueup CASCADE');
    const role = await db.role();
    await db.run(
      `GRANT USAGE ON SCHEMA app TO ${role.name}; GRANT SELECT ON ALL TABLES IN SCHEMA app TO ${role.name}`,
    );
    const reader = await db.trueup({
      config: economy.mapping,
      databaseUrl: role.url,
      readOnly: true,
    });
    const script = await reader.planSync({ protect: true });
    expect(await db.value(`SELECT to_regnamespace('trueup')::text`)).toBeNull();
    expect(await db.value(`SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal`)).toBe('0');
    for (const part of [
      'CREATE SCHEMA IF NOT EXISTS trueup;',
      'CREATE TABLE trueup.cache_writes',
      'INSERT INTO trueup.migrations',
      `SET LOCAL "lock_timeout" = '200ms'`,
      'CREATE OR REPLACE FUNCTION trueup."sync_',
      'LOCK TABLE "app"."ledger" IN SHARE ROW EXCLUSIVE MODE',
      'CREATE OR REPLACE TRIGGER "trueup_append_only"',
      'INSERT INTO trueup.sync_installations',
      'COMMIT;',
    ]) {
      expect(script).toContain(part);
    }
    await db.run(script);
    const after = await db.trueup({ config: economy.mapping });
    const status = await after.syncStatus();
    expect(status).toMatchObject({ state: 'installed', guard: 'keep', protected: true });
    expect(new Set(status.triggers.map(({ state }) => state))).toEqual(new Set(['installed']));
  });

  test.each([[{}], [{ guard: 'refuse', protect: true }], ['remove']] as const)(
    'is what runs, to the letter: %j',
    async (options) => {
      await trueup.installSync({ guard: 'record', protect: true }); // So that there is something to drop.
      const planned = await trueup.planSync(options);
      const sent = vi.spyOn(pg.Client.prototype, 'query');
      await (options === 'remove' ? trueup.removeSync() : trueup.installSync(options));
      const texts = sent.mock.calls.map(([statement]) => statement as unknown as pg.QueryConfig);
      sent.mockRestore();
      const changing = texts
        .filter(({ text, values }) => values === undefined && !/^SELECT (?!pg_advisory)/.test(text))
        .map(({ text }) => (text.endsWith(';\n') ? text : `${text};\n`));
      expect(changing.join('')).toBe(planned);
    },
  );

  test('a profile with two wallets is refused by plan and install alike', async () => {
    await db.run(
      `ALTER TABLE app.wallet DROP CONSTRAINT wallet_profile_id_key; UPDATE app.wallet SET profile_id = 101`,
    );
    const shared = await db.trueup({ config: economy.mapping });
    await expect(shared.planSync()).rejects.toMatchObject({ code: 'mapping_mismatch' });
    await expect(shared.installSync()).rejects.toMatchObject({ code: 'mapping_mismatch' });
  });
});

describe('records', () => {
  test('a removal opens a gap, an installation ends it', async () => {
    await trueup.removeSync();
    expect(await gaps()).toEqual([]); // Nothing had been there.
    await trueup.installSync();
    expect(await gaps()).toEqual([]);
    await trueup.removeSync();
    await trueup.removeSync();
    expect(await gaps()).toEqual([{ what: 'missing', open: true, seen: true }]);
    expect(await asked()).toEqual([{ guard: 'keep', protected: false, removed: true }]);
    await trueup.installSync();
    expect(await gaps()).toEqual([{ what: 'missing', open: false, seen: true }]);
    await trueup.installSync();
    expect(await gaps()).toHaveLength(1);
  });

  test.each([
    ['missing', 'DROP TRIGGER trueup_sync ON app.ledger'],
    ['disabled', 'ALTER TABLE app.ledger DISABLE TRIGGER trueup_sync'],
  ])('a gap that nobody had noticed is told by the next installation: %s', async (what, fault) => {
    await trueup.installSync();
    await db.run(fault);
    expect(await trueup.syncStatus()).toMatchObject({ state: what });
    await trueup.installSync();
    expect(await gaps()).toEqual([{ what, open: false, seen: true }]);
    expect(await trueup.syncStatus()).toMatchObject({ state: 'installed' });
  });

  test('a removal leaves no trace but records', async () => {
    const before = await traces();
    await trueup.installSync({ guard: 'record', protect: true });
    const app = await db.connect();
    await app.query('UPDATE app.wallet SET balance = 7 WHERE id = 1');
    await trueup.removeSync();
    expect(await traces()).toEqual(before);
    expect(await db.value('SELECT count(*) FROM trueup.cache_writes')).toBe('1');
    await trueup.removeSync();
    expect(await traces()).toEqual(before);
  });

  test('a removal does not need the schema of Trueup', async () => {
    await trueup.installSync();
    await db.run('DROP TABLE trueup.sync_failures CASCADE');
    await trueup.removeSync();
    expect((await traces()).filter(({ kind }) => kind === 'trigger')).toEqual([]);
  });
});

describe('the application’s own migrations', () => {
  test('may change the type of a cache, and the guard goes on', async () => {
    await trueup.installSync();
    const app = await db.connect();
    await app.query('UPDATE app.profile SET shown = 3 WHERE id = 101');
    await app.query(
      `ALTER TABLE app.profile ALTER shown TYPE numeric(30, 4); ALTER TABLE app.wallet ALTER balance TYPE bigint`,
    );
    await app.query('UPDATE app.profile SET shown = 5 WHERE id = 101');
    await app.query('UPDATE app.wallet SET balance = 5 WHERE id = 1');
    expect(await caches(db, economy)).toEqual(await truth(db, economy));
    expect(await trueup.syncStatus()).toMatchObject({ state: 'installed' });
  });
});
