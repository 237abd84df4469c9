import { beforeEach, describe, expect, test } from 'vitest';
import { createDatabase } from '../support/database.js';
import { createEconomy } from '../support/economy.js';
import { adopt, held, ID_TYPES, NUMERIC } from './support.js';

/** balance: what a wallet holds, what is on hold, what is available. */

const own = await createDatabase('own');
const db = await createDatabase('empty');
const trueup = await own.trueup();

describe('own tables', () => {
  let walletId = '';
  let userId = '';
  let count = 0;
  beforeEach(async () => {
    count += 1;
    userId = `user ${String(count)}`;
    walletId = await trueup.openWallet({ userId });
    await trueup.credit({ walletId, amount: 100n, reason: 'winner' });
  });

  test('by wallet and by user, with everything that is asked of a wallet', async () => {
    const expected = {
      walletId,
      userId,
      currency: 'coins',
      balance: 100n,
      held: 0n,
      available: 100n,
      frozen: false,
      frozenReason: null,
    };
    expect(await trueup.balance({ walletId })).toEqual(expected);
    expect(await trueup.balance({ userId })).toEqual(expected);
    await own.run(
      `UPDATE trueup.wallets SET frozen = true, frozen_reason = 'chargeback' WHERE id = $1`,
      [walletId],
    );
    expect(await trueup.balance({ userId, currency: 'coins' })).toEqual({
      ...expected,
      frozen: true,
      frozenReason: 'chargeback',
    });
  });

  test('an empty wallet holds nothing, and a wallet without profile has no user', async () => {
    const empty = await trueup.openWallet({ currency: 'gems' });
    expect(await trueup.balance({ walletId: empty })).toMatchObject({
      userId: null,
      currency: 'gems',
      balance: 0n,
      available: 0n,
    });
  });

  test('the ledger says it, not the cache', async () => {
    await own.run('UPDATE trueup.wallets SET balance = 7 WHERE id = $1', [walletId]);
    expect(await trueup.balance({ walletId })).toMatchObject({ balance: 100n, available: 100n });
  });

  test('holds count at once, and what is captured or released no more', async () => {
    const hold = held(await trueup.hold({ walletId, amount: 30n, reason: 'purchase' }));
    await trueup.hold({ walletId, amount: 5n, reason: 'purchase' });
    const seen = async (): Promise<bigint[]> => {
      const { balance, held: onHold, available } = await trueup.balance({ walletId });
      return [balance, onHold, available];
    };
    expect(await seen()).toEqual([100n, 35n, 65n]);
    await trueup.capture({ holdId: hold.holdId, amount: 10n });
    expect(await seen()).toEqual([90n, 25n, 65n]);
    await trueup.release({ holdId: hold.holdId });
    expect(await seen()).toEqual([90n, 5n, 85n]);
  });

  test('a hold whose time is over does not count, though nobody has closed it', async () => {
    await trueup.hold({ walletId, amount: 30n, reason: 'purchase', expiresInSeconds: 0.2 });
    await trueup.hold({ walletId, amount: 20n, reason: 'purchase', expiresInSeconds: 3600 });
    expect(await trueup.balance({ walletId })).toMatchObject({ held: 50n, available: 50n });
    await new Promise((resolve) => setTimeout(resolve, 250));
    expect(await trueup.balance({ walletId })).toMatchObject({ held: 20n, available: 80n });
    expect(
      await own.value(`SELECT count(*) FROM trueup.holds WHERE wallet_id = $1 AND state = 'open'`, [
        walletId,
      ]),
    ).toBe('2');
    expect(
      await trueup.debit({ walletId, amount: 80n, reason: 'purchase' }),
      'what is available can be spent',
    ).toMatchObject({ status: 'posted' });
  });

  test('of several wallets the primary one is meant, unless a currency is named', async () => {
    const gems = await trueup.openWallet({ userId, currency: 'gems' });
    expect(await trueup.balance({ userId })).toMatchObject({ walletId });
    expect(await trueup.balance({ userId, currency: 'gems' })).toMatchObject({ walletId: gems });
    await expect(trueup.balance({ userId, currency: 'dust' })).rejects.toMatchObject({
      code: 'wallet_not_found',
    });
    await expect(trueup.balance({ walletId, currency: 'gems' })).rejects.toMatchObject({
      code: 'wallet_not_found',
    });
  });

  test.each([
    [{ walletId: '999999' }, 'wallet_not_found'],
    [{ walletId: 'abc' }, 'wallet_not_found'],
    [{ walletId: '1.0' }, 'wallet_not_found'],
    [{ walletId: '99999999999999999999' }, 'wallet_not_found'],
    [{ userId: 'nobody' }, 'user_not_found'],
    [{ userId: 'null\0character' }, 'invalid_argument'],
    [{}, 'invalid_argument'],
    [{ walletId: '' }, 'invalid_argument'],
    [{ walletId: '1', userId: 'user 1' }, 'invalid_argument'],
    [{ userId: 'user 1', currency: '' }, 'invalid_argument'],
  ])('%o: %s, by every read', async (reference, code) => {
    await expect(trueup.balance(reference)).rejects.toMatchObject({ code });
    await expect(trueup.balanceAt({ ...reference, at: new Date() })).rejects.toMatchObject({
      code,
    });
    await expect(trueup.history(reference)).rejects.toMatchObject({ code });
    await expect(trueup.holds(reference)).rejects.toMatchObject({ code });
    await expect(trueup.statement({ ...reference, format: 'csv' })).rejects.toMatchObject({
      code,
    });
  });

  test('a user without a wallet has none', async () => {
    await own.run(`INSERT INTO trueup.profiles (user_id) VALUES ('walletless')`);
    await expect(trueup.balance({ userId: 'walletless' })).rejects.toMatchObject({
      code: 'wallet_not_found',
    });
  });
});

