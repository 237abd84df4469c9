import type pg from 'pg';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Guard, Trueup } from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import { caches, createEconomy, truth, type Economy } from '../support/economy.js';

/** Applications that write the caches themselves, in every way they are known to. */

const db = await createDatabase('empty');
let economy: Economy;
let trueup: Trueup;
let app: pg.Client;

async function install(guard?: Guard): Promise<void> {
  await db.run('DROP SCHEMA IF EXISTS app CASCADE');
  economy = await createEconomy(db, 4);
  trueup = await db.trueup({ config: economy.mapping });
  await trueup.installSync({ guard });
  await db.run('TRUNCATE trueup.cache_writes');
  app = await db.connect({ application_name: 'shop' });
  await app.query(
    'INSERT INTO app.ledger (wallet_id, amount) VALUES (1, 100), (1, -10), (2, 50), (3, 7)',
  );
}

interface Write {
  readonly part: string;
  readonly row_id: string;
  readonly field: string;
  readonly old_value: string;
  readonly new_value: string;
  readonly action: string;
}

function writes(): Promise<Write[]> {
  return db.rows<Write & Record<string, unknown>>(
    'SELECT part, row_id, field, old_value, new_value, action FROM trueup.cache_writes ORDER BY id',
  );
}

const send = async (...texts: string[]): Promise<void> => {
  for (const text of texts) await app.query(text);
};

const INSERT = 'INSERT INTO app.ledger (wallet_id, amount) VALUES (1, 5)';
const RELATIVE = 'UPDATE app.wallet SET balance = balance + 5, earned = earned + 5 WHERE id = 1';
const ABSOLUTE = 'UPDATE app.wallet SET balance = 95, earned = 105 WHERE id = 1';
const PROFILE = 'UPDATE app.profile SET shown = shown + 5, earned = 105 WHERE id = 101';
const RECALC = `UPDATE app.wallet w SET balance = (SELECT sum(amount) FROM app.ledger WHERE wallet_id = w.id)`;
const STALE = `UPDATE app.wallet SET profile_id = 101, balance = 90, earned = 100, touched = now() WHERE id = 1`;
const STALE_PROFILE = `UPDATE app.profile SET name = 'Ada', user_id = 1, shown = 90, earned = 100 WHERE id = 101`;

const HABITS: readonly (readonly [string, readonly string[]])[] = [
  ['relative, before the insert', [RELATIVE, INSERT]],
  ['relative, after the insert', [INSERT, RELATIVE]],
  ['absolute, before the insert', [ABSOLUTE, INSERT]],
  ['absolute, after the insert', [INSERT, ABSOLUTE]],
  ['before, insert, recompute', [ABSOLUTE, INSERT, RECALC, PROFILE]],
  ['the profile before and after', [PROFILE, INSERT, PROFILE]],
  ['a stale wallet after the insert', [INSERT, STALE]],
  ['a stale profile after the insert', [INSERT, STALE_PROFILE]],
  ['stale rows before the insert', [STALE, STALE_PROFILE, INSERT]],
  [
    'everybody at once',
    [
      'UPDATE app.wallet SET balance = balance + 1, earned = 3',
      'INSERT INTO app.ledger (wallet_id, amount) SELECT id, 1 FROM app.wallet, generate_series(1, 5)',
      'UPDATE app.profile SET shown = 12.25, earned = shown',
      'UPDATE app.wallet SET balance = 0',
    ],
  ],
  [
    'an upsert',
    [
      INSERT,
      `INSERT INTO app.wallet (id, profile_id, balance, earned) VALUES (1, 101, 3, 4)
         ON CONFLICT (id) DO UPDATE SET balance = excluded.balance, earned = excluded.earned`,
    ],
  ],
  [
    'MERGE',
    [
      `MERGE INTO app.wallet w USING (VALUES (1, 33), (2, 44)) AS v (id, b) ON w.id = v.id
         WHEN MATCHED THEN UPDATE SET balance = v.b`,
      INSERT,
    ],
  ],
  ['null', ['UPDATE app.wallet SET earned = earned WHERE id = 1', INSERT]],
];

