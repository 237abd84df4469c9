import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { startTrueup, runTrueup, type RunningCli } from '../support/cli.js';
import { createDatabase, WAITING } from '../support/database.js';
import { createEconomy, caches, truth } from '../support/economy.js';
import { Receiver, status } from '../operations/receiver.js';
import { STACK_TRACE, temporaryFolder, writeConfig } from './fixture.js';

/** `trueup start`, as a person or a supervisor uses it: real processes on a real server. */

const db = await createDatabase('empty');
const folder = temporaryFolder();
const receiver = await Receiver.start();

let economies = 0;

/** An application's economy in which so many users have drifted, and a night that was missed. */
async function missedNight(drifted: number): Promise<{
  readonly config: string;
  readonly ledger: string;
  readonly economy: Awaited<ReturnType<typeof createEconomy>>;
}> {
  economies += 1;
  const schema = `app${String(economies)}`;
  const economy = await createEconomy(db, drifted, { schema });
  await db.run(
    `INSERT INTO ${schema}.ledger (wallet_id, amount) SELECT n, n * 10 FROM generate_series(1, $1::int) n`,
    [drifted],
  );
  const config = writeConfig(folder, `${schema}.json`, economy.mapping);
  const ledger = `"${schema}"."ledger"`;
  await runTrueup(['migrate', '--config', config], { databaseUrl: db.url });
  await db.run(
    `INSERT INTO trueup.schedule_slots (ledger, job, due_at, host, process, schedule, finished_at, outcome)
     VALUES ($1, 'reconcile', now() - interval '3 days', 'x', 1, '0 3 * * * UTC', now(), 'finished')`,
    [ledger],
  );
  return { config, ledger, economy };
}

/** Runs it in the log format for programs. */
function start(config: string, ...args: string[]): RunningCli {
  return startTrueup(['start', '--log-format', 'json', '--config', config, ...args], {
    databaseUrl: db.url,
  });
}

/** Waits until a query finds something. */
async function appears(query: string, values: unknown[] = []): Promise<void> {
  await expect
    .poll(async () => (await db.rows(query, values)).length, { timeout: 30_000 })
    .toBeGreaterThan(0);
}

const ended = (event: string): string => `"event":"${event}"`;

describe('a night that was missed', () => {
  test('is made up by one of five processes, which all stop cleanly', async () => {
    const { config, ledger, economy } = await missedNight(3);
    const all = Array.from({ length: 5 }, () => start(config));
    await Promise.all(all.map((one) => one.saw('stderr', ended('started'))));
    await Promise.any(all.map((one) => one.saw('stderr', ended('run_finished'))));
    for (const one of all) one.child.kill('SIGTERM');
    const runs = await Promise.all(all.map((one) => one.ended));
    expect(runs.map((run) => run.status)).toEqual([0, 0, 0, 0, 0]);
    expect(runs.map((run) => run.stdout).join('')).toBe('');
    expect(runs.filter((run) => run.stderr.includes(ended('run_started')))).toHaveLength(1);
    expect(
      await db.rows(
        `SELECT count(*)::text AS runs, bool_and(unattended) AS unattended, min(exit_status) AS status
           FROM trueup.runs WHERE ledger = $1 AND kind = 'reconcile'`,
        [ledger],
      ),
    ).toEqual([{ runs: '1', unattended: true, status: 0 }]);
    expect(
      await db.rows(
        `SELECT s.outcome, s.detail, r.id = s.run_id AS linked
           FROM trueup.schedule_slots AS s JOIN trueup.runs AS r ON r.id = s.run_id WHERE s.ledger = $1`,
        [ledger],
      ),
    ).toEqual([{ outcome: 'finished', detail: 'exit status 0', linked: true }]);
    expect(await caches(db, economy)).toEqual(await truth(db, economy));
    for (const run of runs) expect(run.stderr).not.toMatch(STACK_TRACE);
  });

  test('in the right place whatever the clock of the host says', async () => {
    const { config, ledger } = await missedNight(1);
    const fake = writeConfig(folder, 'clock.mjs', JUMPING_CLOCK);
    const one = startTrueup(['start', '--log-format', 'json', '--config', config], {
      databaseUrl: db.url,
      env: { NODE_OPTIONS: `--import ${fake}` },
    });
    await one.saw('stderr', ended('run_finished'));
    one.child.kill('SIGTERM');
    expect((await one.ended).status).toBe(0);
    // The latest three o'clock of the database's clock, and no other slot.
    expect(
      await db.rows(
        `SELECT due_at = date_trunc('day', (now() AT TIME ZONE 'UTC') - interval '3 hours') AT TIME ZONE 'UTC'
                         + interval '3 hours' AS right
           FROM trueup.schedule_slots WHERE ledger = $1 AND run_id IS NOT NULL`,
        [ledger],
      ),
    ).toEqual([{ right: true }]);
    expect(
      await db.value('SELECT count(*)::text FROM trueup.schedule_slots WHERE ledger = $1', [
        ledger,
      ]),
    ).toBe('2');
  });

  test('tells people by webhook and by command what it found', async () => {
    receiver.will(status(200));
    const { config } = await missedNight(2);
    const one = start(
      config,
      ...[
        '--alert-webhook',
        receiver.url,
        '--alert-command',
        `cat >> '${folder}/told'; echo >> '${folder}/told'`,
      ],
    );
    // So many that drift are an alert of their own; both hooks have accepted what is said to be delivered.
    await one.saw('stderr', 'was delivered: 2 users drifted');
    await one.saw('stderr', 'was delivered: 2 users of 2 wallets drifted');
    one.child.kill('SIGINT');
    expect((await one.ended).status).toBe(0);
    const bodies = receiver.requests.map(({ body }) => JSON.parse(body) as { kind: string });
    expect(bodies[0]).toMatchObject({
      type: 'alert',
      kind: 'drift',
      state: 'open',
      details: { drifted: 2, left: 0 },
    });
    expect(bodies[1]).toMatchObject({ kind: 'many_drifted', state: 'open' });
    const told = readFileSync(`${folder}/told`, 'utf8')
      .split('\n')
      .filter((line) => line !== '');
    expect(told.map((line) => JSON.parse(line) as unknown)).toEqual(bodies);
  });
});