describe('adopted tables', () => {
  test.each(ID_TYPES)('with ids of type %s: the cache, and the holds', async (idType) => {
    const { economy, trueup: adopted } = await adopt(db, 2, { idType });
    const walletId = economy.id(1);
    await db.run(`INSERT INTO app.ledger (wallet_id, amount) VALUES ($1, 50)`, [walletId]);
    await adopted.hold({ walletId, amount: 20n, reason: 'purchase' });
    const expected = { walletId, userId: '1', currency: null, balance: 50n, held: 20n };
    expect(await adopted.balance({ walletId })).toMatchObject({ ...expected, available: 30n });
    expect(await adopted.balance({ userId: '1' })).toMatchObject(expected);
    await expect(adopted.balance({ walletId: economy.id(9) })).rejects.toMatchObject({
      code: 'wallet_not_found',
    });
    await expect(adopted.balance({ userId: 'ada' })).rejects.toMatchObject({
      code: 'user_not_found',
    });
    await expect(adopted.balance({ walletId, currency: 'coins' })).rejects.toMatchObject({
      code: 'feature_off',
      message: expect.stringContaining('wallet.currency') as string,
    });
  });

  test('what an application sets aside by itself is on hold as well', async () => {
    const { trueup: adopted } = await adopt(db, 1, { schema: 'aside' });
    await db.run(`INSERT INTO aside.ledger (wallet_id, amount) VALUES (1, 50)`);
    await db.run('UPDATE aside.wallet SET pending = 15 WHERE id = 1');
    expect(await adopted.balance({ walletId: '1' })).toMatchObject({ held: 15n, available: 35n });
    expect(
      await adopted.debit({ walletId: '1', amount: 36n, reason: 'purchase' }),
      'a debit agrees',
    ).toMatchObject({ status: 'refused', code: 'insufficient_funds' });
  });

  test('numeric columns are exact, and fractions are told', async () => {
    const { trueup: adopted } = await adopt(db, 1, NUMERIC);
    await db.run(`INSERT INTO app.ledger (wallet_id, amount) VALUES (1, 50)`);
    expect(await db.value('SELECT balance::text FROM app.wallet')).toBe('50.00');
    expect(await adopted.balance({ walletId: '1' })).toMatchObject({ balance: 50n });
    await db.run(`INSERT INTO app.ledger (wallet_id, amount) VALUES (1, 0.5)`);
    await expect(adopted.balance({ walletId: '1' })).rejects.toMatchObject({
      code: 'amount_not_whole',
    });
  });

  test('a user with several wallets is asked which', async () => {
    const { trueup: adopted } = await adopt(db, 2);
    await db.run('ALTER TABLE app.wallet DROP CONSTRAINT wallet_profile_id_key');
    await db.run('UPDATE app.wallet SET profile_id = 101');
    await expect(adopted.balance({ userId: '1' })).rejects.toMatchObject({
      code: 'invalid_argument',
      message: expect.stringContaining('several wallets') as string,
    });
    expect(await adopted.balance({ walletId: '2' })).toMatchObject({ userId: '1' });
  });

  test('where Trueup has never been, and may only read', async () => {
    const fresh = await createDatabase('empty');
    const economy = await createEconomy(fresh, 1);
    await fresh.run('ALTER TABLE app.wallet ADD COLUMN pending bigint NOT NULL DEFAULT 4');
    await fresh.run('UPDATE app.wallet SET balance = 10');
    const wallet = { ...economy.mapping.wallet, pendingBalance: 'pending' };
    const reader = await fresh.trueup({ config: { ...economy.mapping, wallet }, readOnly: true });
    expect(await reader.balance({ walletId: '1' })).toMatchObject({ balance: 10n, available: 6n });
    await expect(reader.holds({ walletId: '1' })).rejects.toMatchObject({
      code: 'schema_missing',
    });
  });
});
