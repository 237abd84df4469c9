import { beforeEach, describe, expect, test } from 'vitest';
import type { Mapping, OpeningPlan, Trueup } from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import { caches, createEconomy, findings, truth, type Economy } from '../support/economy.js';

/** Wallets that hold coins and have no history: shown, and given an opening entry. */

const db = await createDatabase('empty');
let economy: Economy;

beforeEach(async () => {
  await db.run('DROP SCHEMA IF EXISTS app CASCADE; DROP SCHEMA IF EXISTS trueup CASCADE');
  economy = await createEconomy(db, 6);
  // 1: 500 of 800 earned; 2: a debt; 3: earnings only; 4: nothing; 5: 7, and shown 9; 6 has a history.
  await db.run(`
    UPDATE app.wallet SET balance = 500, earned = 800 WHERE id = 1;
    UPDATE app.profile SET shown = 500, earned = 800 WHERE id = 101;
    UPDATE app.wallet SET balance = -20 WHERE id = 2;
    UPDATE app.wallet SET earned = 30 WHERE id = 3;
    UPDATE app.wallet SET balance = 7 WHERE id = 5;
    UPDATE app.profile SET shown = 9 WHERE id = 105;
    INSERT INTO app.ledger (wallet_id, amount) VALUES (6, 11);
    UPDATE app.wallet SET balance = 11, earned = 11 WHERE id = 6;
    UPDATE app.profile SET shown = 11, earned = 11 WHERE id = 106;`);
});

const SETTLED = [
  '1 500 500 | 500 500',
  '2 -20 0 | -20 0',
  '3 0 30 | 0 0',
  '4 0 0 | 0 0',
  '5 7 7 | 7 7',
  '6 11 11 | 11 11',
];

const open = (mapping: Mapping = economy.mapping): Promise<Trueup> =>
  db.trueup({ config: mapping });

function entries(): Promise<string[]> {
  return db
    .rows<{ line: string }>(
      `SELECT concat_ws(' ', wallet_id, amount, reason, key) AS line FROM app.ledger ORDER BY id`,
    )
    .then((rows) => rows.map(({ line }) => line));
}

describe('the plan', () => {
  test('names each wallet, its amount, and what becomes of every cache; reads only', async () => {
    const before = await caches(db, economy);
    const trueup = await db.trueup({ config: economy.mapping, readOnly: true });
    const plan = await trueup.findOpeningBalances();
    expect(plan).toMatchObject({
      coins: '487',
      obstacles: [],
      leftCount: 1,
      wallets: [
        { walletId: '1', amount: '500' },
        { walletId: '2', amount: '-20' },
        { walletId: '5', amount: '7' },
      ],
      changes: {
        'wallet.lifetimeEarnings': 2,
        'profile.balance': 2,
        'profile.lifetimeEarnings': 2,
      },
    });
    expect(plan.left[0]).toMatchObject({ walletId: '3', code: 'no_coins' });
    expect(plan.examples[0]).toMatchObject({
      userId: '1',
      balance: '500',
      changes: [
        { part: 'wallet', field: 'lifetimeEarnings', before: '800', after: '500' },
        { part: 'profile', field: 'lifetimeEarnings', before: '800', after: '500' },
      ],
    });
    expect(await caches(db, economy)).toEqual(before);
    expect(await db.value(`SELECT to_regnamespace('trueup') IS NULL`)).toBe(true);
  });

  test('is the same in batches of one', async () => {
    const trueup = await open();
    const { wallets } = await trueup.findOpeningBalances({ batchSize: 1 });
    expect(wallets.map(({ walletId }) => walletId)).toEqual(['1', '2', '5']);
  });
});

