import { describe, expect, test } from 'vitest';
import { createDatabase } from '../support/database.js';
import { adopt, allHolds, held, ID_TYPES } from './support.js';

/** holds: those of a wallet, newest first, by state. */

const own = await createDatabase('own');
const db = await createDatabase('empty');
const trueup = await own.trueup();

const later = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 250));

test('newest first, with what became of each, page by page', async () => {
  const walletId = await trueup.openWallet({ userId: 'ada' });
  const other = await trueup.openWallet({ userId: 'bob' });
  for (const wallet of [walletId, other]) {
    await trueup.credit({ walletId: wallet, amount: 1000n, reason: 'winner' });
    await trueup.hold({ walletId: wallet, amount: 1n, reason: 'withdrawal' });
  }
  const request = { walletId, amount: 10n, reason: 'purchase' };
  const captured = held(await trueup.hold(request));
  const partly = held(await trueup.hold(request));
  const released = held(await trueup.hold(request));
  const overdue = held(await trueup.hold({ ...request, expiresInSeconds: 0.2 }));
  await trueup.capture({ holdId: captured.holdId });
  await trueup.capture({ holdId: partly.holdId, amount: 4n });
  await trueup.release({ holdId: released.holdId });
  await later();

  const states = (state?: 'open' | 'captured' | 'released' | 'expired'): Promise<string[]> =>
    allHolds(trueup, { walletId, state, limit: 1 }).then((holds) =>
      holds.map((hold) => `${String(hold.amount)} ${hold.state} ${String(hold.held)}`),
    );
  expect(await states()).toEqual([
    '10 expired 0',
    '10 released 0',
    '10 open 6',
    '10 captured 0',
    '1 open 1',
  ]);
  expect(await states('open')).toEqual(['10 open 6', '1 open 1']);
  expect(await states('captured')).toEqual(['10 captured 0']);
  expect(await states('released')).toEqual(['10 released 0']);
  expect(await states('expired')).toEqual(['10 expired 0']);
  expect(await own.value('SELECT state FROM trueup.holds WHERE id = $1', [overdue.holdId])).toBe(
    'open',
  );
  await trueup.expireHolds();
  expect(await states('expired')).toEqual(['10 expired 0']);
  const { holds } = await trueup.holds({ userId: 'ada' });
  expect(holds.find(({ holdId }) => holdId === partly.holdId)).toEqual({
    holdId: partly.holdId,
    walletId,
    amount: 10n,
    captured: 4n,
    held: 6n,
    state: 'open',
    reason: 'purchase',
    expiresAt: null,
  });
});

test('holds of the same moment are each shown once', async () => {
  const walletId = await trueup.openWallet({});
  await trueup.credit({ walletId, amount: 1000n, reason: 'winner' });
  await trueup.post(
    [...Array(25).keys()].map(() => ({ type: 'hold', walletId, amount: 1n, reason: 'purchase' })),
  );
  expect(
    await own.value('SELECT count(DISTINCT created_at) FROM trueup.holds WHERE wallet_id = $1', [
      walletId,
    ]),
  ).toBe('1');
  const holds = await allHolds(trueup, { walletId, limit: 4 });
  expect(new Set(holds.map(({ holdId }) => holdId)).size).toBe(25);
  expect(holds).toHaveLength(25);
});

describe('adopted tables', () => {
  test.each(ID_TYPES)('with ids of type %s', async (idType) => {
    const schema = `holds_${idType}`;
    const { economy, trueup: adopted } = await adopt(db, 2, { idType, schema });
    const walletId = economy.id(2);
    await adopted.credit({ walletId, amount: 10n, reason: 'winner' });
    const hold = held(await adopted.hold({ walletId, amount: 4n, reason: 'purchase' }));
    expect((await adopted.holds({ userId: '2' })).holds).toEqual([hold]);
    expect((await adopted.holds({ walletId: economy.id(1) })).holds).toEqual([]);
  });

  test('without a column for pending balances there are no holds', async () => {
    const { economy } = await adopt(db, 1);
    const adopted = await db.trueup({ config: economy.mapping });
    await expect(adopted.holds({ walletId: '1' })).rejects.toMatchObject({
      code: 'feature_off',
      message: expect.stringContaining('wallet.pendingBalance') as string,
    });
  });
});

test.each([{ limit: 0 }, { limit: 1001 }, { state: 'lost' }, { cursor: 'x' }, { cursor: '' }])(
  '%o is a wrong argument',
  async (request) => {
    const walletId = await trueup.openWallet({});
    const wrong = { walletId, ...request } as Parameters<typeof trueup.holds>[0];
    await expect(trueup.holds(wrong)).rejects.toMatchObject({ code: 'invalid_argument' });
  },
);
