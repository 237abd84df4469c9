import { expect, test, vi } from 'vitest';
import { OWN_MAPPING, type CheckId, type Level } from '../../src/index.js';
import { readShipped } from '../../src/postgres/shipped.js';
import { runTrueup, startTrueup } from '../support/cli.js';
import { createDatabase } from '../support/database.js';
import { complaints, expectMended, linesOf, type Patient } from './support.js';

/** Trueup's own tables: every check is made to fail, is told, and passes once its remedy was applied. */

const db = await createDatabase('own');
const patient: Patient = { db, config: OWN_MAPPING };

const SYNC = await db.value(
  `SELECT tgfoid::regproc::text FROM pg_trigger WHERE tgname = 'trueup_sync'`,
);

test('a database as it was made has nothing to complain about', async () => {
  expect(await complaints(patient)).toEqual([]);
});

test('what the migrations ship is what is there, read from their text', async () => {
  const { functions, triggers } = readShipped();
  const there = await db.rows(
    `SELECT 'trueup.' || c.relname || ' ' || tgname || ' ' || (tgenabled = 'A')::text AS line
       FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
      WHERE c.relnamespace = 'trueup'::regnamespace AND NOT tgisinternal AND tgname <> 'trueup_sync' AND tgname NOT LIKE 'zz_trueup_guard%' ORDER BY 1`,
  );
  const read = triggers.map(({ table, name, always }) => `${table} ${name} ${String(always)}`);
  expect(read.sort()).toEqual(there.map(({ line }) => line));
  const made = await db.rows(
    `SELECT 'trueup.' || proname AS name FROM pg_proc
      WHERE pronamespace = 'trueup'::regnamespace AND proname !~ '^(sync|guard_wallet|guard_profile)_[0-9a-f]{8}' ORDER BY 1`,
  );
  expect(functions.map(({ name }) => name).sort()).toEqual(made.map(({ name }) => name));
});

test.each([
  ['DISABLE TRIGGER trueup_append_only', 'trigger_enabled', 'The ledger is open to changes'],
  ['DISABLE TRIGGER trueup_number', 'trigger_enabled', 'Entries get no number'],
  ['DISABLE TRIGGER trueup_sync', 'trigger_enabled', 'new entries make caches drift'],
] as const)('%s: why it matters is what the trigger is for', async (text, id, why) => {
  await db.run(`ALTER TABLE trueup.entries ${text}`);
  expect((await linesOf(patient, id)).map((line) => line.why)).toEqual([
    expect.stringContaining(why),
  ]);
  await db.run(`ALTER TABLE trueup.entries ENABLE ALWAYS ${text.slice('DISABLE '.length)}`);
  await db.run('ALTER TABLE trueup.entries ENABLE TRIGGER trueup_sync');
  if (text.includes('number'))
    await db.run('ALTER TABLE trueup.entries ENABLE TRIGGER trueup_number');
  expect(await complaints(patient)).toEqual([]);
});

