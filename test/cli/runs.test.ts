import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, test } from 'vitest';
import { runTrueup, startTrueup, type CliRun } from '../support/cli.js';
import { createDatabase } from '../support/database.js';
import { caches, truth, type Economy } from '../support/economy.js';
import { createTiers } from '../support/tiers.js';
import { STACK_TRACE, temporaryFolder, writeConfig } from './fixture.js';

/** `trueup runs` and `trueup undo` as an operator meets them. */

const db = await createDatabase('empty');
const folder = temporaryFolder();
let economy: Economy;
let config: string;

const trueup = (...args: string[]): Promise<CliRun> =>
  runTrueup([...args, '--config', config], { databaseUrl: db.url });

/** An unattended run has left wallets 2 and 3, repaired 4, and found 5 below zero. */
beforeEach(async () => {
  await db.run('DROP SCHEMA IF EXISTS app CASCADE; DROP SCHEMA IF EXISTS trueup CASCADE');
  economy = await createTiers(db, 6);
  config = writeConfig(folder, 'app.json', economy.mapping);
  await db.run(`
    UPDATE app.wallet SET balance = balance + 1250 WHERE id IN (2, 3);
    UPDATE app.wallet SET balance = balance - 1 WHERE id = 4;
    INSERT INTO app.ledger (wallet_id, amount) VALUES (5, -600);
    UPDATE app.wallet SET balance = balance - 600 WHERE id = 5;
    UPDATE app.profile SET shown = shown - 600 WHERE user_id = 5`);
});

const night = (): Promise<CliRun> => trueup('reconcile', '--all', '--unattended');

describe('a run that leaves something', () => {
  test('says what waits, who is below zero, and what to do', async () => {
    const { status, stdout, stderr } = await night();
    expect(status).toBe(2);
    expect(stdout).toMatch(/^user 2  wallet balance 1450 -> 200  \(.*waits for approval\)$/m);
    expect(stdout).toMatch(
      /2 findings wait for approval \(trueup runs approve [0-9a-f-]{36}\); wallets below zero: 1/,
    );
    expect(stderr).toContain(
      'wallet 5 of user 5 is critical: its entries sum up to -100, and it is allowed no overdraft; it is frozen',
    );
    expect(stderr).not.toMatch(STACK_TRACE);
  });

  test('is approved, wallet by wallet or as a whole, and that is undone', async () => {
    await night();
    const one = await trueup('runs', 'approve', 'last', '--wallet-id', '3');
    expect(one).toMatchObject({ status: 0, stderr: '' });
    expect(one.stdout).toContain('user 3  wallet balance 1550 -> 300  repaired');
    const rest = await trueup('runs', 'approve', '--all', '--json');
    expect(rest.status).toBe(0);
    expect(rest.json().map(({ type }) => type)).toEqual(['finding', 'summary']);
    expect(rest.json().at(-1)).toMatchObject({ approved: 1, repaired: 1, left: 0 });
    expect(await caches(db, economy)).toEqual(await truth(db, economy));
    const undone = await trueup('undo', String(rest.json().at(-1)?.['runId']).slice(0, 8));
    expect(undone).toMatchObject({ status: 0, stderr: '' });
    expect(undone.stdout).toContain('The ledger says otherwise');
    const kept = await db.value(`SELECT id FROM trueup.runs WHERE kind = 'undo'`);
    expect((await trueup('runs', 'show', kept)).stdout).toMatch(/wallet 2 .*taken back/);
    expect(await db.value('SELECT balance::text FROM app.wallet WHERE id = 2')).toBe('1450');
  });

  test('what has moved on is told, with status 2', async () => {
    await night();
    await db.run('UPDATE app.wallet SET balance = balance + 1 WHERE id = 2');
    const { status, stdout } = await trueup('runs', 'approve', '--all');
    expect(status).toBe(2);
    expect(stdout).toContain(
      'wallet 2 of user 2 is left: wallet.balance differs by -1251 by now, and what waits is -1250',
    );
  });
});

test.each([
  ['neither', []],
  ['both', ['--all', '--wallet-id', '2']],
])('approving %s of all and some is wrong usage', async (_, flags) => {
  const run = await trueup('runs', 'approve', 'last', ...flags);
  expect(run).toMatchObject({ status: 64, stdout: '' });
  expect(run.stderr).toContain('say what is approved');
});

