import { once } from 'node:events';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Trueup } from '../../src/index.js';
import { idleLock } from '../../src/sync/generate-deferred.js';
import { createDatabase } from '../support/database.js';
import { caches, createEconomy, findings, truth, type Economy } from '../support/economy.js';

/** Deferred mode beside the rest: reconcile, the services, changes of the mode, the worker. */

const db = await createDatabase('empty');
let economy: Economy;
let trueup: Trueup;

beforeEach(async () => {
  await db.run('DROP SCHEMA IF EXISTS app CASCADE');
  economy = await createEconomy(db, 6);
  trueup = await db.trueup({ config: economy.mapping });
  await trueup.installSync({ deferred: true });
  await db.run('TRUNCATE trueup.sync_failures, trueup.profile_marks, trueup.repairs');
});

const credit = (wallet: number, amount: number): Promise<void> =>
  db.run('INSERT INTO app.ledger (wallet_id, amount) VALUES ($1, $2)', [wallet, amount]);
const marks = (): Promise<string> => db.value('SELECT count(*) FROM trueup.profile_marks');

describe('what is marked is no drift', () => {
  test('for a dry run, a run, and the services', async () => {
    await credit(1, 5);
    expect(await findings(trueup)).toEqual([]);
    expect((await trueup.getBalanceDrift('1')).hasDrift).toBe(false);
    expect(await trueup.syncWalletToProfile('1')).toMatchObject({ findings: [], balanceAfter: 5n });
    expect(await marks()).toBe('0');
    await credit(2, 6);
    expect(await trueup.recomputeLifetimeEarnings('2')).toBe(6n);
    await credit(3, 7);
    const summary = await trueup.reconcile({ all: true });
    expect(summary).toMatchObject({ findings: 0, repaired: 0, exitStatus: 0 });
    expect(await caches(db, economy)).toEqual(await truth(db, economy));
    expect(await db.value('SELECT count(*) FROM trueup.repairs')).toBe('0');
  });

  test('a drifted wallet with a mark is found, and its profile is right in the end', async () => {
    await credit(1, 5);
    await db.run('UPDATE app.wallet SET balance = 999 WHERE id = 1');
    expect(await findings(trueup)).toMatchObject([
      { part: 'wallet', field: 'balance', cached: '999', expected: '5' },
    ]);
    await trueup.reconcile({ all: true });
    expect(await caches(db, economy)).toEqual(await truth(db, economy));
  });

  test('a drifted profile without a mark is found', async () => {
    await credit(1, 5);
    await trueup.carry();
    await credit(2, 5);
    await db.run('UPDATE app.profile SET shown = 7.50 WHERE id IN (101, 102)');
    expect(await findings(trueup)).toMatchObject([{ walletId: '1', cached: '7.5', expected: '5' }]);
    await trueup.carry();
    await trueup.reconcile({ all: true });
    expect(await caches(db, economy)).toEqual(await truth(db, economy));
  });

  test('a role that cannot see the marks is told so', async () => {
    await credit(1, 5);
    const { name, url } = await db.role();
    await db.run(
      `GRANT USAGE ON SCHEMA app TO ${name}; GRANT SELECT ON ALL TABLES IN SCHEMA app TO ${name}`,
    );
    const reader = await db.trueup({ config: economy.mapping, databaseUrl: url, readOnly: true });
    await expect(reader.reconcile({ all: true, dryRun: true })).rejects.toMatchObject({
      code: 'permission_denied',
    });
    await db.run(
      `GRANT USAGE ON SCHEMA trueup TO ${name}; GRANT SELECT ON trueup.profile_marks TO ${name}`,
    );
    const seeing = await db.trueup({ config: economy.mapping, databaseUrl: url, readOnly: true });
    expect(await findings(seeing)).toEqual([]);
  });
});

