import { beforeEach, describe, expect, test } from 'vitest';
import { createDatabase } from '../support/database.js';
import { createEconomy } from '../support/economy.js';
import { forget, insertFinding, insertRun, LEDGER, type RunFixture } from './records.js';

/** What status tells of a ledger, from rows, and whom. */

const db = await createDatabase('own');
const empty = await createDatabase('empty');
const trueup = await db.trueup({ readOnly: true });
beforeEach(() => forget(db));

const interrupted: RunFixture = { state: 'interrupted', exitStatus: 3, finishedAge: 60 };
const failed: RunFixture = { state: 'failed', exitStatus: 1, counts: null };

/** Other test files run on the same server: whoever of theirs is older ends by itself. */
const PATIENCE = { timeout: 30_000 };

describe('what it tells', () => {
  test('the last run, the last success, and the run under way', async () => {
    const success = await insertRun(db, { startedAge: 9_100, finishedAge: 9_000 });
    const last = await insertRun(db, { ...interrupted, host: 'db1' });
    const pid = await db.value<number>(`SELECT pg_backend_pid()`);
    const now = await insertRun(db, {
      ...{ state: 'running', finishedAge: null, exitStatus: null, counts: null, startedAge: 30 },
      ...{ heartbeatAge: 1, backend: pid, host: 'db2', process: 77, control: 'pause' },
      ...{ waiting: 'replica lag of 3.1 s', progress: { checked: 250, total: 1_000 } },
    });
    const status = await trueup.status();
    expect(status).toMatchObject({
      ledger: LEDGER,
      exitStatus: 3,
      lastRun: { runId: last, state: 'interrupted', host: 'db1', exitStatus: 3 },
      lastSuccess: { runId: success },
      underWay: {
        ...{ runId: now, host: 'db2', process: 77, checked: 250, total: 1_000, resumed: 0 },
        ...{ control: 'pause', waiting: 'replica lag of 3.1 s' },
      },
    });
    expect(status.lastSuccess?.age).toBeGreaterThanOrEqual(9_000);
    expect(status.lastSuccess?.age).toBeLessThan(9_300);
    expect(status.underWay?.age).toBeGreaterThanOrEqual(30);
  });

  test('a resumed run that has just ended is the last one, however early it began', async () => {
    await insertRun(db, { startedAge: 100, finishedAge: 50 });
    const resumed = await insertRun(db, { ...failed, startedAge: 90_000, finishedAge: 10 });
    expect((await trueup.status()).lastRun?.runId).toBe(resumed);
  });

  test('the verified share in wallets and coins, and the oldest', async () => {
    await insertRun(db);
    await db.run(
      `INSERT INTO trueup.verified_ranges (ledger, above, up_to, wallets, coins, verified_at, run_id)
       SELECT $1, above, up_to, wallets, coins, now() - make_interval(days => days), gen_random_uuid()
         FROM (VALUES (NULL, '10', 100, 9990, 1), ('10', '20', 300, 9, 6), ('20', NULL, 100, 1, 8))
           AS v (above, up_to, wallets, coins, days)`,
      [LEDGER],
    );
    const { verified } = await trueup.status();
    expect(verified).toMatchObject({
      ...{ wallets: 400, ofWallets: 500, ratio: 0.8, coins: '9999', ofCoins: '10000' },
      valueRatio: 0.9999,
    });
    expect(Math.round((verified?.oldestAge ?? 0) / 86_400)).toBe(8);
    const wider = await trueup.status({ cycle: 9 * 86_400 });
    expect(wider.verified?.ratio).toBe(1);
  });

  test('open findings by part, field, cause and state, with their coins', async () => {
    const runId = await insertRun(db);
    await insertFinding(db, { runId, delta: '-70' });
    await insertFinding(db, { runId, delta: '50.25' });
    await insertFinding(db, { runId, part: 'profile', cause: 'profile_missing', delta: null });
    await insertFinding(db, { runId, state: 'skipped', part: null, field: null, cause: null });
    const kind = { state: 'reported', field: 'balance' };
    expect((await trueup.status()).open).toEqual([
      { ...kind, part: 'wallet', cause: 'no_history', findings: 2, coins: '120.25' },
      { ...kind, part: 'profile', cause: 'profile_missing', findings: 1, coins: '0' },
      { state: 'skipped', part: null, field: null, cause: null, findings: 1, coins: '50' },
    ]);
  });

  test('what waits: failures, marks, alerts', async () => {
    await db.run(
      `INSERT INTO trueup.sync_failures (ledger, wallet_id, profile_id, sqlstate, message, failed_at, healed_at)
       VALUES ($1, '1', '1', '22003', 'x', now() - interval '10 min', NULL),
              ($1, '2', '2', '22003', 'x', now() - interval '5 min', NULL),
              ($1, '3', '3', '22003', 'x', now() - interval '1 day', now()),
              ('other', '4', '4', '22003', 'x', now() - interval '1 day', NULL)`,
      [LEDGER],
    );
    await db.run(`INSERT INTO trueup.profile_marks (ledger, wallet_id) VALUES ($1, '1')`, [LEDGER]);
    await db.run(
      `INSERT INTO trueup.alerts (ledger, kind, message, body) VALUES ($1, 'drift', 'x', '{}')`,
      [LEDGER],
    );
    await db.run('INSERT INTO trueup.alert_hooks (ledger) VALUES ($1)', [LEDGER]);
    const { waiting } = await trueup.status();
    expect(waiting).toMatchObject({ syncFailures: 2, marks: 1, activityFailures: 0, alerts: 1 });
    expect(Math.round((waiting.oldestSyncFailureAge ?? 0) / 60)).toBe(10);
    expect(waiting.oldestMarkAge).toBeGreaterThanOrEqual(0);
  });
});

