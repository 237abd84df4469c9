import { beforeAll, describe, expect, test } from 'vitest';
import type { SpendingLimitRequest, Trueup, WalletLimits } from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import { createEconomy } from '../support/economy.js';
import { adopt, held, posted } from '../reads/support.js';

/** Limits as they may be given, and ids as they may be spelt. */

const own = await createDatabase('own');
const db = await createDatabase('empty');
const trueup = await own.trueup();
let walletId = '';
beforeAll(async () => {
  walletId = await trueup.openWallet({});
});

describe('setWalletLimits', () => {
  const limits = async (): Promise<string> =>
    own.value(
      `SELECT concat_ws(' ', allow_overdraft, coalesce(min_balance::text, '-'), coalesce(max_balance::text, '-'))
         FROM trueup.wallets WHERE id = $1`,
      [walletId],
    );

  test.each<readonly [WalletLimits, string]>([
    [{ allowOverdraft: true, minBalance: -500n }, 't -500 -'],
    [{ minBalance: -500 }, 't -500 -'],
    [{ minBalance: '-0700', maxBalance: '1000' }, 't -700 1000'],
    [{ minBalance: 0, maxBalance: 0n }, 't 0 0'],
    [
      { minBalance: -(2n ** 63n - 1n), maxBalance: 2n ** 63n - 1n },
      `t ${String(-(2n ** 63n - 1n))} ${String(2n ** 63n - 1n)}`,
    ],
    [{ minBalance: null, maxBalance: null }, 't - -'],
    [{ allowOverdraft: false, minBalance: undefined }, 'f - -'],
  ])('%o', async (given, expected) => {
    await trueup.setWalletLimits(walletId, given);
    expect(await limits()).toBe(expected);
  });

  test.each<[object]>([
    [{}],
    [{ minBalance: undefined }],
    [{ minBalance: 1n }],
    [{ maxBalance: -1n }],
    [{ minBalance: 'abc' }],
    [{ minBalance: '1e3' }],
    [{ maxBalance: Number.NaN }],
    [{ maxBalance: 1.5 }],
    [{ maxBalance: 2n ** 63n }],
    [{ maxBalance: 2n ** 70n }],
    [{ minBalance: -(2n ** 63n) }],
    [{ maxBalance: '99999999999999999999' }],
    [{ allowOverdraft: 'false' }],
    [{ allowOverdraft: null }],
    [{ overdraft: true }],
  ])('%o is a wrong argument, and changes nothing', async (wrong) => {
    const before = await limits();
    await expect(trueup.setWalletLimits(walletId, wrong as WalletLimits)).rejects.toMatchObject({
      code: 'invalid_argument',
    });
    expect(await limits()).toBe(before);
  });

  test('farther than a narrow column of an adopted wallet can go', async () => {
    await db.run('DROP SCHEMA IF EXISTS app CASCADE');
    const { mapping } = await createEconomy(db, 1);
    await db.run('ALTER TABLE app.wallet ADD COLUMN ceiling bigint');
    const wallet = { ...mapping.wallet, maxBalance: 'ceiling' };
    const adopted = await db.trueup({ config: { ...mapping, wallet } });
    await adopted.setWalletLimits('1', { maxBalance: 2_147_483_647 });
    await expect(adopted.setWalletLimits('1', { maxBalance: 2_147_483_648 })).rejects.toMatchObject(
      { code: 'invalid_argument' },
    );
    await expect(adopted.setWalletLimits('1', { minBalance: 0 })).rejects.toMatchObject({
      code: 'feature_off',
    });
    await expect(adopted.setWalletLimits('2', { maxBalance: 5 })).rejects.toMatchObject({
      code: 'wallet_not_found',
    });
  });
});

describe('setSpendingLimit', () => {
  const right = { windowSeconds: 86_400 } as const;

  test.each([5n, 5, '5', '0005'])('takes the coins %o', async (amount) => {
    const limit = await trueup.setSpendingLimit({ ...right, walletId, amount });
    expect(limit).toEqual({ ...right, limitId: limit.limitId, walletId, reason: null, amount: 5n });
    expect(await trueup.spendingLimits()).toContainEqual(limit);
    expect(await trueup.removeSpendingLimit(limit.limitId)).toBe(true);
    expect(await trueup.removeSpendingLimit(limit.limitId)).toBe(false);
  });

  test.each<[object, string]>([
    [{ walletId: '987654321' }, 'wallet_not_found'],
    [{ walletId: 'abc' }, 'wallet_not_found'],
    [{ walletId: 5 }, 'invalid_argument'],
    [{ reason: 'unheard' }, 'invalid_argument'],
    [{ amount: 1.5 }, 'invalid_argument'],
    [{ amount: -1 }, 'invalid_argument'],
    [{ amount: 2n ** 53n }, 'invalid_argument'],
    [{ amount: undefined }, 'invalid_argument'],
    [{ windowSeconds: 0 }, 'invalid_argument'],
    [{ windowSeconds: 1.5 }, 'invalid_argument'],
    [{ windowSeconds: 2 ** 31 }, 'invalid_argument'],
    [{ windowSeconds: undefined }, 'invalid_argument'],
  ])('%o: %s', async (wrong, code) => {
    const request = { ...right, amount: 5n, ...wrong } as SpendingLimitRequest;
    await expect(trueup.setSpendingLimit(request)).rejects.toMatchObject({ code });
    expect(await trueup.spendingLimits()).toEqual([]);
  });
});

