import { beforeEach, describe, expect, test } from 'vitest';
import type { Finding, ReconcileOptions, ReconcileSummary, Trueup } from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import { caches, createEconomy, type Economy } from '../support/economy.js';

/** Whom a run is asked to look at, and what it refuses before it changes anything. */

const db = await createDatabase('empty');
let economy: Economy;
let trueup: Trueup;

/** Ten wallets, each with one entry of ten times its number that no cache knows of. */
beforeEach(async () => {
  await db.run('DROP SCHEMA IF EXISTS app CASCADE');
  economy = await createEconomy(db, 10);
  trueup = await db.trueup({ config: economy.mapping });
  await db.run(
    'INSERT INTO app.ledger (wallet_id, amount) SELECT n, n * 10 FROM generate_series(1, 10) AS n',
  );
});

interface Outcome {
  readonly summary: ReconcileSummary;
  readonly seen: readonly Finding[];
}

async function run(options: ReconcileOptions): Promise<Outcome> {
  const seen: Finding[] = [];
  const summary = await trueup.reconcile({
    ...options,
    onFinding: (finding) => seen.push(finding),
  });
  return { summary, seen };
}

describe('selection', () => {
  test.each<[object]>([
    [{}],
    [{ userIds: [] }],
    [{ all: true, userIds: ['1'] }],
    [{ all: true, batchSize: 0 }],
    [{ all: true, batchSize: -5 }],
    [{ all: true, batchSize: 1.5 }],
    [{ all: true, batchSize: Number.NaN }],
    [{ all: true, limit: 0 }],
    [{ all: true, limit: -1 }],
  ])('%o is a wrong argument', async (options) => {
    await expect(trueup.reconcile(options)).rejects.toMatchObject({ code: 'invalid_argument' });
  });

  test('some users, named once or twice', async () => {
    const { summary, seen } = await run({ userIds: ['3', '7', '3'] });
    expect(summary).toMatchObject({
      checked: 2,
      drifted: 2,
      balanceDrifts: 2,
      earningsDrifts: 2,
      findings: 8,
      repaired: 8,
    });
    expect(new Set(seen.map(({ userId }) => userId))).toEqual(new Set(['3', '7']));
    expect((await caches(db, economy)).filter((line) => line.endsWith('| 0 0'))).toHaveLength(8);
  });

  test.each([
    [['1', '4711'], 'user_not_found', '4711'],
    [['abc'], 'invalid_argument', 'abc'],
    [['99999999999999999999'], 'invalid_argument', '99999999999999999999'],
  ])('users %s: nothing is changed', async (userIds, code, named) => {
    await expect(trueup.reconcile({ userIds })).rejects.toMatchObject({
      code,
      message: expect.stringContaining(named) as string,
    });
    expect((await caches(db, economy))[0]).toBe('1 0 0 | 0 0');
  });

  test('a user without wallet', async () => {
    await db.run('UPDATE app.wallet SET profile_id = NULL WHERE id = 2');
    await expect(trueup.reconcile({ userIds: ['1', '2'] })).rejects.toMatchObject({
      code: 'wallet_not_found',
    });
    expect((await caches(db, economy))[0]).toBe('1 0 0 | 0 0');
  });

  test('a profile with two wallets is refused, not guessed', async () => {
    await db.run(
      'ALTER TABLE app.wallet DROP CONSTRAINT wallet_profile_id_key; UPDATE app.wallet SET profile_id = 101 WHERE id = 2',
    );
    const shared = await db.trueup({ config: economy.mapping });
    const before = await caches(db, economy);
    for (const attempt of [
      () => shared.reconcile({ all: true, dryRun: true }),
      () => shared.reconcile({ all: true }),
      () => shared.installSync(),
      () => shared.syncWalletToProfile('1'),
      () => shared.syncWalletToProfile('2'),
      () => shared.syncProfileByUserId('1'),
      () => shared.recomputeLifetimeEarnings('2'),
    ]) {
      await expect(attempt()).rejects.toMatchObject({
        code: 'mapping_mismatch',
        message: expect.stringContaining('profile 101 has 2 wallets') as string,
      });
    }
    expect(await caches(db, economy)).toEqual(before);
    expect(await shared.syncStatus()).toMatchObject({ state: 'missing' });

    // Reading is allowed, and so is repairing a wallet that shares its profile with nobody.
    expect(await shared.getBalanceDrift('1')).toMatchObject({ hasDrift: true });
    await db.run('UPDATE app.wallet SET profile_id = NULL WHERE id IN (4, 5)');
    expect(await shared.syncWalletToProfile('3')).toMatchObject({ balanceAfter: 30n });
    expect(await shared.syncWalletToProfile('4')).toMatchObject({ profileId: null });
  });
});
