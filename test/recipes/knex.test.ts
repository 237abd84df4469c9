import { knex as openKnex } from 'knex';
import { expect, test } from 'vitest';
import { createDatabase } from '../support/database.js';
import { clientOf, placeOrder } from './fixtures/knex.js';
import { testRecipe } from './harness.js';

const own = await createDatabase('own');

await testRecipe((url, trueup) => {
  const knex = openKnex({ client: 'pg', connection: { connectionString: url } });
  return {
    placeOrder: (order) => placeOrder(knex, trueup, order),
    inTransaction: (work) =>
      knex.transaction((trx) =>
        work({
          charge: async (userId, amount) =>
            trueup.within(await clientOf(trx)).debit({ userId, amount, reason: 'purchase' }),
          write: ({ id, userId, item, price }, state) =>
            trx('orders').insert({ id, user_id: userId, item, price, state }),
        }),
      ),
    close: () => knex.destroy(),
  };
});

test('a nested transaction runs on the same connection, and none is taken from the pool', async () => {
  const trueup = await own.trueup();
  const walletId = await trueup.openWallet({ userId: 'ada' });
  const knex = openKnex({
    client: 'pg',
    connection: { connectionString: own.url },
    pool: { min: 0, max: 1 },
  });
  const award = { walletId, amount: 1n, reason: 'winner' };
  for (let round = 0; round < 3; round += 1) {
    await knex.transaction(async (trx) => {
      await trueup.within(await clientOf(trx)).credit(award);
      const nested = trx.transaction(async (inner) => {
        expect(await clientOf(inner)).toBe(await clientOf(trx));
        await trueup.within(await clientOf(inner)).credit(award);
        throw new Error('no');
      });
      await expect(nested).rejects.toThrow('no');
    });
  }
  expect(await own.value('SELECT balance FROM trueup.wallets')).toBe('3');
  await knex.destroy();
});