describe('keep: the default of adopted tables', () => {
  beforeEach(() => install());

  test.each(HABITS)('%s', async (_, statements) => {
    await send(...statements);
    expect(await caches(db, economy)).toEqual(await truth(db, economy));
  });

  test.each(HABITS)('%s, in one transaction', async (_, statements) => {
    await send('BEGIN', ...statements, 'COMMIT');
    expect(await caches(db, economy)).toEqual(await truth(db, economy));
  });

  test.each(HABITS)('%s, through a function of the application', async (_, statements) => {
    await send(
      `CREATE FUNCTION app.habit() RETURNS void LANGUAGE plpgsql AS $f$ BEGIN ${statements.join(';')}; END $f$`,
      'SELECT app.habit()',
    );
    expect(await caches(db, economy)).toEqual(await truth(db, economy));
  });

  test('records who wrote, what stood there and what was written', async () => {
    await send(STALE, INSERT, STALE, STALE_PROFILE);
    expect(await writes()).toEqual([
      { part: 'wallet', row_id: '1', field: 'balance', ...kept('95', '90') },
      { part: 'wallet', row_id: '1', field: 'lifetimeEarnings', ...kept('105', '100') },
      { part: 'profile', row_id: '101', field: 'balance', ...kept('95.00', '90.00') },
      { part: 'profile', row_id: '101', field: 'lifetimeEarnings', ...kept('105.00', '100.00') },
    ]);
    expect(
      await db.rows(`SELECT DISTINCT ledger, application_name, role = session_user AS mine,
                            written_at > now() - interval '1 hour' AS lately FROM trueup.cache_writes`),
    ).toEqual([{ ledger: '"app"."ledger"', application_name: 'shop', mine: true, lately: true }]);
  });

  test('the other columns of the same statement are written', async () => {
    await send(
      `UPDATE app.profile SET name = 'Ada', shown = 1, touched = '2020-01-01Z' WHERE id = 101`,
    );
    expect(
      await db.rows(
        `SELECT name, shown::text, touched = '2020-01-01Z' AS touched FROM app.profile WHERE id = 101`,
      ),
    ).toEqual([{ name: 'Ada', shown: '90.00', touched: true }]);
  });

  test('a statement that leaves the caches alone is no business of the guard', async () => {
    await send(
      `UPDATE app.profile SET name = 'Ada'`,
      'UPDATE app.wallet SET touched = now(), balance = balance',
    );
    expect(await writes()).toEqual([]);
  });

  test('RETURNING tells what was kept', async () => {
    const { rows } = await app.query(
      'UPDATE app.wallet SET balance = balance - 1 WHERE id = 1 RETURNING balance',
    );
    expect(rows).toEqual([{ balance: 90 }]);
  });

  test('what rolls back leaves no record', async () => {
    await send('BEGIN', STALE.replace('90', '3'), 'ROLLBACK');
    expect(await writes()).toEqual([]);
  });

  test('a wrong cache is kept wrong, and repaired by reconcile', async () => {
    await db.run('UPDATE app.wallet SET balance = 1 WHERE id = 1');
    await send(ABSOLUTE);
    expect(await db.value('SELECT balance::text FROM app.wallet WHERE id = 1')).toBe('1');
    await trueup.reconcile({ all: true });
    expect(await caches(db, economy)).toEqual(await truth(db, economy));
    expect(await writes()).toHaveLength(2); // of the application alone
  });

  test('what another trigger makes of the row does not pass either', async () => {
    await send(
      `CREATE FUNCTION app.meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.balance := 12345; RETURN NEW; END $$`,
      'CREATE TRIGGER meddle BEFORE UPDATE ON app.wallet FOR EACH ROW WHEN (pg_trigger_depth() < 1) EXECUTE FUNCTION app.meddle()',
      'UPDATE app.wallet SET touched = now() WHERE id = 1',
    );
    expect(await caches(db, economy)).toEqual(await truth(db, economy));
  });
});

function kept(old_value: string, new_value: string): Omit<Write, 'part' | 'row_id' | 'field'> {
  return { old_value, new_value, action: 'kept' };
}

describe('the other modes', () => {
  test('record lets the write through, and writes it down', async () => {
    await install('record');
    await send(ABSOLUTE);
    expect(await writes()).toEqual([
      {
        part: 'wallet',
        row_id: '1',
        field: 'balance',
        old_value: '90',
        new_value: '95',
        action: 'recorded',
      },
      {
        part: 'wallet',
        row_id: '1',
        field: 'lifetimeEarnings',
        old_value: '100',
        new_value: '105',
        action: 'recorded',
      },
    ]);
    expect((await caches(db, economy))[0]).toBe('1 95 105 | 90 100');
  });

  test('refuse fails the statement with a code, what and where, and a hint', async () => {
    await install('refuse');
    await expect(send(ABSOLUTE)).rejects.toMatchObject({
      code: 'TU007',
      message:
        'the ledger decides, so nobody else sets balance from 90 to 95, lifetimeEarnings from 100 to 105 of wallet 1 of "app"."ledger"',
      hint: expect.stringContaining('Insert an entry') as string,
      schema: 'app',
      table: 'wallet',
    });
    await expect(send('UPDATE app.profile SET shown = 91 WHERE id = 101')).rejects.toMatchObject({
      code: 'TU007',
      message: expect.stringContaining('balance from 90.00 to 91.00 of profile 101') as string,
    });
    await send(`UPDATE app.profile SET name = 'Ada'`, INSERT);
    expect(await caches(db, economy)).toEqual(await truth(db, economy));
    expect(await writes()).toEqual([]);
  });

  test('off is no guard at all', async () => {
    await install('off');
    await send(ABSOLUTE);
    expect((await caches(db, economy))[0]).toBe('1 95 105 | 90 100');
    expect(await writes()).toEqual([]);
    expect(
      await db.value(
        `SELECT count(*) FROM pg_trigger WHERE tgname LIKE '%guard%' AND tgrelid = 'app.wallet'::regclass`,
      ),
    ).toBe('0');
  });
});
