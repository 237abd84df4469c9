import { beforeEach, describe, expect, test } from 'vitest';
import type { Trueup } from '../../src/index.js';
import { createDatabase } from '../support/database.js';

/** Trueup's own tables: their guard refuses, and what Trueup writes itself passes. */

const db = await createDatabase('own');
let trueup: Trueup;
let wallet: string;
let user = 0;

beforeEach(async () => {
  trueup = await db.trueup();
  user += 1;
  wallet = await trueup.openWallet({ userId: `user ${String(user)}` });
  await trueup.credit({ walletId: wallet, amount: 100n, reason: 'winner' });
});

const CACHES = ['balance', 'lifetime_earnings', 'pending_balance'];

describe('the guard of own tables', () => {
  test('stands as soon as they are there', async () => {
    expect(await trueup.syncStatus()).toMatchObject({
      state: 'installed',
      guard: 'refuse',
      protected: true,
      triggers: [
        { key: 'sync', state: 'installed' },
        { key: 'protection', state: 'installed' },
        { key: 'guard wallet', state: 'installed' },
        { key: 'guard profile', state: 'installed' },
      ],
    });
  });

  test.each(CACHES)('refuses to set %s of a wallet', async (column) => {
    const app = await db.connect();
    await expect(
      app.query(`UPDATE trueup.wallets SET ${column} = ${column} + 1 WHERE id = $1`, [wallet]),
    ).rejects.toMatchObject({ code: 'TU007' });
    await app.query('UPDATE trueup.wallets SET max_balance = 1000 WHERE id = $1', [wallet]);
  });

  test.each(['balance', 'lifetime_earnings'])('and %s of a profile', async (column) => {
    const app = await db.connect();
    await expect(
      app.query(`UPDATE trueup.profiles SET ${column} = 7 WHERE user_id = $1`, [
        `user ${String(user)}`,
      ]),
    ).rejects.toMatchObject({ code: 'TU007' });
  });

  test('a removal by a person takes it away, and opening does not bring it back', async () => {
    await trueup.removeSync();
    const again = await db.trueup();
    expect(await again.syncStatus()).toMatchObject({
      state: 'missing',
      guard: 'off',
      protected: true,
    });
    await db.run(`UPDATE trueup.wallets SET balance = balance`);
    await again.installSync();
    expect(await again.syncStatus()).toMatchObject({ state: 'installed', guard: 'refuse' });
  });

  test('whatever Trueup does by itself passes: holds, expiry, settings, repairs, services', async () => {
    const held = await trueup.hold({ walletId: wallet, amount: 40n, reason: 'purchase' });
    if (held.status !== 'held') throw new Error(held.message);
    await trueup.capture({ holdId: held.hold.holdId, amount: 10n });
    await trueup.release({ holdId: held.hold.holdId });
    await trueup.hold({ walletId: wallet, amount: 5n, reason: 'purchase' });
    await db.run(
      `UPDATE trueup.holds SET expires_at = now() - interval '1 hour' WHERE state = 'open'`,
    );
    expect(await trueup.expireHolds()).toBe(1);
    await trueup.setWalletLimits(wallet, { maxBalance: 5000n });
    await db.run('UPDATE trueup.wallets SET balance = 1, pending_balance = 1 WHERE id = $1', [
      wallet,
    ]);
    expect(await trueup.syncWalletToProfile(wallet)).toMatchObject({ walletBalanceSynced: true });
    await db.run('UPDATE trueup.profiles SET balance = 1 WHERE user_id = $1', [
      `user ${String(user)}`,
    ]);
    expect(await trueup.reconcile({ all: true })).toMatchObject({ findings: 1, repaired: 1 });
  });
});

describe('within somebody else’s transaction', () => {
  const pending = (): Promise<string> =>
    db.value('SELECT pending_balance::text FROM trueup.wallets WHERE id = $1', [wallet]);
  const forbidden = 'UPDATE trueup.wallets SET balance = 1000000 WHERE id = $1';

  test.each([
    ['never set', []],
    ['something else', [`SET trueup.writer = 'a b'`]],
  ])(
    'holds pass, and the caller’s own statements do not: the setting was %s',
    async (_, before) => {
      const app = await db.connect();
      for (const text of before) await app.query(text);
      const setting = async (): Promise<unknown> =>
        (
          await app.query<{ s: string }>(
            `SELECT coalesce(current_setting('trueup.writer', true), '') AS s`,
          )
        ).rows[0]?.s;
      const was = await setting();
      await app.query('BEGIN');
      const within = trueup.within(app);
      const held = await within.hold({ walletId: wallet, amount: 30n, reason: 'purchase' });
      if (held.status !== 'held') throw new Error(held.message);
      expect(await setting()).toBe(was);
      await app.query('SAVEPOINT mine');
      await expect(app.query(forbidden, [wallet])).rejects.toMatchObject({ code: 'TU007' });
      await app.query('ROLLBACK TO mine');
      await within.capture({ holdId: held.hold.holdId, amount: 10n });
      await within.debit({ walletId: wallet, amount: 1n, reason: 'purchase' });
      expect(await setting()).toBe(was);
      await app.query('COMMIT');
      expect(await setting()).toBe(was);
      expect(await pending()).toBe('20');
      await expect(app.query(forbidden, [wallet])).rejects.toMatchObject({ code: 'TU007' });
      expect(await trueup.reconcile({ all: true, dryRun: true })).toMatchObject({ findings: 0 });
    },
  );

  test('after an error too the caller is guarded', async () => {
    await db.run(`
      CREATE FUNCTION public.fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;
      CREATE TRIGGER fail BEFORE UPDATE OF pending_balance ON trueup.wallets FOR EACH ROW EXECUTE FUNCTION public.fail()`);
    const app = await db.connect();
    await app.query('BEGIN');
    await expect(
      trueup.within(app).hold({ walletId: wallet, amount: 30n, reason: 'purchase' }),
    ).rejects.toMatchObject({ code: 'database_failed' });
    await db.run('SELECT 1');
    await expect(app.query(forbidden, [wallet])).rejects.toMatchObject({ code: 'TU007' });
    await app.query('ROLLBACK');
    await db.run('DROP TRIGGER fail ON trueup.wallets');
  });
});
