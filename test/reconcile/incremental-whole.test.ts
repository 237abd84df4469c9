import { beforeEach, describe, expect, test } from 'vitest';
import type { ReconcileOptions, Trueup } from '../../src/index.js';
import { Database } from '../../src/postgres/database.js';
import { findTouched } from '../../src/reconcile/touched.js';
import { caches, truth, type Economy } from '../support/economy.js';
import { privateServer } from '../support/private-server.js';
import { bypassing, checkSince, verifiedEconomy, type Outcome } from '../support/verified.js';

/** Where transaction ids cannot tell what was touched, everything is looked at; and everything once a cycle. */

const server = await privateServer({ autovacuum: 'off' });
const db = await server.database();
let economy: Economy;
let trueup: Trueup;

beforeEach(async () => {
  ({ economy, trueup } = await verifiedEconomy(db));
});

const check = (options?: ReconcileOptions): Promise<Outcome> => checkSince(trueup, options);

/** Leaves a trace in no row. */
const VANISHED = 'DELETE FROM app.ledger WHERE wallet_id = 70 AND amount = 1000';

describe('the whole ledger is checked', () => {
  test.each([
    ['never_verified', 'DELETE FROM trueup.checkpoints'],
    ['never_verified', 'DELETE FROM trueup.verified_ranges'],
    ['another_server', 'UPDATE trueup.checkpoints SET system_id = 1'],
    [
      'watermark_unusable',
      `UPDATE trueup.checkpoints SET watermark = (watermark::text::bigint + 1000000)::text::xid8`,
    ],
    [
      'foundations_changed',
      'ALTER TABLE app.ledger DISABLE TRIGGER trueup_sync; ALTER TABLE app.ledger ENABLE TRIGGER trueup_sync',
    ],
    ['foundations_changed', 'ALTER TABLE app.wallet ALTER balance TYPE bigint'],
    ['foundations_changed', 'CLUSTER app.ledger USING ledger_pkey'],
    ['foundations_changed', 'CREATE TABLE app.more () INHERITS (app.ledger)'],
  ])('%s: %s', async (reason, sql) => {
    await bypassing(db, VANISHED);
    await db.run(sql);
    if (sql.includes('TYPE')) trueup = await db.trueup({ config: economy.mapping });
    const { summary, found, warnings } = await check({ batchSize: 30 });
    expect(summary).toMatchObject({ wholeBecause: reason, checked: 100, exitStatus: 0 });
    expect(found).toEqual(['70']);
    expect(warnings).toContain('whole_check');
    // That was a check of the whole, from which the next one can start.
    expect((await check()).summary).toMatchObject({ wholeBecause: null });
    expect(await caches(db, economy)).toEqual(await truth(db, economy));
  });

  test('where Trueup has never been, by a role that may only read', async () => {
    await db.run('DROP SCHEMA trueup CASCADE');
    const { name, url } = await db.role();
    await db.run(
      `GRANT USAGE ON SCHEMA app TO ${name}; GRANT SELECT ON ALL TABLES IN SCHEMA app TO ${name}`,
    );
    const reader = await db.trueup({ config: economy.mapping, databaseUrl: url, readOnly: true });
    const { summary } = await checkSince(reader, { dryRun: true });
    expect(summary).toMatchObject({
      ...{ checked: 100, wholeBecause: 'never_verified', oldestUnverified: null },
    });
  });

  test('where more was touched than is kept in mind', async () => {
    const database = await Database.open({
      connection: { connectionString: db.url },
      applicationName: 'test',
    });
    const since = await db.value('SELECT watermark::text FROM trueup.checkpoints');
    await db.run('UPDATE app.profile SET shown = shown WHERE id <= 1010');
    const options = {
      since,
      jobs: 2,
      patiently: <Result>(work: () => Promise<Result>): Promise<Result> => work(),
      goOn: (): Promise<boolean> => Promise.resolve(true),
    };
    const find = (most: number, goOn = options.goOn): Promise<object> =>
      findTouched(database, trueup.mapping, { ...options, most, goOn });
    expect(await find(9)).toEqual({ state: 'too_many' });
    expect(await find(10)).toEqual({
      state: 'found',
      walletIds: ['1', '2', '3', '4', '5', '6', '7', '8', '9', '10'],
      profileIds: [],
    });
    expect(await find(10, () => Promise.resolve(false))).toEqual({ state: 'stopped' });
    await database.close();
  });
});

