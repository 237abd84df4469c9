import { once } from 'node:events';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Trueup } from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import { caches, createEconomy, truth, type Economy } from '../support/economy.js';

/** The healer: what a profile missed in the commit, it gets within seconds. */

const db = await createDatabase('empty');
let economy: Economy;
let trueup: Trueup;

beforeEach(async () => {
  await db.run('DROP SCHEMA IF EXISTS app CASCADE');
  economy = await createEconomy(db, 4);
  trueup = await db.trueup({ config: economy.mapping });
  await trueup.installSync();
  await db.run('TRUNCATE trueup.sync_failures');
});

/** An entry whose profile cannot follow, because somebody else holds it in this instant. */
async function creditWhileHeld(wallet: number, amount: number): Promise<void> {
  const other = await db.connect();
  await other.query('BEGIN');
  await other.query('SELECT 1 FROM app.profile WHERE id = $1 FOR UPDATE', [100 + wallet]);
  await db.run('INSERT INTO app.ledger (wallet_id, amount) VALUES ($1, $2)', [wallet, amount]);
  await other.query('ROLLBACK');
}

const open = (): Promise<string> =>
  db.value('SELECT count(*) FROM trueup.sync_failures WHERE healed_at IS NULL');

test('healing repairs, closes and records', async () => {
  await creditWhileHeld(1, 5);
  await creditWhileHeld(1, 6);
  await creditWhileHeld(2, 7);
  expect(await trueup.syncStatus()).toMatchObject({ waitingFailures: 3, sqlStates: ['55P03'] });
  expect(await trueup.heal()).toEqual({ healed: 3, failed: 0 });
  expect(await caches(db, economy)).toEqual(await truth(db, economy));
  expect(await trueup.syncStatus()).toMatchObject({ waitingFailures: 0, oldestFailure: null });
  const repairs = await db.rows(
    `SELECT r.kind, p.wallet_id, p.changes FROM trueup.repairs p JOIN trueup.runs r ON r.id = p.run_id
      WHERE r.kind = 'heal' ORDER BY p.wallet_id`,
  );
  expect(repairs).toEqual([
    {
      kind: 'heal',
      wallet_id: '1',
      changes: { 'profile.balance': ['0', '11'], 'profile.lifetimeEarnings': ['0', '11'] },
    },
    {
      kind: 'heal',
      wallet_id: '2',
      changes: { 'profile.balance': ['0', '7'], 'profile.lifetimeEarnings': ['0', '7'] },
    },
  ]);
});

test('nothing to heal writes nothing', async () => {
  const runs = await db.value('SELECT count(*) FROM trueup.runs');
  expect(await trueup.heal()).toEqual({ healed: 0, failed: 0 });
  expect(await db.value('SELECT count(*) FROM trueup.runs')).toBe(runs);
});

test('what cannot be healed waits longer each time, and one failing user stops no other', async () => {
  await db.run('INSERT INTO app.ledger (wallet_id, amount) VALUES (1, 100000000)');
  await creditWhileHeld(2, 7);
  expect(await trueup.heal()).toEqual({ healed: 1, failed: 1 });
  expect(await trueup.heal()).toEqual({ healed: 0, failed: 0 }); // not due yet
  expect(await trueup.heal({ everything: true })).toEqual({ healed: 0, failed: 1 });
  const [failure] = await db.rows<{ attempts: number; last_error: string; pause: number }>(
    `SELECT attempts, last_error, round(extract(epoch FROM next_attempt_at - clock_timestamp()))::integer AS pause
       FROM trueup.sync_failures WHERE healed_at IS NULL`,
  );
  expect(failure).toMatchObject({ attempts: 2, pause: 2 });
  expect(failure?.last_error).toContain('numeric field overflow');
  await db.run(
    'ALTER TABLE app.profile ALTER shown TYPE numeric(20,2), ALTER earned TYPE numeric(20,2)',
  );
  expect(await trueup.heal({ everything: true })).toEqual({ healed: 1, failed: 0 });
  expect(await caches(db, economy)).toEqual(await truth(db, economy));
});

test('a failure that is recorded while its wallet is being healed stays open', async () => {
  await creditWhileHeld(1, 5);
  const healer = await db.connect();
  await healer.query('BEGIN');
  await healer.query('SELECT 1 FROM app.wallet WHERE id = 1 FOR UPDATE');
  const pass = trueup.heal(); // reads the failure, then finds the wallet held
  expect(await pass).toEqual({ healed: 0, failed: 1 });
  await healer.query('ROLLBACK');
  await creditWhileHeld(1, 6);
  expect(await open()).toBe('2');
  expect(await trueup.heal({ everything: true })).toEqual({ healed: 2, failed: 0 });
});

test('two healers at once do no harm', async () => {
  for (const wallet of [1, 2, 3, 4]) await creditWhileHeld(wallet, wallet);
  const second = await db.trueup({ config: economy.mapping });
  await Promise.all([trueup.heal(), second.heal()]);
  await trueup.heal({ everything: true });
  expect(await caches(db, economy)).toEqual(await truth(db, economy));
  expect(await open()).toBe('0');
});

describe('in a long-running process', () => {
  test('failures are healed without being asked, woken by the commit', async () => {
    const running = await db.trueup({ config: economy.mapping, healer: true });
    const healed = once(running, 'heal');
    await creditWhileHeld(3, 9);
    expect(await healed).toEqual([{ healed: 1, failed: 0 }]);
    expect(await caches(db, economy)).toEqual(await truth(db, economy));
    await running.close();
  });

  test('the healer survives the loss of its connection', async () => {
    const running = await db.trueup({
      config: economy.mapping,
      healer: true,
      applicationName: 'long running',
    });
    const told = once(running, 'healerError');
    await db.run(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'long running'`,
    );
    await told;
    const healed = once(running, 'heal');
    await creditWhileHeld(3, 9);
    await healed;
    expect(await open()).toBe('0');
    await running.close();
  });

  test('closing ends it at once, with no connection left', async () => {
    const running = await db.trueup({
      config: economy.mapping,
      healer: true,
      applicationName: 'to be closed',
    });
    await running.close();
    await running.close();
    expect(
      await db.value(
        `SELECT count(*) FROM pg_stat_activity WHERE application_name = 'to be closed' AND state <> 'idle'`,
      ),
    ).toBe('0');
  });
});
