import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { countingPort, runTrueup, startTrueup } from '../support/cli.js';
import { createDatabase, WAITING } from '../support/database.js';
import { makeFolder } from '../support/folder.js';
import { Proxy } from '../support/proxy.js';
import { OWN_MAPPING } from '../../src/index.js';
import { STACK_TRACE, temporaryFolder, writeConfig } from './fixture.js';

/** How `trueup start` begins and ends, and what it does while the database is away. */

const db = await createDatabase('own');
const folder = temporaryFolder();
const config = writeConfig(folder, 'own.json', OWN_MAPPING);
const LEDGER = '"trueup"."entries"';

const JSON_LOG = ['start', '--log-format', 'json', '--config', config];

const event = (name: string): string => `"event":"${name}"`;

/** A night was missed: whoever starts now makes it up. */
async function missNight(): Promise<void> {
  await db.run('TRUNCATE trueup.schedule_slots, trueup.runs');
  await db.run(
    `INSERT INTO trueup.schedule_slots (ledger, job, due_at, host, process, schedule, finished_at, outcome)
     VALUES ($1, 'reconcile', now() - interval '3 days', 'x', 1, '0 3 * * * UTC', now(), 'finished')`,
    [LEDGER],
  );
}

async function appears(query: string): Promise<void> {
  await expect
    .poll(async () => (await db.rows(query)).length, { timeout: 30_000 })
    .toBeGreaterThan(0);
}

describe('a signal', () => {
  test.each(['SIGINT', 'SIGTERM'] as const)('%s ends it cleanly', async (signal) => {
    const one = startTrueup(['start', '--config', config], { databaseUrl: db.url });
    await one.saw('stderr', ' started ');
    one.child.kill(signal);
    const run = await one.ended;
    expect(run.status).toBe(0);
    expect(run.stdout).toBe('');
    expect(run.stderr.trim().split('\n').at(-1)).toMatch(
      /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ {2}stopped {2}stopped$/,
    );
  });

  test('SIGHUP changes nothing', async () => {
    const one = startTrueup(JSON_LOG, { databaseUrl: db.url });
    await one.saw('stderr', event('started'));
    one.child.kill('SIGHUP');
    await one.saw('stderr', 'SIGHUP changes nothing');
    one.child.kill('SIGTERM');
    expect((await one.ended).status).toBe(0);
  });

  test('in the middle of a run lets it finish its batch, and the next process goes on', async () => {
    const gate = await drifted(6);
    const one = startTrueup([...JSON_LOG, '--batch-size', '1'], { databaseUrl: db.url });
    await appears(WAITING);
    one.child.kill('SIGTERM');
    await one.saw('stderr', event('stopping'));
    await gate.open();
    const run = await one.ended;
    expect(run.status).toBe(0);
    expect(run.stderr).toContain(event('slot_released'));
    expect(await db.value('SELECT state FROM trueup.runs WHERE kind = $1', ['reconcile'])).toBe(
      'interrupted',
    );

    const next = startTrueup(JSON_LOG, { databaseUrl: db.url });
    await next.saw('stderr', event('run_finished'));
    next.child.kill('SIGTERM');
    expect((await next.ended).status).toBe(0);
    expect(
      await db.rows(
        `SELECT s.outcome, s.attempts, r.resumed FROM trueup.schedule_slots AS s
           JOIN trueup.runs AS r ON r.id = s.run_id`,
      ),
    ).toEqual([{ outcome: 'finished', attempts: 2, resumed: 1 }]);
    expect(await wrongWallets()).toBe('0');
  });

  test('and a second one ends it at once', async () => {
    const gate = await drifted(6);
    const one = startTrueup([...JSON_LOG, '--batch-size', '1'], { databaseUrl: db.url });
    await appears(WAITING);
    one.child.kill('SIGTERM');
    await one.saw('stderr', 'once more stops at once');
    one.child.kill('SIGTERM');
    expect((await one.ended).status).toBe(143);
    await gate.open();
  });
});

let gates = 0;

/** Wallets of users who have drifted; whoever repairs one waits until the gate is opened. */
async function drifted(count: number): Promise<{ readonly open: () => Promise<void> }> {
  gates += 1;
  await db.run(`
    DROP TRIGGER IF EXISTS gate ON trueup.wallets;
    INSERT INTO trueup.profiles (user_id, balance)
      SELECT 'gate ${String(gates)} ' || n, 0 FROM generate_series(1, ${String(count)}) n;
    INSERT INTO trueup.wallets (profile_id, balance)
      SELECT id, 7 FROM trueup.profiles WHERE user_id LIKE 'gate ${String(gates)} %';
    INSERT INTO trueup.entries (wallet_id, amount, reason)
      SELECT w.id, 50, 'winner' FROM trueup.wallets w JOIN trueup.profiles p ON p.id = w.profile_id
       WHERE p.user_id LIKE 'gate ${String(gates)} %';
    UPDATE trueup.wallets w SET balance = 9 FROM trueup.profiles p
     WHERE p.id = w.profile_id AND p.user_id LIKE 'gate ${String(gates)} %';
    CREATE OR REPLACE FUNCTION trueup.test_gate() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN PERFORM pg_advisory_xact_lock_shared(78); RETURN NEW; END $$;
    CREATE TRIGGER gate BEFORE UPDATE ON trueup.wallets FOR EACH ROW EXECUTE FUNCTION trueup.test_gate();`);
  await missNight();
  const keeper = await db.connect();
  await keeper.query('SELECT pg_advisory_lock(78)');
  return {
    open: async () => {
      await keeper.query('SELECT pg_advisory_unlock(78)');
    },
  };
}

