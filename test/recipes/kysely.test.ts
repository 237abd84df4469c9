import { CamelCasePlugin, Kysely, PostgresDialect } from 'kysely';
import { expect, test } from 'vitest';
import { createDatabase } from '../support/database.js';
import { clientOf, placeOrder, type Tables } from './fixtures/kysely.js';
import { createPool } from './fixtures/pool.js';
import { testRecipe } from './harness.js';

const [plugged, controlled] = [await createDatabase('own'), await createDatabase('own')];

await testRecipe((url, trueup) => {
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: createPool(url) }) });
  return {
    placeOrder: (order) => placeOrder(db, trueup, order),
    inTransaction: (work) =>
      db.transaction().execute((trx) =>
        work({
          charge: (userId, amount) =>
            trueup.within(clientOf(trx)).debit({ userId, amount, reason: 'purchase' }),
          write: ({ id, userId, item, price }, state) =>
            trx.insertInto('orders').values({ id, user_id: userId, item, price, state }).execute(),
        }),
      ),
    close: () => db.destroy(),
  };
});

test('plugins change nothing of what Trueup reads', async () => {
  const trueup = await plugged.trueup();
  const walletId = await trueup.openWallet({ userId: 'ada' });
  const db = new Kysely<Tables>({
    dialect: new PostgresDialect({ pool: createPool(plugged.url) }),
    plugins: [new CamelCasePlugin()],
  });
  const award = { walletId, amount: 1n, reason: 'winner', metadata: { match_id: 7 } };
  const credit = (): Promise<unknown> =>
    db
      .transaction()
      .execute((trx) => trueup.within(clientOf(trx)).credit({ ...award, idempotencyKey: 'once' }));
  expect(await credit()).toMatchObject({ status: 'posted', replayed: false });
  expect(await credit()).toMatchObject({ status: 'posted', replayed: true });
  await db.destroy();
});

test('a controlled transaction does as well', async () => {
  const trueup = await controlled.trueup();
  const walletId = await trueup.openWallet({ userId: 'ada' });
  const db = new Kysely<Tables>({
    dialect: new PostgresDialect({ pool: createPool(controlled.url) }),
  });
  const trx = await db.startTransaction().execute();
  await trueup.within(clientOf(trx)).credit({ walletId, amount: 1n, reason: 'winner' });
  const saved = await trx.savepoint('before_the_second').execute();
  await trueup.within(clientOf(saved)).credit({ walletId, amount: 1n, reason: 'winner' });
  await saved.rollbackToSavepoint('before_the_second').execute();
  await trx.commit().execute();
  expect(await controlled.value('SELECT balance FROM trueup.wallets')).toBe('1');
  await db.destroy();
});
