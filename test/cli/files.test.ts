import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { countingPort, runTrueup, type CliRun } from '../support/cli.js';
import { createDatabase } from '../support/database.js';
import { caches, createEconomy, truth, type Economy } from '../support/economy.js';
import { STACK_TRACE, temporaryFolder, writeConfig } from './fixture.js';

/** `--report`, `--plan` and `--apply` of `trueup reconcile`, and `trueup report`. */

const db = await createDatabase('empty');
const folder = temporaryFolder();
const PROGRAM = resolve(import.meta.dirname, '../../bin/trueup.mjs');
const plan = join(folder, 'a plan.jsonl');
let economy: Economy;
let config: string;

beforeEach(async () => {
  await db.run('DROP SCHEMA IF EXISTS app CASCADE; DROP SCHEMA IF EXISTS trueup CASCADE');
  economy = await createEconomy(db, 3);
  config = writeConfig(folder, 'app.json', economy.mapping);
  await db.run(
    'INSERT INTO app.ledger (wallet_id, amount) SELECT n, n * 10 FROM generate_series(1, 3) AS n',
  );
});

const trueup = (...args: string[]): Promise<CliRun> =>
  runTrueup([...args, '--config', config], { databaseUrl: db.url });

const withoutSeconds = (text: string): string => text.replace(/seconds [\d.]+/, 'seconds ...');

describe('a plan', () => {
  test('is made by a dry run, which needs nothing of Trueup there, and is applied', async () => {
    const made = await trueup('reconcile', '--all', '--plan', plan);
    expect(made).toMatchObject({ status: 2 });
    expect(made.lines().at(-1)).toBe('dry run: nothing was changed');
    expect(await db.value(`SELECT to_regnamespace('trueup')`)).toBeNull();

    const tried = await trueup('reconcile', '--apply', plan, '--dry-run');
    expect(tried.status).toBe(2);
    expect(tried.lines().at(-1)).toBe('12 findings as planned; dry run: nothing was changed');
    expect(await db.value(`SELECT to_regnamespace('trueup')`)).toBeNull();

    await db.run('UPDATE app.wallet SET balance = 2 WHERE id = 2');
    const applied = await trueup('reconcile', '--apply', plan);
    expect(applied.status).toBe(3);
    expect(applied.stderr).toBe(
      'wallet 2 of user 2 skipped: not as planned: wallet.balance was 0 -> 20 in the plan, and is 2 -> 20 now\n',
    );
    expect(withoutSeconds(applied.lines().slice(-2).join('\n'))).toBe(
      'planned 3  checked 3  drifted 2  findings 8  repaired 8  in sync 0  changed 1  skipped 0  errors 0  seconds ...\n' +
        '1 wallet not as planned, and left',
    );
    expect(applied.lines()[0]).toMatch(/^user 1 {2}wallet balance 0 -> 10 {2}repaired/);
    const right = await truth(db, economy);
    expect((await caches(db, economy)).filter((line, n) => line !== right[n])).toHaveLength(1);
  });

  test('with --json every line is an object, and the summary is the last', async () => {
    await trueup('reconcile', '--user-id', '2', '--plan', plan, '--quiet');
    const run = await trueup('reconcile', '--apply', plan, '--json');
    expect(run).toMatchObject({ status: 0, stderr: '' });
    expect(run.ofType('finding')).toHaveLength(4);
    expect(run.json().at(-1)).toMatchObject({
      ...{ type: 'summary', planned: 1, repaired: 4, changed: 0, exitStatus: 0, dryRun: false },
    });
  });

  test('a rail ends it with 4, and tells the command that overrides it', async () => {
    await trueup('reconcile', '--all', '--plan', plan);
    const run = await trueup('reconcile', '--apply', plan, '--max-repairs', '2');
    expect(run.status).toBe(4);
    expect(run.lines().at(-1)).toContain('stopped before the first repair: 3 wallets');
    expect(run.stderr).toContain(`trueup reconcile --apply '${plan}' --max-repairs 3 --config`);
    expect(await caches(db, economy)).not.toEqual(await truth(db, economy));
  });

  test('one that was altered ends it with 1 and its code', async () => {
    writeFileSync(plan, 'no plan\n');
    const run = await trueup('reconcile', '--apply', plan);
    expect(run).toMatchObject({ status: 1, stdout: '' });
    expect(run.stderr).toContain('[plan_invalid]');
    expect(run.stderr).not.toMatch(STACK_TRACE);
  });

  test.skipIf(process.platform !== 'linux')(
    'at a terminal it ends with the same lines',
    async () => {
      await trueup('reconcile', '--all', '--plan', plan);
      const command = [process.execPath, PROGRAM, 'reconcile', '--apply', plan, '--config', config];
      const words = [...command, '--quiet', '--database-url', db.url].map((word) => `'${word}'`);
      const run = spawnSync('script', ['-qec', words.join(' '), '/dev/null'], { encoding: 'utf8' });
      expect(run.status).toBe(0);
      const lines = run.stdout.split('\r\n').filter((line) => line !== '');
      expect(withoutSeconds(lines.slice(-2).join('\n'))).toBe(
        'planned 3  checked 3  drifted 3  findings 12  repaired 12  in sync 0  changed 0  skipped 0  errors 0  seconds ...\n' +
          'all that was planned is repaired',
      );
    },
  );
});

