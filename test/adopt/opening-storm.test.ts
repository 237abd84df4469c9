import { beforeEach, expect, test } from 'vitest';
import { createDatabase } from '../support/database.js';
import { caches, createEconomy, findings, truth } from '../support/economy.js';

/** Opening entries while the application goes on writing, and on tables of every kind. */

const WALLETS = 60;

const db = await createDatabase('empty');
const ownDb = await createDatabase('own');

beforeEach(async () => {
  await db.run('DROP SCHEMA IF EXISTS app CASCADE; DROP SCHEMA IF EXISTS trueup CASCADE');
});

test('concurrent writers and a second adopter: no coin is lost, none is doubled, nobody fails', async () => {
  const economy = await createEconomy(db, WALLETS);
  await db.run(`UPDATE app.wallet SET balance = 100 + id, earned = 1000;
                UPDATE app.profile SET shown = 5`);
  const trueup = await db.trueup({ config: economy.mapping });
  await trueup.installSync();
  const plan = await trueup.findOpeningBalances();
  expect(plan.wallets).toHaveLength(WALLETS);

  let writing = true;
  let written = 0;
  const writer = async (first: number): Promise<void> => {
    for (let n = first; writing; n += 1) {
      // Some write two wallets in one transaction, in the order of their ids, as the trigger locks.
      const wallets = [1 + (n % WALLETS), 1 + ((n * 7) % WALLETS)].sort((a, b) => a - b);
      await db.run(
        `INSERT INTO app.ledger (wallet_id, amount) SELECT w, 3 FROM unnest($1::bigint[]) AS w`,
        [wallets],
      );
      written += 2;
    }
  };
  const writers = [writer(1), writer(21), writer(41)];
  const outcomes = await Promise.all([
    trueup.postOpeningBalances(plan, { batchSize: 7 }),
    trueup.postOpeningBalances(plan, { batchSize: 5 }),
  ]);
  writing = false;
  await Promise.all(writers);

  expect(outcomes.map(({ errors, skipped }) => errors + skipped)).toEqual([0, 0]);
  expect(outcomes.reduce((sum, { posted }) => sum + posted, 0)).toBe(WALLETS);
  expect(written).toBeGreaterThan(0);
  expect(await findings(trueup)).toEqual([]);
  expect(await caches(db, economy)).toEqual(await truth(db, economy));
  const opened = await db.value(
    `SELECT count(*)::text FROM app.ledger WHERE reason = 'opening_balance' AND amount = 100 + wallet_id`,
  );
  expect(opened).toBe(String(WALLETS));
});

test.each([
  ['uuid', { idType: 'uuid', amountType: 'numeric(12,2)', walletType: 'numeric(12,2)' }, '12.5'],
  ['text', { idType: 'text', amountType: 'bigint', walletType: 'bigint' }, '9007199254740993'],
] as const)('%s ids: exact to the last digit', async (_, options, coins) => {
  const economy = await createEconomy(db, 2, { ...options, profileType: 'numeric' });
  await db.run(`UPDATE app.wallet SET balance = ${coins} WHERE id = $1`, [economy.id(1)]);
  const trueup = await db.trueup({ config: economy.mapping });
  await trueup.postOpeningBalances(await trueup.findOpeningBalances());
  expect(await db.value(`SELECT trim_scale(sum(amount)::numeric)::text FROM app.ledger`)).toBe(
    coins,
  );
  expect(await findings(trueup)).toEqual([]);
});

test('a balance that the ledger cannot hold exactly is left, and told', async () => {
  const economy = await createEconomy(db, 2, {
    amountType: 'smallint',
    walletType: 'numeric(12,2)',
  });
  await db.run(`UPDATE app.wallet SET balance = CASE id WHEN 1 THEN 12.5 ELSE 40000 END`);
  const trueup = await db.trueup({ config: economy.mapping });
  const plan = await trueup.findOpeningBalances();
  expect(plan.wallets).toEqual([]);
  expect(plan.left.map(({ code }) => code)).toEqual(['not_exact', 'not_exact']);
});

test("Trueup's own, numbered ledger: the opening entry is number one, and the chain is whole", async () => {
  const trueup = await ownDb.trueup();
  await ownDb.run(`INSERT INTO trueup.profiles (id, user_id, balance) VALUES (1, 'ada', 400), (2, 'bob', 0);
                INSERT INTO trueup.wallets (id, profile_id, balance, lifetime_earnings) VALUES (1, 1, 500, 500), (2, 2, 70, 0)`);
  const plan = await trueup.findOpeningBalances();
  // Between listing and posting the library pays out, so this wallet's opening entry is number two.
  await trueup.credit({ walletId: '2', amount: 5n, reason: 'winner' });
  await trueup.postOpeningBalances(plan);
  expect(
    await ownDb.rows(
      'SELECT wallet_id, seq, amount, balance_after FROM trueup.entries ORDER BY wallet_id, seq',
    ),
  ).toEqual([
    { wallet_id: '1', seq: '1', amount: '500', balance_after: '500' },
    { wallet_id: '2', seq: '1', amount: '5', balance_after: '5' },
    { wallet_id: '2', seq: '2', amount: '70', balance_after: '75' },
  ]);
  expect(await findings(trueup)).toEqual([]);
  const spent = await trueup.debit({ walletId: '1', amount: 500n, reason: 'purchase' });
  expect(spent).toMatchObject({ status: 'posted', balanceAfter: 0n });
});

test('a wallet that is nearly full is not counted twice on the way, not even for a moment', async () => {
  const economy = await createEconomy(db, 1, { profileType: 'integer' });
  await db.run(
    `UPDATE app.wallet SET balance = 2000000000; UPDATE app.profile SET shown = 2000000000`,
  );
  const trueup = await db.trueup({ config: economy.mapping });
  await trueup.installSync();
  const summary = await trueup.postOpeningBalances(await trueup.findOpeningBalances());
  expect(summary).toMatchObject({ posted: 1, errors: 0 });
  expect(await caches(db, economy)).toEqual(['1 2000000000 2000000000 | 2000000000 2000000000']);
  expect(await db.value('SELECT count(*)::text FROM trueup.sync_failures')).toBe('0');
});