describe.each([true, false])('posting, with the sync trigger: %s', (withTrigger) => {
  test('leaves balances, makes every other cache what the ledger says, and records it', async () => {
    const trueup = await open();
    if (withTrigger) await trueup.installSync();
    const plan = await trueup.findOpeningBalances();
    const summary = await trueup.postOpeningBalances(plan, { batchSize: 2 });
    expect(summary).toMatchObject({ posted: 3, coins: '487', errors: 0, skipped: 0 });
    expect(await caches(db, economy)).toEqual(SETTLED);
    expect(await entries()).toEqual([
      '6 11 winner',
      '1 500 opening_balance opening_balance:1',
      '2 -20 opening_balance opening_balance:2',
      '5 7 opening_balance opening_balance:5',
    ]);
    expect(
      await db.rows(`SELECT wallet_id, cause, changes FROM trueup.repairs ORDER BY wallet_id`),
    ).toEqual([
      {
        wallet_id: '1',
        cause: 'no_history',
        changes: {
          'wallet.lifetimeEarnings': ['800', '500'],
          'profile.lifetimeEarnings': ['800', '500'],
        },
      },
      { wallet_id: '2', cause: 'no_history', changes: { 'profile.balance': ['0', '-20'] } },
      {
        wallet_id: '5',
        cause: 'no_history',
        changes: {
          'wallet.lifetimeEarnings': ['0', '7'],
          'profile.balance': ['9', '7'],
          'profile.lifetimeEarnings': ['0', '7'],
        },
      },
    ]);
    // Only the wallet that shows earnings without any coin is left.
    expect((await findings(trueup)).map(({ walletId }) => walletId)).toEqual(['3']);
  });

  test('twice is once', async () => {
    const trueup = await open();
    if (withTrigger) await trueup.installSync();
    const plan = await trueup.findOpeningBalances();
    await trueup.postOpeningBalances(plan);
    const again = await trueup.postOpeningBalances(plan);
    expect(again).toMatchObject({ posted: 0, settled: 3, errors: 0 });
    expect((await trueup.findOpeningBalances()).wallets).toEqual([]);
    expect(await caches(db, economy)).toEqual(SETTLED);
  });

  test('interrupted and begun again it ends where it would have', async () => {
    const trueup = await open();
    if (withTrigger) await trueup.installSync();
    const stop = new AbortController();
    const first = await trueup.postOpeningBalances(await trueup.findOpeningBalances(), {
      batchSize: 1,
      signal: stop.signal,
      onPosted: () => {
        stop.abort();
      },
    });
    expect(first).toMatchObject({ posted: 1, incomplete: 'interrupted' });
    const second = await trueup.postOpeningBalances(await trueup.findOpeningBalances());
    expect(second).toMatchObject({ posted: 2, incomplete: null });
    expect(await caches(db, economy)).toEqual(SETTLED);
  });
});

test('an entry that was written after the wallets were listed keeps the coins', async () => {
  const trueup = await open();
  await trueup.installSync();
  const plan = await trueup.findOpeningBalances();
  await db.run(`INSERT INTO app.ledger (wallet_id, amount) VALUES (1, 10)`);
  // This one is told apart: somebody has changed the balance too, so what it opened with is not known.
  await db.run(`INSERT INTO app.ledger (wallet_id, amount) VALUES (5, 1)`);
  await db.run(`UPDATE app.wallet SET balance = 99 WHERE id = 5`);
  const problems: unknown[] = [];
  const summary = await trueup.postOpeningBalances(plan, {
    onProblem: (problem) => problems.push(problem),
  });
  expect(summary).toMatchObject({ posted: 2, errors: 1 });
  expect(problems).toMatchObject([{ walletId: '5', code: 'has_history' }]);
  expect((await caches(db, economy))[0]).toBe('1 510 510 | 510 510');
  expect((await truth(db, economy))[0]).toBe('1 510 510 | 510 510');
});

test('a reason that does not earn gives no earnings', async () => {
  const trueup = await open({
    ...economy.mapping,
    reasons: { opening_balance: { earns: false } },
  });
  await trueup.installSync();
  await trueup.postOpeningBalances(await trueup.findOpeningBalances());
  expect((await caches(db, economy))[0]).toBe('1 500 0 | 500 0');
  expect((await caches(db, economy))[4]).toBe('5 7 0 | 7 0');
});

test('a wallet that somebody holds is skipped, and the others are posted', async () => {
  const trueup = await open();
  const plan = await trueup.findOpeningBalances();
  const holder = await db.connect();
  await holder.query('BEGIN; SELECT FROM app.wallet WHERE id = 2 FOR UPDATE');
  const problems: unknown[] = [];
  const summary = await trueup.postOpeningBalances(plan, {
    onProblem: (problem) => problems.push(problem),
  });
  await holder.query('ROLLBACK');
  expect(summary).toMatchObject({ posted: 2, skipped: 1, errors: 0 });
  expect(problems).toMatchObject([{ walletId: '2', code: 'locked' }]);
  const rest = await trueup.postOpeningBalances(await trueup.findOpeningBalances());
  expect(rest).toMatchObject({ posted: 1 });
  expect(await caches(db, economy)).toEqual(SETTLED);
});

