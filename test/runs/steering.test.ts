import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type pg from 'pg';
import type { ReconcilePause, Trueup } from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import { runTrueup, startTrueup, type RunningCli } from '../support/cli.js';
import { caches, createEconomy, truth, type Economy } from '../support/economy.js';
import { build } from '../support/program.js';
import { temporaryFolder, writeConfig } from '../cli/fixture.js';

/**
 * Runs that are told what to do from another process, and runs that wait for the server. A gate makes it
 * sure that a run is under way: whoever updates a wallet behind it waits until the test opens it.
 */

const db = await createDatabase('empty');
const folder = temporaryFolder();
const WALLETS = 30;
/** Wallets up to this one are repaired while the gate is closed. */
const FREE = 10;
const GATE = '4711';
const WITHIN = { timeout: 40_000, interval: 20 };

let economy: Economy;
let config: string;
let trueup: Trueup;
let keeper: pg.Client;
const started: RunningCli[] = [];

beforeAll(build);

beforeEach(async () => {
  await db.run('DROP SCHEMA IF EXISTS app CASCADE');
  economy = await createEconomy(db, WALLETS);
  await db.run(`
    INSERT INTO app.ledger (wallet_id, amount) SELECT n, n FROM generate_series(1, ${String(WALLETS)}) n;
    CREATE FUNCTION app.wait() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN PERFORM pg_advisory_xact_lock_shared(${GATE}); RETURN NEW; END $$;
    CREATE TRIGGER gate BEFORE UPDATE ON app.wallet FOR EACH ROW
      WHEN (NEW.id > ${String(FREE)}) EXECUTE FUNCTION app.wait()`);
  config = writeConfig(folder, 'app.json', economy.mapping);
  trueup = await db.trueup({ config: economy.mapping });
  keeper = await db.connect();
});

afterEach(async () => {
  for (const { child } of started.splice(0)) child.kill('SIGKILL');
  await keeper.end();
});

const close = (): Promise<unknown> => keeper.query(`SELECT pg_advisory_lock(${GATE})`);
const open = (): Promise<unknown> => keeper.query(`SELECT pg_advisory_unlock(${GATE})`);

/** A run in a process of its own, one wallet after the other, which has come to the gate. */
async function atTheGate(...flags: string[]): Promise<RunningCli> {
  await close();
  const args = ['reconcile', '--all', '--batch-size', '1', '--config', config, ...flags];
  const run = startTrueup(args, { databaseUrl: db.url });
  started.push(run);
  await run.saw('stdout', `user ${String(FREE)} `);
  return run;
}

async function tell(action: string, which = 'last'): Promise<string> {
  const told = await runTrueup(['runs', action, which, '--config', config], {
    databaseUrl: db.url,
  });
  expect(told).toMatchObject({ status: 0, stderr: '' });
  return told.stdout;
}

const checkpoint = (): Promise<string> =>
  db.value(`SELECT (progress ->> 'checked') FROM trueup.runs ORDER BY started_at DESC LIMIT 1`);

async function paused(): Promise<void> {
  await vi.waitFor(async () => {
    expect((await trueup.run('last')).waiting).toContain('paused');
  }, WITHIN);
}

/** Has the run heard by now what it is told? It says so by its next sign of life. */
async function heard(): Promise<void> {
  const told = await db.value('SELECT clock_timestamp()::text');
  await vi.waitFor(async () => {
    const at = await db.value(
      `SELECT (heartbeat_at > $1::timestamptz)::text FROM trueup.runs WHERE state = 'running'`,
      [told],
    );
    expect(at).toBe('true');
  }, WITHIN);
}