test.each<[string, CheckId, Level, string, string]>([
  [
    'the sync trigger is dropped',
    'trigger_present',
    'error',
    'trueup_sync',
    'DROP TRIGGER trueup_sync ON trueup.entries',
  ],
  [
    'what numbers entries is dropped',
    'trigger_present',
    'error',
    'trueup_number',
    'DROP TRIGGER trueup_number ON trueup.entries',
  ],
  [
    'what keeps holds is dropped',
    'trigger_present',
    'error',
    'trigger trueup_guard of trueup.holds',
    'DROP TRIGGER trueup_guard ON trueup.holds',
  ],
  [
    'the sync trigger is disabled',
    'trigger_enabled',
    'error',
    'trueup_sync of "trueup"."entries" is disabled',
    'ALTER TABLE trueup.entries DISABLE TRIGGER trueup_sync',
  ],
  [
    'the sync trigger fires in replication only',
    'trigger_enabled',
    'error',
    'only in sessions of replication',
    'ALTER TABLE trueup.entries ENABLE REPLICA TRIGGER trueup_sync',
  ],
  [
    'the sync trigger fires in restores too',
    'trigger_mode',
    'warning',
    'ENABLE ALWAYS',
    'ALTER TABLE trueup.entries ENABLE ALWAYS TRIGGER trueup_sync',
  ],
  [
    'a restore has left the ledger open to sessions of replication',
    'trigger_mode',
    'error',
    'trueup_append_only of trueup.entries is not ENABLE ALWAYS',
    'ALTER TABLE trueup.entries DISABLE TRIGGER ALL; ALTER TABLE trueup.entries ENABLE TRIGGER ALL',
  ],
  [
    'the sync function does nothing',
    'trigger_unchanged',
    'error',
    'the body of its function',
    `CREATE OR REPLACE FUNCTION ${SYNC}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
       SET search_path = pg_catalog, pg_temp AS 'BEGIN RETURN NULL; END'`,
  ],
  [
    'the sync function runs with the rights of the writer',
    'trigger_unchanged',
    'error',
    'other rights',
    `ALTER FUNCTION ${SYNC}() SECURITY INVOKER`,
  ],
  [
    'the sync function follows the search_path of the writer',
    'trigger_unchanged',
    'error',
    'search_path',
    `ALTER FUNCTION ${SYNC}() RESET search_path`,
  ],
  [
    'the sync trigger calls something else',
    'trigger_unchanged',
    'error',
    'it calls public.nothing',
    `CREATE FUNCTION public.nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
     CREATE OR REPLACE TRIGGER trueup_sync AFTER INSERT ON trueup.entries
        FOR EACH STATEMENT EXECUTE FUNCTION public.nothing()`,
  ],
  [
    'the sync trigger never fires',
    'trigger_unchanged',
    'error',
    'at other moments',
    `CREATE OR REPLACE TRIGGER trueup_sync AFTER INSERT ON trueup.entries
        REFERENCING NEW TABLE AS new_entries FOR EACH STATEMENT WHEN (false) EXECUTE FUNCTION ${SYNC}()`,
  ],
  [
    'the ledger refuses DELETE only',
    'trigger_unchanged',
    'error',
    'at other moments',
    `CREATE OR REPLACE TRIGGER trueup_append_only BEFORE DELETE ON trueup.entries
        FOR EACH STATEMENT EXECUTE FUNCTION trueup.refuse_ledger_change();
     ALTER TABLE trueup.entries ENABLE ALWAYS TRIGGER trueup_append_only`,
  ],
  [
    'entries are numbered under another condition',
    'trigger_unchanged',
    'error',
    'trueup_number of trueup.entries: it fires at other moments',
    `CREATE OR REPLACE TRIGGER trueup_number BEFORE INSERT ON trueup.entries FOR EACH ROW
        WHEN (NEW.seq IS NULL) EXECUTE FUNCTION trueup.number_entry()`,
  ],
  [
    'failures are not recorded any more',
    'trigger_unchanged',
    'error',
    'function trueup.record_sync_failure was altered',
    `CREATE OR REPLACE FUNCTION trueup.record_sync_failure(ledger text, wallet_id text, profile_id text,
        sqlstate text, message text) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
        AS 'BEGIN END'`,
  ],
  [
    'the ledger may be changed',
    'append_only',
    'error',
    'UPDATE, DELETE, TRUNCATE of "trueup"."entries" is not refused',
    'ALTER TABLE trueup.entries DISABLE TRIGGER trueup_append_only',
  ],
  [
    'a table inherits from the ledger',
    'partition',
    'error',
    'rows written to public.more directly pass trueup_sync',
    'CREATE TABLE public.more () INHERITS (trueup.entries)',
  ],
  [
    'the numbers may be used twice',
    'ledger_numbers',
    'error',
    'over "wallet_id" and "seq"',
    'DROP INDEX trueup.entries_wallet_seq',
  ],
  [
    'keys may be used twice',
    'ledger_keys',
    'warning',
    'over "idempotency_key" alone',
    'DROP INDEX trueup.entries_idempotency_key',
  ],
  [
    'the ledger is unlogged',
    'unlogged',
    'error',
    'entries',
    'ALTER TABLE trueup.entries SET UNLOGGED',
  ],
  [
    'autovacuum is off for the wallets',
    'autovacuum',
    'warning',
    'autovacuum is off for trueup.wallets',
    'ALTER TABLE trueup.wallets SET (autovacuum_enabled = off)',
  ],
])('%s', async (_, id, level, what, breaks) => {
  await db.run(breaks);
  await expectMended(patient, id, level, what);
  await db.run('DROP FUNCTION IF EXISTS public.nothing(); DROP TABLE IF EXISTS public.more');
  expect(await complaints(patient)).toEqual([]);
});

