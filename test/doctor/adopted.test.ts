import { beforeEach, describe, expect, test } from 'vitest';
import type { CheckId, Level } from '../../src/index.js';
import { contents, temporaryFolder, writeConfig } from '../cli/fixture.js';
import { createDatabase } from '../support/database.js';
import { caches, createEconomy, truth, type Economy } from '../support/economy.js';
import { apply, complaints, expectMended, linesOf, type Patient } from './support.js';

/** Adopted tables: every check of them is made to fail, is told, and passes after its remedy. */

const db = await createDatabase('empty');
const folder = temporaryFolder();
let economy: Economy;
let patient: Patient;

async function adopt(install: boolean): Promise<void> {
  await db.run('DROP SCHEMA IF EXISTS trueup CASCADE; DROP SCHEMA IF EXISTS app CASCADE');
  economy = await createEconomy(db, 3);
  const configFile = writeConfig(folder, 'trueup.config.json', economy.mapping);
  patient = { db, config: economy.mapping, configFile };
  if (install) await (await db.trueup({ config: economy.mapping })).installSync();
}

const insert = (table: string, wallet: number, amount: number): Promise<void> =>
  db.run(`INSERT INTO ${table} (wallet_id, amount) VALUES ($1, $2)`, [wallet, amount]);

describe('adopted tables with their triggers', () => {
  beforeEach(() => adopt(true));

  test('nothing to complain about, and what is worth knowing', async () => {
    expect(await complaints(patient)).toEqual([]);
    expect(await linesOf(patient, 'append_only')).toMatchObject([
      { level: 'info', what: 'UPDATE, DELETE, TRUNCATE of "app"."ledger" is not refused' },
    ]);
  });

  test.each<[string, CheckId, Level, string, string]>([
    [
      'the trigger is dropped',
      'trigger_present',
      'error',
      'trueup_sync of "app"."ledger" is missing',
      'DROP TRIGGER trueup_sync ON app.ledger',
    ],
    [
      'the trigger is disabled with all others, as pg_restore --disable-triggers does',
      'trigger_enabled',
      'error',
      'trueup_sync',
      'ALTER TABLE app.ledger DISABLE TRIGGER ALL',
    ],
    [
      'the index of the wallets is dropped',
      'ledger_index',
      'warning',
      'begins with "wallet_id"',
      'DROP INDEX app.ledger_wallet_id_id_idx',
    ],
    [
      'only a partial index is left',
      'ledger_index',
      'warning',
      'begins with "wallet_id"',
      `DROP INDEX app.ledger_wallet_id_id_idx;
       CREATE INDEX ON app.ledger (wallet_id) WHERE amount > 0`,
    ],
    [
      'the key is not unique',
      'ledger_keys',
      'warning',
      'over "key" alone',
      'ALTER TABLE app.ledger DROP CONSTRAINT ledger_key_key',
    ],
    [
      'the application adds to the wallet by itself',
      'foreign_trigger',
      'warning',
      'trigger keep_balance of app.ledger calls app.keep_balance',
      `CREATE FUNCTION app.keep_balance() RETURNS trigger LANGUAGE plpgsql AS
         'BEGIN UPDATE app.wallet SET touched = now(), balance = balance + NEW.amount WHERE id = NEW.wallet_id; RETURN NEW; END';
       CREATE TRIGGER keep_balance AFTER INSERT ON app.ledger FOR EACH ROW EXECUTE FUNCTION app.keep_balance()`,
    ],
    [
      'the application sets what the profile shows',
      'foreign_trigger',
      'warning',
      'trigger round of app.profile',
      `CREATE FUNCTION app.round() RETURNS trigger LANGUAGE plpgsql AS
         'BEGIN NEW.shown := round(NEW.shown); RETURN NEW; END';
       CREATE TRIGGER round BEFORE UPDATE ON app.profile FOR EACH ROW EXECUTE FUNCTION app.round()`,
    ],
    [
      'the application sets what the wallet holds, after a comment',
      'foreign_trigger',
      'warning',
      'trigger seven of app.wallet',
      `CREATE FUNCTION app.seven() RETURNS trigger LANGUAGE plpgsql AS
         'BEGIN IF true THEN /* lucky */ NEW . balance := 7; END IF; RETURN NEW; END';
       CREATE TRIGGER seven BEFORE UPDATE ON app.wallet FOR EACH ROW EXECUTE FUNCTION app.seven()`,
    ],
    [
      'a rule swallows entries',
      'rule',
      'warning',
      'rule swallow',
      'CREATE RULE swallow AS ON INSERT TO app.ledger DO INSTEAD NOTHING',
    ],
    [
      'the wallets are unlogged',
      'unlogged',
      'error',
      'app.wallet is unlogged',
      `ALTER TABLE app.ledger DROP CONSTRAINT ledger_wallet_id_fkey; ALTER TABLE app.wallet SET UNLOGGED`,
    ],
    [
      'autovacuum is off for the profiles',
      'autovacuum',
      'warning',
      'app.profile',
      'ALTER TABLE app.profile SET (autovacuum_enabled = false)',
    ],
    [
      'a span without triggers was repaired by nobody',
      'sync_gaps',
      'warning',
      'no complete repair came after',
      `INSERT INTO trueup.sync_gaps (ledger, what, noticed_at, ended_at)
       VALUES ('"app"."ledger"', 'disabled', now() - interval '2 hours', now() - interval '1 hour')`,
    ],
  ])('%s', async (_, id, level, what, breaks) => {
    await db.run(breaks);
    await expectMended(patient, id, level, what);
    expect(await complaints(patient)).toEqual([]);
  });

  test('triggers that only look at caches, or are switched off, are no complaint', async () => {
    await db.run(`
      CREATE TABLE app.audit (wallet_id bigint, was integer, is_now integer);
      CREATE FUNCTION app.audit() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN IF NEW.balance = OLD.balance THEN RETURN NEW; END IF;
           INSERT INTO app.audit VALUES (NEW.id, OLD.balance, NEW.balance); RETURN NEW; END';
      CREATE TRIGGER audit AFTER UPDATE ON app.wallet FOR EACH ROW EXECUTE FUNCTION app.audit();
      CREATE FUNCTION app.double() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN UPDATE app.wallet SET balance = balance * 2; RETURN NEW; END';
      CREATE TRIGGER double AFTER INSERT ON app.ledger FOR EACH ROW EXECUTE FUNCTION app.double();
      ALTER TABLE app.ledger DISABLE TRIGGER double`);
    expect(await linesOf(patient, 'foreign_trigger')).toMatchObject([{ level: 'ok' }]);
  });

  test('an index that could not be built', async () => {
    await db.run(
      `INSERT INTO app.ledger (wallet_id, amount, reason) VALUES (1, 5, 'x'), (1, 5, 'x')`,
    );
    await expect(
      db.run('CREATE UNIQUE INDEX CONCURRENTLY half ON app.ledger (reason)'),
    ).rejects.toThrow(/could not create unique index/);
    await db.run(`UPDATE app.ledger SET reason = id::text`);
    await expectMended(patient, 'invalid_index', 'warning', 'index half of app.ledger is invalid');
  });

  test('a foreign key that is checked at once is worth knowing', async () => {
    await db.run('ALTER TABLE app.ledger ALTER CONSTRAINT ledger_wallet_id_fkey NOT DEFERRABLE');
    await expectMended(patient, 'foreign_key', 'info', 'ledger_wallet_id_fkey');
  });

  test('a profile that could not follow waits, until it is healed', async () => {
    const other = await db.connect();
    await other.query('BEGIN; SELECT FROM app.profile WHERE id = 101 FOR UPDATE');
    await insert('app.ledger', 1, 9);
    await other.query('ROLLBACK');
    await expectMended(patient, 'sync_failures', 'warning', /^1 failures wait, .*55P03/);
    expect(await caches(db, economy)).toEqual(await truth(db, economy));
    await insert('app.ledger', 1, 9);
    await db.run(`INSERT INTO trueup.sync_failures (ledger, wallet_id, profile_id, sqlstate, message, failed_at)
                  VALUES ('"app"."ledger"', '1', '101', '22003', 'old', now() - interval '1 hour'),
                         ('another ledger', '1', '101', '22003', 'not ours', now())`);
    expect(await linesOf(patient, 'sync_failures')).toMatchObject([
      { level: 'error', what: expect.stringMatching(/^1 failures/) as string },
    ]);
  });

  test('a gap that is open is an error', async () => {
    await db.run(
      `INSERT INTO trueup.sync_gaps (ledger, what) VALUES ('"app"."ledger"', 'missing'), ('other', 'missing')`,
    );
    expect(await linesOf(patient, 'sync_gaps')).toMatchObject([
      { level: 'error', remedy: 'trueup sync install' },
    ]);
  });

  test('marks and events that nobody has taken up', async () => {
    await db.run(`
      CREATE TABLE IF NOT EXISTS trueup.profile_marks (
        id bigint GENERATED ALWAYS AS IDENTITY, ledger text NOT NULL, wallet_id text NOT NULL,
        marked_at timestamptz NOT NULL DEFAULT clock_timestamp());
      CREATE TABLE IF NOT EXISTS trueup.activity_failures (
        id bigint GENERATED ALWAYS AS IDENTITY, ledger text NOT NULL, entry_id text NOT NULL,
        sqlstate text NOT NULL, message text NOT NULL,
        failed_at timestamptz NOT NULL DEFAULT clock_timestamp(), healed_at timestamptz);
      INSERT INTO trueup.profile_marks (ledger, wallet_id, marked_at)
      VALUES ('"app"."ledger"', '1', now() - interval '1 minute'), ('"app"."ledger"', '1', now());
      INSERT INTO trueup.activity_failures (ledger, entry_id, sqlstate, message, healed_at)
      VALUES ('"app"."ledger"', '1', '22003', 'x', NULL), ('"app"."ledger"', '2', '22003', 'x', now())`);
    expect(await complaints(patient)).toEqual([
      expect.stringMatching(/^warning deferred_marks: 1 marks wait/),
      expect.stringMatching(/^warning activity_failures: 1 events/),
    ]);
  });
});

describe('a database that has never seen Trueup', () => {
  test('is examined by a role with SELECT, and not touched', async () => {
    await adopt(false);
    const role = await db.role();
    await db.run(
      `GRANT USAGE ON SCHEMA app TO ${role.name}; GRANT SELECT ON ALL TABLES IN SCHEMA app TO ${role.name}`,
    );
    const before = await contents(db);
    const as = { databaseUrl: role.url };
    expect(await complaints(patient, as)).toEqual([
      'warning schema: Trueup has no schema in this database',
      'error trigger_present: trigger trueup_sync of "app"."ledger" is missing',
      'unknown oldest_transaction: what the sessions of other roles do cannot be seen',
    ]);
    expect(await contents(db)).toEqual(before);
    const [missing] = await linesOf(patient, 'trigger_present');
    await apply(patient, missing?.remedy ?? null);
    expect(await complaints(patient)).toEqual([]);
  });
});