test('runs are listed and shown', async () => {
  await night();
  await trueup('runs', 'approve', '--all');
  const list = await trueup('runs', '--json');
  expect(list.json().map(({ kind, state }) => [kind, state])).toEqual([
    ['approve', 'finished'],
    ['reconcile', 'finished'],
  ]);
  const id = String(list.json()[1]?.['runId']);
  const shown = await trueup('runs', 'show', id.slice(0, 6), '--json');
  expect(shown.json()).toMatchObject([
    {
      ...{ runId: id, scope: 'all', unattended: true, exitStatus: 2 },
      counts: { review: 2, critical: 1, repaired: 1 },
      largest: [{ walletId: '4', before: '399', after: '400', delta: '1' }],
    },
  ]);
  const text = await trueup('runs', 'show', id);
  for (const word of [id, 'review', 'critical', 'wallet balance']) {
    expect(text.stdout).toContain(word);
  }
  expect((await trueup('runs')).lines().length).toBeGreaterThanOrEqual(3);
});

describe('what waits', () => {
  test('is shown wallet by wallet, the critical and the largest first, with the command that approves', async () => {
    await db.run('UPDATE app.wallet SET balance = balance + 1 WHERE id = 3');
    await night();
    const shown = await trueup('runs', 'show', 'last', '--json');
    const [run] = shown.json() as { runId: string; open: { findings: object[] } }[];
    expect(run?.open).toMatchObject({
      ...{ total: 3, review: 2 },
      findings: [
        { state: 'critical', userId: '5', walletId: '5', part: null },
        {
          ...{ state: 'review', userId: '3', walletId: '3', part: 'wallet', field: 'balance' },
          ...{ cached: '1551', expected: '300', delta: '-1251' },
        },
        { state: 'review', walletId: '2', cached: '1450', expected: '200' },
      ],
    });
    const { stdout } = await trueup('runs', 'show');
    expect(stdout).toMatch(/^what is open, 3 in all:$/m);
    expect(stdout).toMatch(
      /^ {2}user 5 +wallet 5 +CRITICAL +its entries sum up to -100, .*\n {2}user 3 +wallet 3 +wallet balance 1,551 -> 300 +waits for approval\n {2}user 2 +wallet 2 +wallet balance 1,450 -> 200 +waits for approval$/m,
    );
    expect(stdout).toContain(
      `trueup runs approve ${String(run?.runId)} --all --config ${config} repairs what waits for approval (or --wallet-id ID)`,
    );
  });

  test('is not shown any more once it was approved', async () => {
    await night();
    await trueup('runs', 'approve', '--all');
    const { stdout } = await trueup('runs', 'show', await lastReconcile());
    expect(stdout).toMatch(/^what is open, 1 in all:$/m);
    expect(stdout).not.toMatch(/waits for approval|runs approve/);
  });

  test('is twenty of them for people, and up to a thousand for programs', async () => {
    await night();
    const run = await lastReconcile();
    await db.run(
      `INSERT INTO trueup.findings (run_id, ledger, wallet_id, state, part, field, cached, expected, delta)
       SELECT id, ledger, n, 'reported', 'wallet', 'balance', '0', n, n
         FROM trueup.runs, generate_series(1, 1000) n WHERE id = $1`,
      [run],
    );
    const { stdout } = await trueup('runs', 'show', run);
    expect(stdout.match(/^ {2}.* cannot be repaired$/gm)).toHaveLength(17);
    expect(stdout).toMatch(/^ {2}and 983 more; --json has 1,000 of them, trueup report all$/m);
    const [told] = (await trueup('runs', 'show', run, '--json')).json();
    expect(told?.['open']).toMatchObject({ total: 1003 });
    expect((told?.['open'] as { findings: object[] }).findings).toHaveLength(1000);
  });
});

