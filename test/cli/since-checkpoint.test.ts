import { beforeAll, expect, test } from 'vitest';
import { runTrueup, type CliRun } from '../support/cli.js';
import { createDatabase } from '../support/database.js';
import { createEconomy, type Economy } from '../support/economy.js';
import { temporaryFolder, writeConfig } from './fixture.js';

/** trueup reconcile --since-checkpoint, as its users see it. */

const db = await createDatabase('empty');
const folder = temporaryFolder();
let economy: Economy;
let config: string;

beforeAll(async () => {
  economy = await createEconomy(db, 3);
  config = writeConfig(folder, 'trueup.config.json', economy.mapping);
  await (await db.trueup({ config: economy.mapping })).installSync();
  await db.run('INSERT INTO app.ledger (wallet_id, amount) VALUES (1, 5), (2, 5), (3, 5)');
});

const run = (...args: string[]): Promise<CliRun> =>
  runTrueup(['reconcile', '--since-checkpoint', '--config', config, ...args], {
    databaseUrl: db.url,
  });

test('the first check is one of the whole and says why, the next looks at what was touched', async () => {
  const first = await run();
  expect(first).toMatchObject({ status: 0 });
  expect(first.stdout).toMatch(/checked 3 .*\nnothing drifted\nevery wallet was verified within/s);
  expect(first.stderr).toMatch(
    /warning: the whole ledger is checked: it was never verified .*\[whole_check\]/,
  );
  await db.run('UPDATE app.wallet SET balance = 7 WHERE id = 2');
  const second = await run('--batch-size', '1', '--cycle', '30d', '--json');
  expect(second.status).toBe(0);
  expect(second.json().map(({ type, walletId }) => [type, walletId])).toEqual([
    ['finding', '2'],
    ['summary', undefined],
  ]);
  expect(second.json().at(-1)).toMatchObject({
    ...{ scope: 'incremental', wholeBecause: null, repaired: 1, exitStatus: 0 },
    oldestUnverified: expect.any(Number) as number,
  });
});

test('a dry run of a ledger that was never verified says nothing of an age', async () => {
  await db.run('DELETE FROM trueup.verified_ranges');
  const { status, stdout } = await run('--dry-run');
  expect(status).toBe(0);
  expect(stdout).not.toContain('verified');
});
