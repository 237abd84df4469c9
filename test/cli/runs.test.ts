import { beforeEach, describe, expect, test } from 'vitest';
import { runTrueup, type CliRun } from '../support/cli.js';
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
