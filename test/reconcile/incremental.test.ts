import { beforeEach, describe, expect, test } from 'vitest';
import type { ReconcileOptions, Trueup } from '../../src/index.js';
import { caches, truth, type Economy } from '../support/economy.js';
import { privateServer } from '../support/private-server.js';
import { bypassing, checkSince, verifiedEconomy, type Outcome } from '../support/verified.js';

/** A check since the verified point looks at what was touched since, and at no more. */

// A server of its own: whoever else has a transaction open there would hold the watermark.
const server = await privateServer({ autovacuum: 'off', max_prepared_transactions: '4' });
const db = await server.database();
let economy: Economy;
let trueup: Trueup;

beforeEach(async () => {
  ({ economy, trueup } = await verifiedEconomy(db));
});

const check = (options?: ReconcileOptions): Promise<Outcome> => checkSince(trueup, options);
const inSync = async (): Promise<boolean> =>
  JSON.stringify(await caches(db, economy)) === JSON.stringify(await truth(db, economy));

describe('what is looked at', () => {
  test('where nothing was touched, one batch of the rolling slice', async () => {
    const { summary, warnings } = await check();
    expect(summary).toMatchObject({ checked: 1, findings: 0, incomplete: null, exitStatus: 0 });
    expect(summary).toMatchObject({ wholeBecause: null, watermarkLag: null });
    expect(warnings).toEqual([]);
  });

  test('wallets that have new entries', async () => {
    await db.run('INSERT INTO app.ledger (wallet_id, amount) VALUES (50, 7), (60, 8), (50, 9)');
    const { summary } = await check();
    expect(summary).toMatchObject({ checked: 3, findings: 0, exitStatus: 0 });
    expect((await check()).summary.checked).toBe(1);
  });

  test.each([
    ['the balance of a wallet', 'UPDATE app.wallet SET balance = 1 WHERE id = 70', '70'],
    ['the balance of a profile', 'UPDATE app.profile SET shown = 1 WHERE id = 1070', '70'],
    [
      'a wallet that is new',
      'INSERT INTO app.wallet (id, balance, earned) VALUES (700, 5, 5)',
      '700',
    ],
    [
      'a profile that is new, has no wallet, and shows coins',
      'INSERT INTO app.profile (id, user_id, shown, earned) VALUES (9, 9000, 5, 5)',
      '9',
    ],
    [
      'another profile',
      'UPDATE app.wallet SET profile_id = NULL WHERE id = 71; UPDATE app.wallet SET profile_id = 1071 WHERE id = 70',
      '70',
    ],
    ['a profile that is gone', 'DELETE FROM app.profile WHERE id = 1070', '70'],
    [
      'an entry that no trigger saw',
      'INSERT INTO app.ledger (wallet_id, amount) VALUES (70, 5)',
      '70',
    ],
    ['an entry that was changed', 'UPDATE app.ledger SET amount = 5 WHERE wallet_id = 70', '70'],
    [
      'an entry of a wallet that is not there',
      'INSERT INTO app.ledger (wallet_id, amount) VALUES (777, 5)',
      '777',
    ],
  ])('%s', async (_, sql, id) => {
    await check(); // The slice is behind wallet 1.
    await bypassing(db, sql);
    const { found } = await check({ dryRun: true });
    expect(found).toContain(id);
    expect(found.length).toBeLessThanOrEqual(2);
    expect((await check()).found).toContain(id);
  });

  test('what was rolled back, and ids that were never used, are nothing', async () => {
    const client = await db.connect();
    await client.query(
      'BEGIN; INSERT INTO app.ledger (wallet_id, amount) VALUES (50, 7); ROLLBACK',
    );
    await db.run(
      `SELECT nextval(pg_get_serial_sequence('app.ledger', 'id')) FROM generate_series(1, 50)`,
    );
    expect((await check()).summary).toMatchObject({ checked: 1, findings: 0 });
  });

  test('a wallet is looked at once, though the slice passes it too', async () => {
    await db.run(`UPDATE app.wallet SET balance = 0 WHERE id <= 3`);
    const { summary } = await check({ batchSize: 100 });
    expect(summary).toMatchObject({ checked: 100, findings: 3, repaired: 3 });
    await db.run(`UPDATE app.wallet SET balance = 0 WHERE id <= 3`);
    const dry = await check({ batchSize: 100, dryRun: true });
    expect(dry.summary).toMatchObject({ checked: 100, findings: 3, drifted: 3 });
  });
});