test('migrations that wait, that were altered, and that a newer Trueup made', async () => {
  const [last] = await db.rows<{ number: number; name: string; checksum: string }>(
    `DELETE FROM trueup.migrations WHERE number = (SELECT max(number) FROM trueup.migrations)
     RETURNING number, name, checksum`,
  );
  const { number = 0, name = '', checksum = '' } = last ?? {};
  expect(await complaints(patient)).toEqual([
    `error migrations: migrations wait: ${String(number)} ${name}`,
  ]);
  await db.run(
    `INSERT INTO trueup.migrations (number, name, checksum) VALUES ($1, $2, 'another')`,
    [number, name],
  );
  expect(await complaints(patient)).toMatchObject([
    expect.stringMatching(/^error migrations: .*not the one/),
  ]);
  await db.run('UPDATE trueup.migrations SET checksum = $1 WHERE number = $2', [checksum, number]);
  await db.run(`INSERT INTO trueup.migrations (number, name, checksum) VALUES (9999, 'later', '')`);
  expect(await complaints(patient)).toMatchObject([
    expect.stringMatching(/^error migrations: .*9999/),
  ]);
  await db.run('DELETE FROM trueup.migrations WHERE number = 9999');
  expect(await complaints(patient)).toEqual([]);
});

test('holds that nobody has closed', async () => {
  const trueup = await db.trueup();
  const walletId = await trueup.openWallet({ userId: 'holder' });
  await trueup.credit({ walletId, amount: 9n, reason: 'winner' });
  await db.run(
    `INSERT INTO trueup.holds (id, ledger, wallet_id, amount, reason, expires_at, created_at)
     VALUES (gen_random_uuid(), '"trueup"."entries"', $1, 4, 'purchase', now() - interval '1 hour', now())`,
    [walletId],
  );
  await db.run('UPDATE trueup.wallets SET pending_balance = 4 WHERE id = $1', [walletId]);
  expect(await linesOf(patient, 'holds_overdue')).toMatchObject([
    {
      level: 'warning',
      what: expect.stringContaining('1 holds of 4 coins are overdue') as string,
      remedy: 'trueup sync heal --watch',
    },
  ]);
  const healer = startTrueup(['sync', 'heal', '--watch'], { databaseUrl: db.url });
  await vi.waitUntil(
    async () => (await linesOf(patient, 'holds_overdue'))[0]?.level === 'ok',
    20_000,
  );
  healer.child.kill('SIGINT');
  expect(await healer.ended).toMatchObject({ status: 0 });
  expect(await complaints(patient)).toEqual([]);
});

test('putting back leaves every row, and every grant that was not there', async () => {
  const trueup = await db.trueup();
  const walletId = await trueup.openWallet({ userId: 'ada' });
  await trueup.credit({ walletId, amount: 7n, reason: 'winner' });
  await db.run('DROP FUNCTION trueup.refuse_ledger_change() CASCADE; TRUNCATE trueup.entries');
  await db.run('DROP FUNCTION trueup.keep_wallet() CASCADE');
  const run = await runTrueup(['migrate', '--restore'], { databaseUrl: db.url });
  expect(run.stdout).toContain('restored trueup_append_only of trueup.entries\n');
  expect(await complaints(patient)).toEqual([]);
  await expect(db.run('TRUNCATE trueup.entries')).rejects.toThrow(/append-only/);
  expect(
    await db.value(
      `SELECT has_function_privilege('pg_monitor', 'trueup.keep_wallet()', 'EXECUTE')
           OR has_function_privilege('pg_monitor', 'trueup.refuse_ledger_change()', 'EXECUTE')`,
    ),
  ).toBe(false);
});