test('one wallet at fault keeps no other from its entry', async () => {
  await db.run(`ALTER TABLE app.ledger ADD CHECK (amount <> -20)`);
  const trueup = await open();
  const problems: unknown[] = [];
  const summary = await trueup.postOpeningBalances(await trueup.findOpeningBalances(), {
    onProblem: (problem) => problems.push(problem),
  });
  expect(summary).toMatchObject({ posted: 2, errors: 1 });
  expect(problems).toMatchObject([{ walletId: '2', code: 'database_failed' }]);
});

test("an application's own trigger that adds the entry too does not double the coins", async () => {
  await db.run(`
    CREATE FUNCTION app.add() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN UPDATE app.wallet SET balance = balance + NEW.amount WHERE id = NEW.wallet_id; RETURN NULL; END $$;
    CREATE TRIGGER own AFTER INSERT ON app.ledger FOR EACH ROW EXECUTE FUNCTION app.add();`);
  const trueup = await open();
  await trueup.postOpeningBalances(await trueup.findOpeningBalances());
  expect(await caches(db, economy)).toEqual(SETTLED);
});

test('an application that changes or drops the entry is told, and nothing is posted', async () => {
  for (const body of ['NEW.amount := NEW.amount + 1; RETURN NEW;', 'RETURN NULL;']) {
    await db.run(`
      CREATE OR REPLACE FUNCTION app.meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${body} END $$;
      CREATE OR REPLACE TRIGGER own BEFORE INSERT ON app.ledger FOR EACH ROW EXECUTE FUNCTION app.meddle();`);
    const before = await caches(db, economy);
    const trueup = await open();
    const summary = await trueup.postOpeningBalances(await trueup.findOpeningBalances());
    expect(summary).toMatchObject({ posted: 0, errors: 3 });
    expect(await caches(db, economy)).toEqual(before);
    expect(await entries()).toHaveLength(1);
  }
});

describe('what the ledger demands', () => {
  const obstacles = async (mapping: Mapping = economy.mapping): Promise<OpeningPlan> =>
    (await open(mapping)).findOpeningBalances();

  test('a column without default that is not mapped is named, and nothing is changed', async () => {
    await db.run(`ALTER TABLE app.ledger ADD note varchar(8) NOT NULL DEFAULT '';
                  ALTER TABLE app.ledger ALTER note DROP DEFAULT`);
    const plan = await obstacles();
    expect(plan.obstacles).toMatchObject([expect.stringContaining('"note"')]);
    const trueup = await open();
    await expect(trueup.postOpeningBalances(plan)).rejects.toMatchObject({ code: 'feature_off' });
    expect(await entries()).toHaveLength(1);
    // Mapped, it is filled, within its length.
    const { ledger } = economy.mapping;
    const mapped = await open({ ...economy.mapping, ledger: { ...ledger, note: 'note' } });
    await mapped.postOpeningBalances(await mapped.findOpeningBalances());
    expect(await db.value(`SELECT note FROM app.ledger ORDER BY id DESC LIMIT 1`)).toBe('opening ');
  });

  test('a reason that is too long is named; another one can be chosen', async () => {
    await db.run(`ALTER TABLE app.ledger ALTER reason TYPE varchar(8)`);
    expect((await obstacles()).obstacles).toMatchObject([expect.stringContaining('8 characters')]);
    const trueup = await open();
    const plan = await trueup.findOpeningBalances({ reason: 'opened' });
    expect(plan.obstacles).toEqual([]);
    await trueup.postOpeningBalances(plan);
    expect((await entries())[1]).toBe('1 500 opened opening_balance:1');
  });

  test('an actor that has to be a number is named', async () => {
    await db.run(`ALTER TABLE app.ledger ADD actor integer NOT NULL DEFAULT 1;
                  ALTER TABLE app.ledger ALTER actor DROP DEFAULT`);
    const { ledger } = economy.mapping;
    const plan = await obstacles({ ...economy.mapping, ledger: { ...ledger, actor: 'actor' } });
    expect(plan.obstacles).toMatchObject([expect.stringContaining('ledger.actor')]);
  });
});
