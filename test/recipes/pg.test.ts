import { expect, test } from 'vitest';
import { createDatabase } from '../support/database.js';
import { createPool } from './fixtures/pool.js';
import { inTransaction, placeOrder } from './fixtures/pg.js';
import { testRecipe } from './harness.js';

const own = await createDatabase('own');

await testRecipe((url, trueup) => {
  const pool = createPool(url);
  return {
    placeOrder: (order) => placeOrder(pool, trueup, order),
    inTransaction: (work) =>
      inTransaction(pool, (client) =>
        work({
          charge: (userId, amount) =>
            trueup.within(client).debit({ userId, amount, reason: 'purchase' }),
          write: ({ id, userId, item, price }, state) =>
            client.query('INSERT INTO orders VALUES ($1, $2, $3, $4, $5)', [
              id,
              userId,
              item,
              price,
              state,
            ]),
        }),
      ),
    close: () => pool.end(),
  };
});

test('a connection that is still in its transaction is not used again', async () => {
  const pool = createPool(`${own.url}${own.url.includes('?') ? '&' : '?'}query_timeout=200`);
  const slow = inTransaction(pool, (client) => client.query('SELECT pg_sleep(2)'));
  await expect(slow).rejects.toThrow('timeout');
  expect(pool.totalCount).toBe(0);
  await pool.end();
});