describe('changing the mode', () => {
  test('back to the normal mode: what is marked is carried, and status tells the mode', async () => {
    await credit(1, 5);
    expect(await trueup.syncStatus()).toMatchObject({
      state: 'installed',
      deferred: true,
      waitingMarks: 1,
    });
    await trueup.installSync();
    expect(await trueup.syncStatus()).toMatchObject({
      state: 'installed',
      deferred: false,
      waitingMarks: 0,
      oldestMark: null,
    });
    await credit(1, 6);
    expect(await caches(db, economy)).toEqual(await truth(db, economy));
    await trueup.installSync({ deferred: true });
    await credit(1, 7);
    expect(await marks()).toBe('1');
  });

  test('removal carries what is marked', async () => {
    await credit(1, 5);
    await trueup.removeSync();
    expect(await caches(db, economy)).toEqual(await truth(db, economy));
    expect(await trueup.syncStatus()).toMatchObject({ state: 'missing', waitingMarks: 0 });
  });

  test('a profile that fell behind in deferred mode is set right after the change, not added to', async () => {
    await credit(1, 5);
    await db.run('CREATE TABLE app.kept AS SELECT * FROM trueup.profile_marks');
    await trueup.installSync();
    await db.run(
      'INSERT INTO trueup.profile_marks (ledger, wallet_id) SELECT ledger, wallet_id FROM app.kept',
    );
    await credit(1, 6);
    await trueup.carry();
    expect((await caches(db, economy))[0]).toBe('1 11 11 | 11 11');
  });

  test('without a profile cache, or earnings to copy, it is refused and nothing changes', async () => {
    const { ledger, wallet, profile } = economy.mapping;
    const bare = await db.trueup({ config: { ledger, wallet } });
    await expect(bare.installSync({ deferred: true })).rejects.toMatchObject({
      code: 'feature_off',
    });
    const poor = { ...wallet, lifetimeEarnings: undefined };
    const without = await db.trueup({ config: { ledger, wallet: poor, profile } });
    await expect(without.installSync({ deferred: true })).rejects.toMatchObject({
      code: 'feature_off',
    });
    expect(await trueup.syncStatus()).toMatchObject({ state: 'installed', deferred: true });
  });
});

describe('in a long-running process', () => {
  test('an idle carrier is woken by the commit', async () => {
    const running = await db.trueup({ config: economy.mapping, healer: true });
    for (let round = 1; round <= 3; round += 1) {
      const carried = once(running, 'carry');
      await credit(3, 9);
      expect(await carried).toEqual([{ carried: 1, failed: 0, waiting: 0 }]);
    }
    expect(await caches(db, economy)).toEqual(await truth(db, economy));
    await running.close();
  });

  test('it begins when the mode is switched on, and ends when it is switched off', async () => {
    await trueup.installSync();
    const running = await db.trueup({ config: economy.mapping, healer: true });
    await running.installSync({ deferred: true });
    const carried = once(running, 'carry');
    await credit(3, 9);
    await carried;
    await running.installSync();
    await credit(3, 9);
    expect(await caches(db, economy)).toEqual(await truth(db, economy));
    await running.close();
  });

  test('it survives the loss of its connections', async () => {
    const running = await db.trueup({
      config: economy.mapping,
      healer: true,
      applicationName: 'carrying',
    });
    const first = once(running, 'carry');
    await credit(3, 9);
    await first;
    const told = once(running, 'healerError');
    await db.run(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'carrying'`,
    );
    await told;
    const carried = once(running, 'carry');
    await credit(3, 9);
    await carried;
    expect(await caches(db, economy)).toEqual(await truth(db, economy));
    await running.close();
  });
});

describe('waking', () => {
  test('a writer notifies only while a carrier is idle, and none becomes idle beside a writer', async () => {
    const lock = idleLock(trueup.mapping.ledger.table.quoted);
    const carrier = await db.connect();
    const heard: string[] = [];
    carrier.on('notification', ({ channel }) => heard.push(channel));
    await carrier.query('LISTEN trueup_profile_marks; LISTEN ready');
    const becomeIdle = async (): Promise<unknown> =>
      (await carrier.query<{ idle: boolean }>(`SELECT pg_try_advisory_lock(${lock}) AS idle`))
        .rows[0]?.idle;

    await credit(1, 1);
    await db.run('NOTIFY ready');
    await carrier.query('SELECT 1');
    const writer = await db.connect();
    await writer.query('BEGIN');
    await writer.query('INSERT INTO app.ledger (wallet_id, amount) VALUES (1, 1)');
    expect(await becomeIdle()).toBe(false);
    await writer.query('COMMIT');
    expect(await becomeIdle()).toBe(true);
    await credit(1, 1);
    await db.run('INSERT INTO app.ledger (wallet_id, amount) VALUES (1, 1), (2, 1), (3, 1)');
    await db.run('NOTIFY ready');
    await carrier.query('SELECT 1');
    expect(heard).toEqual(['ready', 'trueup_profile_marks', 'trueup_profile_marks', 'ready']);
  });
});