describe('a report', () => {
  test('of a run that repairs, and the same again from its record', async () => {
    const file = join(folder, 'run.html');
    const run = await trueup('reconcile', '--all', '--report', file);
    expect(run.status).toBe(0);
    expect(existsSync(file)).toBe(true);
    const again = await trueup('report', 'last', join(folder, 'again.json'));
    expect(again).toMatchObject({ status: 0, stdout: '' });
    const named = await trueup('runs', 'report', 'last', join(folder, 'again.csv'));
    expect(named.status).toBe(0);
    expect(again.stderr).toMatch(/^the report of run [0-9a-f-]{36} is in .*again\.json\n$/);
  });

  test('that nobody could write ends the command before anything is repaired', async () => {
    const run = await trueup('reconcile', '--all', '--report', join(folder, 'none', 'run.html'));
    expect(run).toMatchObject({ status: 1, stdout: '' });
    // The file as it was asked for, not the one that takes its place when it is whole.
    expect(run.stderr).toMatch(
      /^trueup: cannot write \S+run\.html: ENOENT: no such .*y \[file_unw/m,
    );
    expect(run.stderr).not.toContain('.tmp');
    expect(await db.value('SELECT count(*)::text FROM trueup.runs')).toBe('0');
    expect(await caches(db, economy)).not.toEqual(await truth(db, economy));
  });

  test('of a run that nobody knows', async () => {
    await trueup('migrate');
    const run = await trueup('report', 'last', join(folder, 'none.csv'));
    expect(run).toMatchObject({ status: 1, stdout: '' });
    expect(run.stderr).toContain('[run_not_found]');
  });
});

test.each([
  ['reconcile --all --report run.txt', 'Let its name end with .html, .csv, .json'],
  ['reconcile --all --report .html', 'Let its name end with'],
  ['report last run.xlsx', 'Let its name end with'],
  ['report last', "missing required argument 'file'"],
  ['reconcile --plan p.jsonl', 'say what to reconcile'],
  ['reconcile --resume --plan p.jsonl', 'leave out --plan'],
  ['reconcile --apply p.jsonl --all', 'leave out --all'],
  ['reconcile --apply p.jsonl --user-id 1', 'leave out --user-id'],
  ['reconcile --apply p.jsonl --plan q.jsonl', 'leave out --plan'],
  ['reconcile --apply p.jsonl --resume', 'leave out --resume'],
  ['reconcile --apply p.jsonl --review-over 5', 'leave out --review-over'],
  ['reconcile --apply p.jsonl --max-lag 5s', 'leave out --max-lag'],
  ['reconcile --apply p.jsonl --batch-size 5', 'leave out --batch-size'],
])('%s is wrong usage, and nothing is connected', async (words, says) => {
  const port = await countingPort();
  const run = await runTrueup(words.split(' '), { databaseUrl: port.url });
  expect(run).toMatchObject({ status: 64, stdout: '' });
  expect(run.stderr).toContain(says);
  expect(port.connections()).toBe(0);
  await port.close();
});