describe('a run that a rail has stopped', () => {
  const said = /^ {2}(trueup reconcile --resume .*)$/m;

  test('is shown with the command that it printed itself', async () => {
    const { stdout, stderr } = await trueup('reconcile', '--all', '--max-repairs', '1');
    // Which caches drifted, nobody has looked at: no noughts for them.
    expect(stdout).toMatch(/^checked 6 {2}drifted 3 {2}repaired 0 {2}skipped 0 /m);
    const [, command = ''] = said.exec(stderr) ?? [];
    expect(command).toContain('--max-repairs 3');
    const shown = await trueup('runs', 'show');
    expect(said.exec(shown.stdout)?.[1]).toBe(command);
    expect(shown.stdout).not.toContain('goes on with it');
    expect(shown.stdout).toMatch(/^ {2}counts +6 checked, 3 users drifted, 0 repaired/m);
    expect((await trueup('status')).stdout).toMatch(/checked 6 {2}drifted 3 {2}repaired 0/);
    // It does what it says.
    const [, ...words] = command.split(' ');
    expect((await runTrueup(words, { databaseUrl: db.url })).status).toBe(0);
    expect(await caches(db, economy)).toEqual(await truth(db, economy));
  });

  test('is explained by status: what drifted, and the same command', async () => {
    const { stderr } = await trueup('reconcile', '--all', '--max-repairs', '1');
    const command = (said.exec(stderr)?.[1] ?? '').replace(` --config ${config}`, '');
    const { status, stdout } = await trueup('status');
    expect(status).toBe(4);
    const run = await lastReconcile();
    expect(stdout).toContain(
      `-> see what drifted: trueup report ${run} report.html lists the wallets, trueup reconcile --all --dry-run every cache; where that is right: ${command}\n`,
    );
  });

  test('has a report of the wallets that its survey saw', async () => {
    await trueup('reconcile', '--all', '--max-repairs', '1');
    await db.run('UPDATE app.wallet SET balance = balance + 9 WHERE id = 6');
    const file = `${folder}/stopped.csv`;
    await trueup('report', 'last', file);
    const rows = readFileSync(file, 'utf8').split('\r\n').slice(1, -1);
    const suspects = rows.map((row) =>
      row.split(',').filter((_, place) => [0, 2, 8].includes(place)),
    );
    expect(suspects).toEqual([
      ['found', '2', '1250'],
      ['found', '3', '1250'],
      ['found', '4', '1'],
    ]);
    const page = `${folder}/stopped.html`;
    await trueup('report', 'last', page);
    expect(readFileSync(page, 'utf8')).toMatch(
      /<h2>What had drifted<\/h2>[^]*>2<\/td>\s*<td>to be repaired<\/td>\s*<td class="n">1,250<\/td>/,
    );
  });

  test('has no suspects in its report once they were repaired', async () => {
    await trueup('reconcile', '--all', '--max-repairs', '1');
    await trueup('reconcile', '--resume', '--max-repairs', '3');
    const file = `${folder}/resumed.csv`;
    await trueup('report', 'last', file);
    expect(readFileSync(file, 'utf8')).not.toMatch(/^found/m);
  });
});

const lastReconcile = (): Promise<string> =>
  db.value(`SELECT id::text FROM trueup.runs WHERE kind = 'reconcile'`);

test('a run whose process was killed is told alike by every command, at once', async () => {
  await trueup('migrate');
  await db.run(`
    CREATE FUNCTION app.wait() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN PERFORM pg_advisory_xact_lock_shared(77); RETURN NEW; END $$;
    CREATE TRIGGER gate BEFORE UPDATE ON app.wallet FOR EACH ROW EXECUTE FUNCTION app.wait();`);
  const keeper = await db.connect();
  await keeper.query('SELECT pg_advisory_lock(77)');
  const run = startTrueup(['reconcile', '--all', '--config', config], { databaseUrl: db.url });
  const stuck = `SELECT FROM pg_locks WHERE NOT granted AND locktype = 'advisory'
                    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;
  await expect.poll(async () => (await db.rows(stuck)).length).toBe(1);
  expect((await trueup('runs')).stdout).toMatch(/ running /);
  expect((await trueup('status')).stdout).toMatch(/^under way +run /m);
  run.child.kill('SIGKILL');
  await run.ended;
  const gone = `SELECT FROM trueup.runs AS r WHERE NOT EXISTS (
                  SELECT FROM pg_stat_activity AS a WHERE a.pid = r.backend)`;
  await expect.poll(async () => (await db.rows(gone)).length).toBe(1);
  expect(await db.value('SELECT state FROM trueup.runs')).toBe('running');
  expect((await trueup('runs')).stdout).toMatch(/ abandoned /);
  expect((await trueup('status')).stdout).toMatch(/^under way +nothing$/m);
  const { stdout } = await trueup('runs', 'show');
  expect(stdout).toMatch(/^ {2}state +abandoned: its process is gone$/m);
  expect(stdout).toContain('goes on with it');
  const file = `${folder}/gone.json`;
  await trueup('report', 'last', file);
  expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ run: { state: 'abandoned' } });
  await keeper.query('SELECT pg_advisory_unlock(77)');
});

test('a run that there is not', async () => {
  await night();
  for (const args of [
    ['runs', 'show', 'ffffffff'],
    ['undo', 'ffffffff'],
    ['runs', 'approve', 'ffffffff', '--all'],
  ]) {
    const run = await trueup(...args);
    expect(run).toMatchObject({ status: 1, stdout: '' });
    expect(run.stderr).toContain('run_not_found');
  }
});

test.each([
  [['--run-time', '2'], 'Give a duration'],
  [['--max-lag', 'soon'], 'Give a duration'],
  [['--nice', '-1'], 'Give a number'],
  [['--max-load', '1.5'], 'Give a whole number'],
  [['--review-over', 'much'], 'Give a whole number of coins'],
])('a flag that cannot be meant: %j', async (flags, words) => {
  const run = await trueup('reconcile', '--all', ...flags);
  expect(run.status).toBe(64);
  expect(run.stderr).toContain(words);
});