test('openWallet gives the wallet that is there, and another one each time without a user', async () => {
  const first = await trueup.openWallet({ userId: 'ada' });
  expect(await trueup.openWallet({ userId: 'ada', allowOverdraft: true })).toBe(first);
  expect(await trueup.openWallet({ userId: 'ada', currency: 'gems' })).not.toBe(first);
  const nobodys = [await trueup.openWallet({}), await trueup.openWallet({ userId: undefined })];
  expect(new Set(nobodys).size).toBe(2);
});

describe('ids that are uuids', () => {
  const upper = (id: string): string => id.toUpperCase();
  let adopted: Trueup;
  let one = '';
  let two = '';
  beforeAll(async () => {
    const { economy, trueup: opened } = await adopt(db, 2, { idType: 'uuid' });
    adopted = opened;
    [one, two] = [economy.id(1), economy.id(2)].map((id) => id.replace('8000', '800a')) as [
      string,
      string,
    ];
    await db.run('UPDATE app.wallet SET id = CASE profile_id WHEN $1 THEN $2::uuid ELSE $3 END', [
      economy.id(101),
      one,
      two,
    ]);
  });

  test('may be spelt in upper case, in postings', async () => {
    const credit = { amount: 50n, reason: 'winner', idempotencyKey: 'upper' };
    expect(await adopted.credit({ walletId: upper(one), ...credit })).toMatchObject({
      walletId: one,
    });
    expect(await adopted.credit({ walletId: one, ...credit })).toMatchObject({ replayed: true });
    expect(
      await adopted.transfer({ from: { walletId: upper(one) }, to: { walletId: two }, amount: 5n }),
    ).toMatchObject({ status: 'posted' });
    expect(
      await adopted.transfer({ from: { walletId: upper(one) }, to: { walletId: one }, amount: 5n }),
    ).toMatchObject({ code: 'same_wallet' });
  });

  test('in holds, everywhere', async () => {
    await adopted.credit({ walletId: one, amount: 50n, reason: 'winner' });
    const hold = held(await adopted.hold({ walletId: upper(one), amount: 9n, reason: 'purchase' }));
    const holdId = upper(hold.holdId);
    const to = { walletId: upper(two) };
    posted(await adopted.capture({ holdId, amount: 4n, to }));
    expect(await adopted.release({ holdId })).toMatchObject({
      status: 'released',
      hold: { holdId: hold.holdId },
    });
  });

  test('in reads and settings', async () => {
    expect(await adopted.balance({ walletId: upper(one) })).toMatchObject({ walletId: one });
    const { entries, nextCursor } = await adopted.history({ walletId: upper(one), limit: 1 });
    expect(entries).toMatchObject([{ walletId: one }]);
    await adopted.history({ walletId: one, cursor: nextCursor });
    const limit = await adopted.setSpendingLimit({
      walletId: upper(one),
      amount: 0,
      windowSeconds: 2_000_000_000,
    });
    expect(limit).toMatchObject({ walletId: one });
    expect(await adopted.debit({ walletId: one, amount: 1, reason: 'purchase' })).toMatchObject({
      code: 'limit_exceeded',
    });
    expect(await adopted.getBalanceDrift(upper(one))).toMatchObject({ walletId: one });
  });
});

test('what is too long for a column of the application is a wrong argument that says so', async () => {
  await db.run('DROP SCHEMA IF EXISTS app CASCADE');
  const { mapping } = await createEconomy(db, 1);
  await db.run('ALTER TABLE app.ledger ALTER COLUMN key TYPE varchar(8)');
  const adopted = await db.trueup({ config: mapping });
  await adopted.installSync();
  const credit = { walletId: '1', amount: 1n, reason: 'winner' };
  const [short, long, none] = await Promise.allSettled(
    ['12345678', '123456789', undefined].map((idempotencyKey) =>
      adopted.credit({ ...credit, idempotencyKey }),
    ),
  );
  expect(short).toMatchObject({ value: { status: 'posted' } });
  expect(none).toMatchObject({ value: { status: 'posted' } });
  expect(long).toMatchObject({
    reason: {
      code: 'invalid_argument',
      message: expect.stringContaining('character varying(8)') as string,
    },
  });
});
