import { beforeEach, describe, expect, test } from 'vitest';
import type { ActivityEvent, ActivityRequest, Trueup } from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import { adopt, ID_TYPES } from './support.js';

/** Activity as it is read from the ledger: every entry of a user's wallets, newest first. */

const db = await createDatabase('own');

async function everything(trueup: Trueup, request: ActivityRequest): Promise<ActivityEvent[]> {
  const all: ActivityEvent[] = [];
  let cursor: string | null = null;
  do {
    const page = await trueup.activity({ ...request, cursor });
    all.push(...page.events);
    cursor = page.nextCursor;
  } while (cursor !== null);
  return all;
}

describe('own tables', () => {
  let trueup: Trueup;
  let coins: string;
  let gems: string;
  let round = 0;
  let userId: string;

  beforeEach(async () => {
    trueup = await db.trueup();
    round += 1;
    userId = `ada ${String(round)}`;
    coins = await trueup.openWallet({ userId });
    gems = await trueup.openWallet({ userId, currency: 'gems' });
    for (let n = 1; n <= 7; n += 1) {
      await trueup.credit({ walletId: coins, amount: BigInt(10 * n), reason: 'winner' });
      await trueup.credit({ walletId: gems, currency: 'gems', amount: BigInt(n), reason: 'top4' });
      await trueup.debit({ walletId: coins, amount: 1n, reason: 'purchase', note: 'hat' });
    }
  });

  test('an event carries amount, type, reason and source', async () => {
    const { events } = await trueup.activity({ userId, limit: 2 });
    expect(events).toEqual([
      {
        userId,
        type: 'coins_spent',
        amount: 1n,
        reason: 'purchase',
        note: 'hat',
        sourceModel: 'entries',
        sourceId: expect.any(String) as string,
        walletId: coins,
        balanceAfter: 273n,
        occurredAt: expect.any(Date) as Date,
      },
      expect.objectContaining({
        type: 'coins_earned',
        amount: 7n,
        walletId: gems,
        balanceAfter: 28n,
      }),
    ]);
  });

  test.each([1, 2, 5, 20, 21, 22, 1000])(
    'pages of %i: none twice, none missed, newest first',
    async (limit) => {
      const all = await everything(trueup, { userId, limit });
      expect(all).toHaveLength(21);
      expect(new Set(all.map(({ sourceId }) => sourceId)).size).toBe(21);
      for (const walletId of [coins, gems]) {
        const ids = all
          .filter((one) => one.walletId === walletId)
          .map(({ sourceId }) => Number(sourceId));
        expect(ids).toEqual([...ids].sort((a, b) => b - a));
      }
      const times = all.map(({ occurredAt }) => occurredAt?.getTime() ?? 0);
      expect(times).toEqual([...times].sort((a, b) => b - a));
    },
  );

  test('entries that are written between two pages do not disturb the next', async () => {
    const first = await trueup.activity({ userId, limit: 10 });
    await trueup.credit({ walletId: gems, currency: 'gems', amount: 99n, reason: 'top4' });
    await trueup.credit({ walletId: coins, amount: 99n, reason: 'winner' });
    const second = await trueup.activity({ userId, limit: 100, cursor: first.nextCursor });
    const ids = [...first.events, ...second.events].map(({ sourceId }) => sourceId);
    expect(new Set(ids).size).toBe(21);
    expect(second.nextCursor).toBeNull();
  });

  test('one type only, and a stretch of time', async () => {
    const spent = await everything(trueup, { userId, type: 'coins_spent', limit: 3 });
    expect(spent).toHaveLength(7);
    expect(spent.every(({ type, amount }) => type === 'coins_spent' && amount === 1n)).toBe(true);
    expect(await everything(trueup, { userId, from: new Date(Date.now() + 60_000) })).toEqual([]);
  });

  test('a user without wallet, nobody, and what is wrong', async () => {
    await db.run('INSERT INTO trueup.profiles (user_id) VALUES ($1)', [`bare ${userId}`]);
    expect(await trueup.activity({ userId: `bare ${userId}` })).toEqual({
      events: [],
      nextCursor: null,
    });
    await expect(trueup.activity({ userId: 'nobody' })).rejects.toMatchObject({
      code: 'user_not_found',
    });
    await expect(trueup.activity({ userId, limit: 0 })).rejects.toMatchObject({
      code: 'invalid_argument',
    });
    const { nextCursor } = await trueup.activity({ userId, limit: 3 });
    await expect(trueup.activity({ userId: `bare ${userId}`, cursor: nextCursor })).rejects.toThrow(
      'another user',
    );
    await expect(trueup.activity({ userId, cursor: 'nonsense' })).rejects.toMatchObject({
      code: 'invalid_argument',
    });
    const history = await trueup.history({ walletId: coins, limit: 1 });
    await expect(trueup.activity({ userId, cursor: history.nextCursor })).rejects.toThrow(
      'not one of activity',
    );
  });

  test('the view shows the same, and finds a user by index', async () => {
    const rows = await db.rows(
      'SELECT source_id, event_type, amount, reason, wallet_id, balance_after FROM trueup.activity WHERE user_id = $1 ORDER BY source_id DESC',
      [userId],
    );
    const all = await everything(trueup, { userId });
    expect(rows).toEqual(
      all
        .sort((one, other) => Number(other.sourceId) - Number(one.sourceId))
        .map(({ sourceId, type, amount, reason, walletId, balanceAfter }) => ({
          source_id: sourceId,
          event_type: type,
          amount: String(amount),
          reason,
          wallet_id: walletId,
          balance_after: String(balanceAfter),
        })),
    );
    await db.run(`
      INSERT INTO trueup.profiles (user_id) SELECT 'many ' || n FROM generate_series(1, 2000) n ON CONFLICT DO NOTHING;
      INSERT INTO trueup.wallets (profile_id) SELECT id FROM trueup.profiles p WHERE NOT EXISTS (SELECT FROM trueup.wallets w WHERE w.profile_id = p.id);
      INSERT INTO trueup.entries (wallet_id, amount, reason) SELECT id, 5, 'winner' FROM trueup.wallets, generate_series(1, 3) WHERE currency = 'coins'`);
    await db.run('VACUUM ANALYZE trueup.profiles, trueup.wallets, trueup.entries');
    const plan = await db.rows<{ 'QUERY PLAN': string }>(
      'EXPLAIN SELECT * FROM trueup.activity WHERE user_id = $1',
      [userId],
    );
    const text = plan.map((row) => row['QUERY PLAN']).join('\n');
    expect(text).not.toContain('Seq Scan');
    expect(text).toContain('profiles_user_id_key');
  });
});

describe.each(ID_TYPES)('adopted tables with %s ids', (idType) => {
  test('every entry of the user, once', async () => {
    const { economy, trueup } = await adopt(db, 3, { idType, foreignKeys: false });
    for (let n = 1; n <= 9; n += 1) {
      await db.run(`INSERT INTO ${economy.ledger} (wallet_id, amount) VALUES ($1, $2), ($3, 5)`, [
        economy.id(1),
        n % 3 === 0 ? -n : n,
        economy.id(2),
      ]);
    }
    const all = await everything(trueup, { userId: '1', limit: 4 });
    expect(all.map(({ amount }) => amount)).toEqual([9n, 8n, 7n, 6n, 5n, 4n, 3n, 2n, 1n]);
    expect(all.filter(({ type }) => type === 'coins_spent')).toHaveLength(3);
    expect(all[0]).toMatchObject({ sourceModel: 'ledger', userId: '1', balanceAfter: null });
  });
});