/** A clock that is wrong by hours or days, another way at each look. */
const JUMPING_CLOCK = `
  const Right = Date;
  const jump = () => (Math.floor(Math.random() * 9) - 4) * 7 * 3_600_000;
  globalThis.Date = class extends Right {
    constructor(...given) {
      if (given.length === 0) super(Right.now() + jump());
      else super(...given);
    }
    static now() {
      return Right.now() + jump();
    }
  };`;

describe('a process that is killed in the middle', () => {
  test('is followed by another, which goes on with its run', async () => {
    const { config, ledger, economy } = await missedNight(5);
    const schema = ledger.split('.')[0] ?? '';
    // Whoever repairs wallet 4 waits until the test lets him go on.
    await db.run(`
      CREATE FUNCTION ${schema}.wait() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN PERFORM pg_advisory_xact_lock_shared(77); RETURN NEW; END $$;
      CREATE TRIGGER gate BEFORE UPDATE ON ${schema}.wallet FOR EACH ROW
        WHEN (NEW.id = 4) EXECUTE FUNCTION ${schema}.wait();`);
    const keeper = await db.connect();
    await keeper.query('SELECT pg_advisory_lock(77)');
    const first = start(config, '--batch-size', '1', '--max-repair-ratio', '1');
    await appears(
      `SELECT FROM trueup.schedule_slots WHERE ledger = $1 AND finished_at IS NULL AND run_id IS NOT NULL`,
      [ledger],
    );
    await appears(WAITING);
    first.child.kill('SIGKILL');
    expect((await first.ended).status).toBe(null);
    // Half a minute later, as far as anybody can see.
    await db.run(
      `UPDATE trueup.schedule_slots SET heartbeat_at = heartbeat_at - interval '31 seconds'
        WHERE ledger = $1`,
      [ledger],
    );
    await db.run(
      `UPDATE trueup.runs SET heartbeat_at = heartbeat_at - interval '31 seconds' WHERE ledger = $1`,
      [ledger],
    );
    const second = start(config);
    await second.saw('stderr', 'taken over');
    await keeper.query('SELECT pg_advisory_unlock(77)');
    await second.saw('stderr', ended('run_finished'));
    second.child.kill('SIGTERM');
    expect((await second.ended).status).toBe(0);
    expect(
      await db.rows(
        `SELECT s.outcome, s.attempts, r.resumed, r.exit_status
           FROM trueup.schedule_slots AS s JOIN trueup.runs AS r ON r.id = s.run_id WHERE s.ledger = $1`,
        [ledger],
      ),
    ).toEqual([{ outcome: 'finished', attempts: 2, resumed: 1, exit_status: 0 }]);
    expect(await caches(db, economy)).toEqual(await truth(db, economy));
  });
});