describe('from another process', () => {
  test('a run is paused, says why, does nothing meanwhile, and goes on', async () => {
    const run = await atTheGate();
    expect(await tell('pause')).toMatch(/^run [0-9a-f-]{36} waits after its batch\n$/);
    await heard();
    await open();
    await paused();
    await run.saw('stderr', 'waiting: paused');
    await heard(); // By then the batch that was under way is done.
    const stopped = await checkpoint();
    expect(Number(stopped)).toBeLessThan(WALLETS);
    await heard();
    await heard();
    expect(await checkpoint()).toBe(stopped);
    const { runId } = await trueup.run('last');
    await tell('resume', runId.slice(0, 8));
    const { status, stderr } = await run.ended;
    expect(status).toBe(0);
    expect(stderr.match(/waiting: paused/g)).toHaveLength(1);
    expect(await trueup.run('last')).toMatchObject({ state: 'finished', waiting: null });
    expect(await caches(db, economy)).toEqual(await truth(db, economy));
  });

  test('the last run that can be told is the one under way, whatever has come after it', async () => {
    const run = await atTheGate();
    await trueup.reconcile({ userIds: ['1'] });
    await tell('stop');
    await heard();
    await open();
    expect((await run.ended).status).toBe(3);
    // Nor does a run of one user keep the others from being resumed.
    await trueup.reconcile({ userIds: ['1'] });
    expect(await trueup.reconcile({ resume: true })).toMatchObject({ checked: WALLETS });
  });

  test.each([true, false])(
    'a pause outlives its process, unless a person resumes the run',
    async (unattended) => {
      const { runId } = await trueup.reconcile({ all: true, limit: 3 });
      await db.run(`UPDATE trueup.runs SET control = 'pause' WHERE id = $1`, [runId]);
      const pauses: ReconcilePause[] = [];
      const summary = await trueup.reconcile({
        resume: runId,
        unattended,
        maxRepairs: WALLETS,
        onPause: (pause) => {
          pauses.push(pause);
          void trueup.steer({ run: runId, action: 'resume' });
        },
      });
      expect(summary).toMatchObject({ checked: WALLETS });
      expect(pauses.length > 0).toBe(unattended);
    },
  );

  test('a run is stopped after its batch, says how it goes on, and goes on', async () => {
    const run = await atTheGate();
    await tell('stop');
    await heard();
    await open();
    const { status, stdout, stderr } = await run.ended;
    const { runId, state } = await trueup.run('last');
    expect({ status, state }).toEqual({ status: 3, state: 'interrupted' });
    expect(stdout).toContain('incomplete: told to stop');
    expect(stderr).toContain(`trueup reconcile --resume ${runId}`);
    const rest = await trueup.reconcile({ resume: runId });
    expect(rest).toMatchObject({ checked: WALLETS, drifted: WALLETS, exitStatus: 0 });
    expect(await caches(db, economy)).toEqual(await truth(db, economy));
  });

  test('a run that is paused is stopped', async () => {
    const run = await atTheGate();
    await tell('pause');
    await heard();
    await open();
    await paused();
    await tell('stop');
    expect((await run.ended).status).toBe(3);
    expect(await trueup.run('last')).toMatchObject({ state: 'interrupted', waiting: null });
  });

  test('a run that is over is told nothing', async () => {
    await trueup.reconcile({ all: true });
    const told = await runTrueup(['runs', 'pause', '--config', config], { databaseUrl: db.url });
    expect(told).toMatchObject({ status: 1, stdout: '' });
    expect(told.stderr).toContain('run_not_running');
  });
});

describe('a run that waits for the server', () => {
  test('goes on once others have less to do, and its records say why it waited', async () => {
    await close();
    const busy = await db.connect();
    const sleeping = busy.query(`SELECT pg_advisory_lock_shared(${GATE})`);
    const pauses: ReconcilePause[] = [];
    const run = trueup.reconcile({
      all: true,
      maxLoad: 0,
      onPause: (pause) => pauses.push(pause),
    });
    // The session that waits at the gate is another one that is at work.
    await vi.waitFor(async () => {
      expect((await trueup.run('last')).waiting).toMatch(/^\d+ other sessions are at work/);
    }, WITHIN);
    await open();
    await sleeping;
    expect(await run).toMatchObject({ exitStatus: 0, drifted: WALLETS });
    expect(pauses[0]?.kind).toBe('load');
    expect(pauses.at(-1)).toEqual({ kind: null, reason: null });
  });

  test('is refused where the role is not shown what others do, before anything is changed', async () => {
    const { name, url } = await db.role();
    await db.run(`
      GRANT USAGE ON SCHEMA app, trueup TO ${name};
      GRANT ALL ON ALL TABLES IN SCHEMA app, trueup TO ${name}`);
    const limited = await db.trueup({ config: economy.mapping, databaseUrl: url });
    await expect(limited.reconcile({ all: true, maxLag: 5 })).rejects.toMatchObject({
      code: 'permission_denied',
      hint: expect.stringContaining('pg_monitor') as string,
    });
    expect(await db.value('SELECT max(balance)::text FROM app.wallet')).toBe('0');
  });
});

test('a run whose time is over ends after its batch, and the next night goes on', async () => {
  const first = await trueup.reconcile({ all: true, batchSize: 1, runTime: 0.3, nice: 10 });
  expect(first).toMatchObject({ incomplete: 'run_time', exitStatus: 3 });
  expect(first.checked).toBeLessThan(WALLETS);
  expect(await trueup.reconcile({ resume: true })).toMatchObject({
    ...{ checked: WALLETS, drifted: WALLETS, incomplete: null, exitStatus: 0 },
  });
  expect(await caches(db, economy)).toEqual(await truth(db, economy));
});

test('wallets that somebody holds for ever are left, counted, and nobody else is', async () => {
  const other = await db.connect();
  await other.query('BEGIN');
  await other.query('SELECT FROM app.wallet WHERE id IN (3, 17) FOR UPDATE');
  await other.query('SELECT FROM app.profile WHERE user_id = 21 FOR UPDATE');
  const run = await runTrueup(['reconcile', '--all', '--json', '--config', config], {
    databaseUrl: db.url,
  });
  expect(run.status).toBe(3);
  expect(run.ofType('skip').map(({ walletId }) => walletId)).toEqual(['3', '17', '21']);
  expect(run.ofType('summary')).toMatchObject([{ skipped: 3, drifted: WALLETS - 3, errors: 0 }]);
  await other.query('ROLLBACK');
  expect(await trueup.reconcile({ all: true })).toMatchObject({ drifted: 3, exitStatus: 0 });
});
