import { createHash } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { migrateDatabase, openTrueup, OWN_MAPPING, type Trueup } from '../../src/index.js';
import { Database } from '../../src/postgres/database.js';
import {
  migrate,
  readMigrations,
  type Migration,
  type SchemaPart,
} from '../../src/postgres/migrate.js';
import { createDatabase } from '../support/database.js';
import { createEconomy } from '../support/economy.js';
import { makeFolder } from '../support/folder.js';

const db = await createDatabase('empty');
const OWN = { databaseUrl: db.url, config: OWN_MAPPING, maxConnections: 2 };
const BOTH: readonly SchemaPart[] = ['operations', 'ledger'];

const released = readMigrations();
const last = Math.max(...released.map(({ number }) => number));

beforeEach(async () => {
  await db.run('DROP SCHEMA IF EXISTS trueup CASCADE; DROP SCHEMA IF EXISTS app CASCADE');
});

/** A migration that is in no file. */
function migration(number: number, text: string): Migration {
  const checksum = createHash('sha256').update(text).digest('hex');
  return { number, name: `made_up_${String(number)}`, part: 'operations', text, checksum };
}

/** Runs the migration runner itself, on a list of migrations of the test's own. */
async function runMigrations(
  migrations: readonly Migration[],
  parts = BOTH,
): Promise<readonly number[]> {
  const database = await Database.open({
    connection: { connectionString: db.url },
    applicationName: 'test',
  });
  try {
    return numbers(await migrate(database, parts, [...migrations]));
  } finally {
    await database.close();
  }
}

async function withTrueup<Result>(work: (trueup: Trueup) => Promise<Result>): Promise<Result> {
  const trueup = await openTrueup({ ...OWN, healer: false });
  try {
    return await work(trueup);
  } finally {
    await trueup.close();
  }
}

function numbers(migrations: readonly Migration[]): number[] {
  return migrations.map(({ number }) => number);
}

function numbersOf(part: SchemaPart): number[] {
  return numbers(released.filter((one) => one.part === part));
}

/** Everything in the database that a migration could have touched. */
async function schema(): Promise<unknown> {
  return {
    schemas: await db.value(
      `SELECT array_agg(nspname::text ORDER BY 1) FROM pg_namespace WHERE nspname !~ '^pg_'`,
    ),
    relations: await db.rows(
      `SELECT c.oid, c.relname, c.xmin::text FROM pg_class c
        WHERE c.relnamespace = to_regnamespace('trueup') ORDER BY c.oid`,
    ),
    functions: await db.rows(
      `SELECT p.oid, p.proname, p.xmin::text FROM pg_proc p
        WHERE p.pronamespace = to_regnamespace('trueup') ORDER BY p.oid`,
    ),
  };
}

async function exists(relation: string): Promise<boolean> {
  return db.value<boolean>('SELECT to_regclass($1) IS NOT NULL', [relation]);
}

async function applied(): Promise<number[]> {
  const rows = await db.rows<{ number: number }>(
    'SELECT number FROM trueup.migrations ORDER BY number',
  );
  return rows.map(({ number }) => number);
}

describe('once', () => {
  test('twenty programs at once apply each migration once, and none of them fails', async () => {
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, () => migrateDatabase(OWN)),
    );
    const failures = results.filter((one) => one.status === 'rejected');
    expect(failures).toEqual([]);
    // One of them applied everything: a migration belongs to the transaction of the ones before it.
    const counts = results.map((one) => (one.status === 'fulfilled' ? numbers(one.value) : []));
    expect(counts.filter((list) => list.length > 0)).toEqual([numbers(released)]);
    expect(await applied()).toEqual(numbers(released));
    expect(await db.value('SELECT count(*)::int FROM trueup.sync_installations')).toBe(1);
    expect(await withTrueup((trueup) => trueup.syncStatus())).toMatchObject({ state: 'installed' });
  });

  test('running again applies nothing and touches nothing', async () => {
    expect(numbers(await migrateDatabase(OWN))).toEqual(numbers(released));
    const before = await schema();
    expect(await migrateDatabase(OWN)).toEqual([]);
    expect(await schema()).toEqual(before);
  });

  test('what was applied is recorded: number, name, checksum, by whom', async () => {
    await migrateDatabase(OWN);
    const user = await db.value('SELECT session_user::text');
    expect(
      await db.rows(
        'SELECT number, name, checksum, applied_by FROM trueup.migrations ORDER BY number',
      ),
    ).toEqual(
      released.map(({ number, name, checksum }) => ({ number, name, checksum, applied_by: user })),
    );
  });
});

