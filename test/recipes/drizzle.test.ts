import { expect, test } from 'vitest';
import { createDatabase } from '../support/database.js';
import { inTransaction, orders, placeOrder } from './fixtures/drizzle.js';
import { createPool } from './fixtures/pool.js';
import { testRecipe } from './harness.js';

const own = await createDatabase('own');

await testRecipe((url, trueup) => {
  const pool = createPool(url);
  return {
    placeOrder: (order) => placeOrder(pool, trueup, order),
    inTransaction: (work) =>
      inTransaction(pool, (tx, client) =>
        work({
          charge: (userId, amount) =>
            trueup.within(client).debit({ userId, amount, reason: 'purchase' }),
          write: (order, state) => tx.insert(orders).values({ ...order, state }),
        }),
      ),
    close: () => pool.end(),
  };
});

test('a nested transaction that is rolled back takes its coins back', async () => {
  const trueup = await own.trueup();
  const walletId = await trueup.openWallet({ userId: 'ada' });
  const pool = createPool(own.url);
  await inTransaction(pool, async (tx, client) => {
    const award = { walletId, amount: 1n, reason: 'winner' };
    await trueup.within(client).credit(award);
    const nested = tx.transaction(async () => {
      await trueup.within(client).credit(award);
      throw new Error('no');
    });
    await expect(nested).rejects.toThrow('no');
  });
  expect(await own.value('SELECT balance FROM trueup.wallets')).toBe('1');
  await pool.end();
});