function wrongWallets(): Promise<string> {
  return db.value(
    `SELECT count(*)::text FROM trueup.wallets AS w
      WHERE balance <> (SELECT coalesce(sum(amount), 0) FROM trueup.entries WHERE wallet_id = w.id)`,
  );
}

describe('a database that goes away', () => {
  test('is waited for, told once, and worked with again', async () => {
    await db.run('DROP TRIGGER IF EXISTS gate ON trueup.wallets');
    const proxy = await Proxy.to(db.url);
    const one = startTrueup(JSON_LOG, { databaseUrl: proxy.url });
    await one.saw('stderr', event('started'));
    await missNight();
    proxy.down = true;
    await one.saw('stderr', event('database_lost'));
    // The night is missed while nobody can be asked.
    proxy.down = false;
    await one.saw('stderr', event('database_back'));
    one.child.kill('SIGTERM');
    const run = await one.ended;
    expect(run.status).toBe(0);
    expect(run.stderr.split(event('database_lost'))).toHaveLength(2);
    expect(run.stderr).not.toMatch(STACK_TRACE);
  });

  test('may be away when it starts, and a stop while it waits is clean', async () => {
    const proxy = await Proxy.to(db.url);
    proxy.down = true;
    const [one, two] = [0, 1].map(() => startTrueup(JSON_LOG, { databaseUrl: proxy.url }));
    await one?.saw('stderr', 'trying again in');
    await two?.saw('stderr', 'trying again in');
    two?.child.kill('SIGTERM');
    expect((await two?.ended)?.status).toBe(0);
    proxy.down = false;
    await one?.saw('stderr', event('started'));
    one?.child.kill('SIGTERM');
    expect((await one?.ended)?.status).toBe(0);
  });

  test.each([
    ['another kind of address', 'mysql://127.0.0.1/x'],
    ['a database that is not there', () => db.url.replace(db.name, 'trueup_no_such_database')],
  ])('is not waited for where waiting mends nothing: %s', async (_, url) => {
    const run = await runTrueup(JSON_LOG, { databaseUrl: typeof url === 'string' ? url : url() });
    expect(run.status).toBe(1);
    expect(run.stderr).toContain('[database_unreachable]');
  });
});

/** The process number of the embedded server. */
function postmaster(home: string): number {
  return Number.parseInt(readFileSync(join(home, 'server/data/postmaster.pid'), 'utf8'), 10);
}

describe('in an empty folder', () => {
  const home = makeFolder('start');
  afterAll(() => {
    rmSync(home, { recursive: true, force: true });
  });

  test('two work side by side, and survive the death of their server', async () => {
    const environment = { env: { TRUEUP_HOME: join(home, 'server') }, cwd: home };
    const one = startTrueup(['start', '--log-format', 'json'], environment);
    await one.saw('stderr', event('started'));
    const two = startTrueup(['start', '--log-format', 'json'], environment);
    await two.saw('stderr', event('started'));
    process.kill(postmaster(home), 'SIGKILL');
    await Promise.all([one, two].map((each) => each.saw('stderr', event('database_back'))));
    for (const each of [one, two]) each.child.kill('SIGINT');
    const runs = await Promise.all([one.ended, two.ended]);
    expect(runs.map((run) => run.status)).toEqual([0, 0]);
    // The last one who leaves has stopped the server.
    expect(() => postmaster(home)).toThrow('ENOENT');
  });
});

describe('wrong usage', () => {
  test.each([
    ['a schedule', ['--schedule', '0 3 * *']],
    ['a schedule that is never due', ['--schedule', '0 3 31 2 *']],
    ['a time zone', ['--time-zone', 'Mars/Olympus']],
    ['a span', ['--full-every', 'soon']],
    ['a log format', ['--log-format', 'xml']],
    ['a webhook', ['--alert-webhook', 'ftp://example.com/secret']],
    ['a command', ['--alert-command', ' ']],
    ['a part', ['--max-repair-ratio', '101%']],
  ])('%s that cannot be meant', async (_, flags) => {
    const port = await countingPort();
    const run = await runTrueup(['start', ...flags], { databaseUrl: port.url });
    await port.close();
    expect(run.status).toBe(64);
    expect(run.stderr).not.toContain('secret');
    expect(run.stderr).not.toMatch(STACK_TRACE);
    expect(port.connections()).toBe(0);
  });
});
