import { expect, test } from 'vitest';
import { createDatabase } from '../support/database.js';

const db = await createDatabase('own');

test('works', async () => {
  const trueup = await db.trueup();
  const walletId = await trueup.openWallet({ userId: 'a' });
  expect(
    await trueup.credit({ walletId, amount: 5n, reason: 'winner', idempotencyKey: 'k' }),
  ).toMatchObject({ status: 'posted', balanceAfter: 5n });
  expect(
    await db.rows('select balance::text, lifetime_earnings::text e from trueup.profiles'),
  ).toEqual([{ balance: '5', e: '5' }]);
});
