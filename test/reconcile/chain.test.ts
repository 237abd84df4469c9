import fc from 'fast-check';
import { beforeEach, expect, test } from 'vitest';
import { createDatabase } from '../support/database.js';
import { findings } from '../support/economy.js';

/**
 * The running balance of Trueup's own entries is checked without sorting them, by a sum of hashes.
 * Whatever is changed, the check has to see it; and of a whole chain it must never say a word.
 */

const db = await createDatabase('own');
const trueup = await db.trueup();
let walletId = '';

beforeEach(async () => {
  await db.run('ALTER TABLE trueup.entries DISABLE TRIGGER ALL');
  await db.run('DELETE FROM trueup.entries');
  await db.run('ALTER TABLE trueup.entries ENABLE TRIGGER ALL');
  await db.run('UPDATE trueup.wallets SET balance = 0, lifetime_earnings = 0');
  walletId = await trueup.openWallet({ allowOverdraft: true });
});

async function tamper(change: string): Promise<void> {
  await db.run('ALTER TABLE trueup.entries DISABLE TRIGGER ALL');
  await db.run(change);
  await db.run('ALTER TABLE trueup.entries ENABLE TRIGGER ALL');
}

const post = (amounts: readonly number[]): Promise<void> =>
  db.run(
    `INSERT INTO trueup.entries (wallet_id, amount, reason) SELECT $1, a, 'winner' FROM unnest($2::bigint[]) AS a`,
    [walletId, amounts],
  );

test.each([
  [
    'a balance',
    'UPDATE trueup.entries SET balance_after = balance_after + 1 WHERE seq = 3',
    { cached: '7', expected: '6' },
  ],
  [
    'the first balance',
    'UPDATE trueup.entries SET balance_after = 0 WHERE seq = 1',
    { cached: '0', expected: '1' },
  ],
  [
    'the last balance',
    'UPDATE trueup.entries SET balance_after = 16 WHERE seq = 5',
    { cached: '16', expected: '15' },
  ],
  [
    'two balances that were exchanged',
    'UPDATE trueup.entries SET balance_after = CASE seq WHEN 2 THEN 10 ELSE 3 END WHERE seq IN (2, 4)',
    { cached: '10', expected: '3' },
  ],
  [
    'two balances that are wrong by opposite amounts',
    'UPDATE trueup.entries SET balance_after = balance_after + CASE seq WHEN 2 THEN 5 ELSE -5 END WHERE seq IN (2, 4)',
    { cached: '8', expected: '3' },
  ],
  [
    'a gap in the numbers, with every balance right',
    'UPDATE trueup.entries SET seq = seq + 1 WHERE seq = 5',
    { cached: '15', expected: '15', delta: '0' },
  ],
])('%s', async (_, change, finding) => {
  await post([1, 2, 3, 4, 5]);
  expect(await findings(trueup)).toEqual([]);
  await tamper(change);
  expect(await findings(trueup)).toMatchObject([
    { walletId, part: 'wallet', field: 'balanceAfter', ...finding },
  ]);
});

test('an entry that was deleted is seen by its successor', async () => {
  await post([1, 2, 3]);
  await tamper('DELETE FROM trueup.entries WHERE seq = 2');
  expect((await findings(trueup)).filter(({ field }) => field === 'balanceAfter')).toMatchObject([
    { cached: '6', expected: '4' },
  ]);
});

test('whatever is changed in any history is seen, and an untouched history never', async () => {
  const amount = fc.integer({ min: -1000, max: 1000 }).filter((n) => n !== 0);
  const change = fc.record({
    place: fc.nat(),
    column: fc.constantFrom('balance_after', 'seq', 'amount'),
    by: amount,
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(amount, { minLength: 1, maxLength: 30 }),
      change,
      async (amounts, { place, column, by }) => {
        walletId = await trueup.openWallet({ allowOverdraft: true });
        await post(amounts);
        const mine = async (): Promise<object[]> =>
          (await findings(trueup)).filter((finding) => finding['walletId'] === walletId);
        expect(await mine()).toEqual([]);
        const seq = 1 + (place % amounts.length);
        if (column === 'amount' && (amounts[seq - 1] ?? 0) + by === 0) return;
        await tamper(`UPDATE trueup.entries SET ${column} = ${column} + ${String(by * 1000)}
                     WHERE wallet_id = ${walletId} AND seq = ${String(seq)}`);
        expect(await mine()).not.toEqual([]);
        await tamper(`UPDATE trueup.entries SET ${column} = ${column} - ${String(by * 1000)}
                     WHERE wallet_id = ${walletId} AND seq = ${column === 'seq' ? String(seq + by * 1000) : String(seq)}`);
        expect(await mine()).toEqual([]);
      },
    ),
    { numRuns: 25 },
  );
});
