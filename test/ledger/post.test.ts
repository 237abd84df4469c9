import { beforeEach, describe, expect, test } from 'vitest';
import type { Amount } from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import { caches, createEconomy, type Economy } from '../support/economy.js';

/** credit and debit, on Trueup's own tables and on those of an application. */

const own = await createDatabase('own');
const db = await createDatabase('empty');
const trueup = await own.trueup();

test('an entry carries what the caller says of it', async () => {
  const walletId = await trueup.openWallet({ userId: 'a' });
  const outcome = await trueup.credit({
    walletId,
    amount: 5n,
    reason: 'winner',
    note: 'finals; "quoted"',
    metadata: { match: 7, tags: ['x'] },
    actor: 'referee',
    idempotencyKey: 'key-1',
  });
  expect(
    await own.rows(
      `SELECT id::text, amount::text, reason, note, metadata, actor, idempotency_key AS key FROM trueup.entries`,
    ),
  ).toEqual([
    {
      id: outcome.status === 'posted' && outcome.entryId,
      amount: '5',
      reason: 'winner',
      note: 'finals; "quoted"',
      metadata: { match: 7, tags: ['x'] },
      actor: 'referee',
      key: 'key-1',
    },
  ]);
});

test('a key that is used for two wallets at once posts for one of them', async () => {
  const wallets = await Promise.all(
    ['b', 'c', 'd', 'e'].map((userId) => trueup.openWallet({ userId })),
  );
  const outcomes = await Promise.all(
    wallets.map((walletId) =>
      trueup.credit({ walletId, amount: 1n, reason: 'winner', idempotencyKey: 'one' }),
    ),
  );
  const posted = outcomes.filter(({ status }) => status === 'posted');
  expect(posted).toHaveLength(1);
  expect(
    outcomes.filter((one) => one.status === 'refused' && one.code === 'idempotency_conflict'),
  ).toHaveLength(3);
  expect(await own.value(`SELECT count(*) FROM trueup.entries WHERE idempotency_key = 'one'`)).toBe(
    '1',
  );
});

test.each([
  [{ amount: 1n, reason: 'winner' }],
  [{ amount: 1n, reason: 'winner', walletId: '1', userId: 'a' }],
  [{ amount: 1n, reason: ' ', walletId: '1' }],
  [{ amount: 1n, reason: 'winner', walletId: '1', idempotencyKey: '' }],
])('%o is a wrong argument', async (request) => {
  await expect(trueup.credit(request)).rejects.toMatchObject({ code: 'invalid_argument' });
});

test.each([0, -5, 1.5, Number.NaN, '1.0', '5 coins', 2n ** 60n, null])(
  'the amount %s is refused as a value, and nothing is posted',
  async (wrong) => {
    const walletId = await trueup.openWallet({ userId: 'amounts' });
    const amount = wrong as unknown as Amount;
    for (const verb of ['credit', 'debit'] as const) {
      expect(await trueup[verb]({ walletId, amount, reason: 'winner' })).toMatchObject({
        status: 'refused',
        code: 'invalid_amount',
      });
    }
    expect(await trueup.getBalanceDrift(walletId)).toMatchObject({ ledgerBalance: 0n });
  },
);

describe('on adopted tables', () => {
  let economy: Economy;
  beforeEach(async () => {
    await db.run('DROP SCHEMA IF EXISTS app CASCADE');
    economy = await createEconomy(db, 2, { balanceAfter: true });
  });

  test('the same verbs, with the columns that the mapping names', async () => {
    const adopted = await db.trueup({ config: economy.mapping });
    await adopted.installSync();
    expect(
      await adopted.credit({ userId: '1', amount: 50n, reason: 'winner', idempotencyKey: 'k' }),
    ).toMatchObject({
      status: 'posted',
      balanceAfter: 50n,
      replayed: false,
    });
    expect(
      await adopted.debit({ walletId: '1', amount: 20n, reason: 'entry_fee_debit' }),
    ).toMatchObject({
      balanceAfter: 30n,
    });
    expect(
      await adopted.debit({ walletId: '1', amount: 31n, reason: 'entry_fee_debit' }),
    ).toMatchObject({
      code: 'insufficient_funds',
    });
    expect((await caches(db, economy))[0]).toBe('1 30 50 | 30 50');
    await expect(
      adopted.credit({ walletId: '1', amount: 1n, reason: 'winner', note: 'hello' }),
    ).rejects.toMatchObject({
      code: 'feature_off',
      message: expect.stringContaining('ledger.note') as string,
    });
    await expect(adopted.openWallet({ userId: '9' })).rejects.toMatchObject({
      code: 'feature_off',
    });
  });

  test('a column that the ledger demands and the mapping does not name is named', async () => {
    await db.run('ALTER TABLE app.ledger ADD COLUMN tournament integer NOT NULL');
    const adopted = await db.trueup({ config: economy.mapping });
    await adopted.installSync();
    await expect(
      adopted.credit({ walletId: '1', amount: 1n, reason: 'winner' }),
    ).rejects.toMatchObject({
      code: 'feature_off',
      message: expect.stringContaining('"tournament"') as string,
    });
  });
});