describe('the watermark', () => {
  test('is held back by the oldest transaction that has written, and by no other', async () => {
    const reader = await db.connect({ application_name: 'a long report' });
    await reader.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
    await reader.query('SELECT count(*) FROM trueup.runs');
    const writer = await db.connect({ application_name: 'a forgotten psql' });
    await writer.query('BEGIN');
    await writer.query('SELECT pg_current_xact_id()');
    const { rows } = await writer.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    await expect
      .poll(async () => (await trueup.status()).watermark, PATIENCE)
      .toMatchObject({ pid: rows[0]?.pid, application: 'a forgotten psql', database: db.name });
    await writer.query('ROLLBACK');
    await reader.query('ROLLBACK');
    await expect
      .poll(async () => (await trueup.status()).watermark?.application ?? null, PATIENCE)
      .not.toBe('a forgotten psql');
  });
});

describe('who may ask', () => {
  test('a role that may only SELECT', async () => {
    const role = await db.role();
    const runId = await insertRun(db);
    await insertFinding(db, { runId });
    const asked = await db.trueup({ databaseUrl: role.url, readOnly: true }).catch(String);
    expect(asked).toMatch(/permission|schema_missing|GRANT|may not/i);
    await db.run(
      `GRANT USAGE ON SCHEMA trueup TO ${role.name}; GRANT SELECT ON ALL TABLES IN SCHEMA trueup TO ${role.name}`,
    );
    const theirs = await db.trueup({ databaseUrl: role.url, readOnly: true });
    expect(await theirs.status()).toMatchObject({ exitStatus: 2, lastRun: { runId } });
    expect(await theirs.metrics()).toContain('trueup_status{');
    await db.run(`REVOKE SELECT ON trueup.findings FROM ${role.name}`);
    await expect(theirs.status()).rejects.toMatchObject({
      code: 'permission_denied',
      message: expect.stringContaining('trueup.findings') as string,
      hint: expect.stringContaining('GRANT SELECT') as string,
    });
  });

  test('somebody on a database that has never seen Trueup', async () => {
    const { mapping } = await createEconomy(empty, 1);
    const theirs = await empty.trueup({ config: mapping, readOnly: true });
    expect(await theirs.status()).toMatchObject({
      exitStatus: 3,
      lastRun: null,
      lastSuccess: null,
      verified: null,
      open: [],
    });
    expect(await theirs.metrics()).toMatch(/^trueup_last_success_timestamp_seconds\{.*\} 0$/m);
  });

  test('somebody on the tables of an older Trueup is told to migrate', async () => {
    await db.run('ALTER TABLE trueup.findings RENAME TO older');
    await expect(trueup.status()).rejects.toMatchObject({ code: 'schema_missing' });
    await db.run('ALTER TABLE trueup.older RENAME TO findings');
  });
});