describe('refusals', () => {
  test('a file that is not the one that was applied: nothing is changed', async () => {
    await migrateDatabase(OWN);
    const before = await schema();
    const edited = released.map((one) =>
      one.number === 1 ? { ...migration(1, `${one.text} `), part: one.part } : one,
    );
    const next = migration(last + 1, 'CREATE TABLE trueup.next (id bigint)');
    await expect(runMigrations([...edited, next])).rejects.toMatchObject({
      code: 'migration_changed',
      hint: expect.stringContaining('Restore the released file') as string,
    });
    expect(await schema()).toEqual(before);
    expect(await applied()).toEqual(numbers(released));
  });

  test('a record that is not of this file: also opening is refused', async () => {
    await migrateDatabase(OWN);
    await db.run(`UPDATE trueup.migrations SET checksum = 'another' WHERE number = 2`);
    const before = await schema();
    const refusal = { code: 'migration_changed', message: expect.stringContaining('2') as string };
    await expect(migrateDatabase(OWN)).rejects.toMatchObject(refusal);
    await expect(openTrueup({ ...OWN, healer: false })).rejects.toMatchObject(refusal);
    expect(await schema()).toEqual(before);
  });

  test('a database that a newer Trueup has migrated: what is missing stays missing', async () => {
    const next = migration(9999, 'CREATE TABLE trueup.next (id bigint)');
    await runMigrations([...released, next], ['operations']);
    await expect(migrateDatabase(OWN)).rejects.toMatchObject({
      code: 'schema_newer',
      message: expect.stringContaining('9999 (made_up_9999)') as string,
      hint: expect.stringContaining('newer version') as string,
    });
    expect(await exists('trueup.entries')).toBe(false);
  });

  test('a migration that fails takes everything with it', async () => {
    const half = migration(last + 1, 'CREATE TABLE trueup.half (id bigint); SELECT 1 / 0');
    const failure = {
      code: 'database_failed',
      message: expect.stringContaining('22012') as string,
    };
    const before = await schema();
    await expect(runMigrations([...released, half])).rejects.toMatchObject(failure);
    expect(await schema()).toEqual(before);

    // What an earlier run has applied stays, and the corrected file follows it.
    await runMigrations(released);
    await expect(runMigrations([...released, half])).rejects.toMatchObject(failure);
    expect(await applied()).toEqual(numbers(released));
    expect(await exists('trueup.half')).toBe(false);
    const whole = migration(last + 1, 'CREATE TABLE trueup.half (id bigint)');
    expect(await runMigrations([...released, whole])).toEqual([last + 1]);
  });

  test('a role that may not create anything is told so', async () => {
    const { url } = await db.role();
    const before = await schema();
    await expect(migrateDatabase({ ...OWN, databaseUrl: url })).rejects.toMatchObject({
      name: 'TrueupError',
      code: 'permission_denied',
      message: expect.stringContaining(db.name) as string,
      hint: expect.stringMatching(/./) as string,
    });
    expect(await schema()).toEqual(before);
  });
});

describe('parts', () => {
  test("an adopted ledger gets no second one; Trueup's own can follow later", async () => {
    const { mapping } = await createEconomy(db, 1);
    const adopted = await migrateDatabase({ ...OWN, config: mapping });
    expect(numbers(adopted)).toEqual(numbersOf('operations'));
    expect(await exists('trueup.runs')).toBe(true);
    expect(await exists('trueup.entries')).toBe(false);
    // The adopted ledger is not Trueup's: nothing is installed on it unasked.
    expect(
      await db.value(`SELECT count(*)::int FROM pg_trigger WHERE tgname = 'trueup_sync'`),
    ).toBe(0);

    expect(numbers(await migrateDatabase(OWN))).toEqual(numbersOf('ledger'));
    expect(await exists('trueup.entries')).toBe(true);
    expect(await migrateDatabase({ ...OWN, config: mapping })).toEqual([]);
  });

  test('the own ledger gets its sync triggers with the first migration', async () => {
    await migrateDatabase(OWN);
    await withTrueup(async (trueup) => {
      const walletId = await trueup.openWallet({ userId: 'player' });
      await db.run(
        `INSERT INTO trueup.entries (wallet_id, amount, reason) VALUES ($1, 25, 'winner')`,
        [walletId],
      );
    });
    expect(await db.value('SELECT balance FROM trueup.profiles')).toBe('25');
  });

  test('a person who removes them is not overruled', async () => {
    await withTrueup((trueup) => trueup.removeSync());
    expect(await migrateDatabase(OWN)).toEqual([]);
    await withTrueup(async (trueup) => {
      expect(await trueup.syncStatus()).toMatchObject({ state: 'missing' });
      await trueup.installSync();
    });
    expect(await withTrueup((trueup) => trueup.syncStatus())).toMatchObject({ state: 'installed' });
  });
});

describe('files', () => {
  const HEADER = '--! part: operations\n';
  let folder = '';
  beforeEach(() => {
    folder = makeFolder('migrations');
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  test('are read in the order of their numbers, each with the part that it names', () => {
    writeFileSync(join(folder, '0010_b.sql'), '--! part: ledger\nSELECT 1');
    writeFileSync(join(folder, '0002_a_2.sql'), `${HEADER}SELECT 2`);
    expect(readMigrations(folder)).toMatchObject([
      { number: 2, name: 'a_2', part: 'operations', text: `${HEADER}SELECT 2` },
      { number: 10, name: 'b', part: 'ledger' },
    ]);
  });

  test.each([
    { file: 'notes.txt', text: HEADER, why: 'is no SQL' },
    { file: '3_short.sql', text: HEADER, why: 'has a short number' },
    { file: '0003-dash.sql', text: HEADER, why: 'has no underscore' },
    { file: '0003_Upper.sql', text: HEADER, why: 'has a capital' },
    { file: '0003_copy.sql.orig', text: HEADER, why: 'is what an editor left' },
    { file: '0003_bare.sql', text: 'SELECT 1', why: 'has no header' },
    { file: '0003_late.sql', text: `\n${HEADER}`, why: 'has its header too late' },
    { file: '0003_part.sql', text: '--! part: other\n', why: 'names no part' },
    { file: '0003_empty.sql', text: '', why: 'is empty' },
  ])('$file is refused: it $why', ({ file, text }) => {
    writeFileSync(join(folder, '0001_good.sql'), HEADER);
    writeFileSync(join(folder, file), text);
    expect(() => readMigrations(folder)).toThrow(
      expect.objectContaining({
        code: 'migration_changed',
        message: expect.stringContaining(file) as string,
        hint: expect.stringContaining('NNNN_name.sql') as string,
      }) as Error,
    );
  });
});