describe('what was left', () => {
  test('a wallet that others held locked is looked at again', async () => {
    await db.run('UPDATE app.wallet SET balance = 0 WHERE id = 70');
    const holder = await db.connect();
    await holder.query('BEGIN; SELECT FROM app.wallet WHERE id = 70 FOR UPDATE');
    expect((await check()).summary).toMatchObject({ skipped: 1, exitStatus: 3 });
    await holder.query('ROLLBACK');
    // Its row is older than the verified point by now.
    await check({ userIds: ['1'] });
    expect((await check()).summary).toMatchObject({ repaired: 1, exitStatus: 0 });
    expect((await check()).summary).toMatchObject({ checked: 2, findings: 0 });
    expect(await inSync()).toBe(true);
  });

  test('a run that was cut off moves no verified point', async () => {
    await db.run('UPDATE app.wallet SET balance = 0 WHERE id > 90');
    expect((await check({ limit: 4 })).summary).toMatchObject({
      checked: 4,
      incomplete: 'limit',
      exitStatus: 3,
    });
    expect((await check()).summary).toMatchObject({ incomplete: null, repaired: 6 });
    expect(await inSync()).toBe(true);
  });

  test('a dry run moves no verified point', async () => {
    await db.run('UPDATE app.wallet SET balance = 0 WHERE id = 70');
    expect((await check({ dryRun: true })).found).toEqual(['70']);
    expect((await check({ dryRun: true })).found).toEqual(['70']);
    expect((await check()).found).toEqual(['70']);
  });

  test('a run over some users moves no verified point', async () => {
    await db.run('UPDATE app.wallet SET balance = 0 WHERE id = 70');
    await trueup.reconcile({ userIds: ['1'] });
    expect((await check()).found).toEqual(['70']);
  });

  test('a run that was interrupted goes on behind what it has looked at', async () => {
    await db.run('UPDATE app.wallet SET balance = 0 WHERE id BETWEEN 40 AND 59');
    const stop = new AbortController();
    const cut = await trueup.reconcile({
      ...{ sinceCheckpoint: true, batchSize: 3, signal: stop.signal },
      onProgress: ({ checked, total }) => {
        expect(total).toBe(23);
        if (checked >= 9) stop.abort();
      },
    });
    expect(cut).toMatchObject({ incomplete: 'interrupted', checked: 9, exitStatus: 3 });
    // What is touched meanwhile is the next run's, unless it lies ahead.
    await db.run('UPDATE app.wallet SET balance = 0 WHERE id IN (41, 58)');
    const { summary } = await check({ resume: cut.runId, batchSize: 3 });
    expect(summary).toMatchObject({
      runId: cut.runId,
      resumed: 1,
      incomplete: null,
      exitStatus: 0,
    });
    expect(summary).toMatchObject({ checked: 23, repaired: 20 });
    expect((await check()).found).toEqual(['41']);
    expect(await inSync()).toBe(true);
  });

  test('a run over the whole ledger is not resumed as an incremental one', async () => {
    const { summary } = await check({ all: true, limit: 3 });
    const resumed = trueup.reconcile({ sinceCheckpoint: true, resume: summary.runId });
    await expect(resumed).rejects.toMatchObject({ code: 'run_changed' });
  });

  test('rails are judged by what was touched, before the first repair', async () => {
    await db.run('UPDATE app.wallet SET balance = 0 WHERE id BETWEEN 40 AND 59');
    const { summary } = await check({ maxRepairs: 5 });
    expect(summary).toMatchObject({ incomplete: 'rail', repaired: 0, exitStatus: 4 });
    expect((await check({ maxRepairs: 50 })).summary).toMatchObject({
      repaired: 20,
      exitStatus: 0,
    });
    expect(await inSync()).toBe(true);
  });
});