describe('the rolling slice', () => {
  test('finds what no row tells of within one cycle, and begins again', async () => {
    await bypassing(db, VANISHED);
    await bypassing(db, 'DELETE FROM app.wallet WHERE id = 30');
    const found: (string | null)[] = [];
    for (let run = 0; run < 10; run += 1) {
      found.push(...(await check({ batchSize: 10 })).found);
    }
    // Of wallet 30 there are an entry and, at the end of the ledger, a profile that shows coins.
    expect(found).toEqual(expect.arrayContaining(['70', '30', '1030']));
    await bypassing(db, 'DELETE FROM app.ledger WHERE wallet_id = 5');
    expect((await check({ batchSize: 10 })).found).toContain('5');
  });

  test('takes the share that the time since the last look needs', async () => {
    const days = (age: number): Promise<void> =>
      db.run(
        `UPDATE trueup.verified_ranges SET verified_at = verified_at - $1 * interval '1 day'`,
        [age],
      );
    const checked: number[] = [];
    for (let night = 0; night < 14; night += 1) {
      await days(1);
      const before = await check({ dryRun: true });
      expect(before.summary.oldestUnverified).toBeLessThan(7 * 86_400);
      checked.push((await check()).summary.checked);
    }
    // A little more than a day has passed each time, so the week has six nights for certain.
    expect(Math.min(...checked)).toBeGreaterThanOrEqual(14);
    expect(Math.max(...checked)).toBeLessThanOrEqual(17);
  });

  test('a shorter cycle takes more', async () => {
    await db.run(`UPDATE trueup.verified_ranges SET verified_at = verified_at - interval '1 day'`);
    expect((await check({ dryRun: true, cycle: 86_400 })).summary.checked).toBe(100);
    expect((await check({ dryRun: true, cycle: 30 * 86_400 })).summary.checked).toBe(4);
  });

  test('the age of the wallet that is longest unverified', async () => {
    expect((await check()).summary.oldestUnverified).toBeLessThan(600);
    await db.run(
      `UPDATE trueup.verified_ranges SET verified_at = verified_at - interval '3 days' WHERE up_to IS NULL`,
    );
    const { summary } = await check({ dryRun: true });
    expect(Math.round((summary.oldestUnverified ?? 0) / 86_400)).toBe(3);
    expect((await check({ all: true })).summary.oldestUnverified).toBeLessThan(600);
  });

  test('a run that was cut off has verified what it has looked at', async () => {
    await db.run(`UPDATE trueup.verified_ranges SET verified_at = verified_at - interval '1 year'`);
    const stop = new AbortController();
    const cut = await trueup.reconcile({
      ...{ sinceCheckpoint: true, batchSize: 10, signal: stop.signal },
      onProgress: ({ checked }) => {
        if (checked >= 30) stop.abort();
      },
    });
    expect(cut).toMatchObject({ incomplete: 'interrupted', exitStatus: 3 });
    const rows = await db.rows(
      'SELECT above, up_to FROM trueup.verified_ranges ORDER BY above NULLS FIRST',
    );
    expect(rows).toEqual([
      { above: null, up_to: String(cut.checked) },
      { above: String(cut.checked), up_to: null },
    ]);
    const rest = await check({ resume: true, batchSize: 10 });
    expect(rest.summary).toMatchObject({ incomplete: null, resumed: 1, exitStatus: 0 });
  });
});
