import { beforeEach, expect, test } from 'vitest';
import type { Finding, Trueup } from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import { createEconomy, type Economy } from '../support/economy.js';

/** Wallets that held coins before the sync was installed, and got their first entry after it. */

const db = await createDatabase('empty');
let economy: Economy;
let trueup: Trueup;

beforeEach(async () => {
  await db.run('DROP SCHEMA IF EXISTS app CASCADE; DROP SCHEMA IF EXISTS trueup CASCADE');
  economy = await createEconomy(db, 3, { schema: 'app' });
  await db.run(`UPDATE app.wallet SET balance = 500, earned = 800 WHERE id = 1;
    UPDATE app.profile SET shown = 500, earned = 800 WHERE id = 101`);
  trueup = await db.trueup({ config: economy.mapping });
  await trueup.installSync();
  await db.run('INSERT INTO app.ledger (wallet_id, amount) VALUES (1, 1)');
});

const wallet = (id: number): Promise<string> =>
  db.value(`SELECT balance || ' ' || earned FROM app.wallet WHERE id = ${String(id)}`);

async function reconciled(one: Trueup = trueup): Promise<Finding[]> {
  const findings: Finding[] = [];
  await one.reconcile({ all: true, onFinding: (finding) => findings.push(finding) });
  return findings;
}

test('are reported, and no repair takes their coins away', async () => {
  await db.run(
    'INSERT INTO app.ledger (wallet_id, amount) VALUES (2, 3); UPDATE app.wallet SET balance = 7 WHERE id = 2',
  );
  const findings = await reconciled();
  expect(await wallet(1)).toBe('501 801');
  expect(await wallet(2)).toBe('3 3');
  expect(
    findings.find(
      ({ walletId, field, part }) => walletId === '1' && field === 'balance' && part === 'wallet',
    ),
  ).toMatchObject({
    cached: '501',
    expected: '1',
    cause: 'no_history',
    repaired: false,
    evidence: { opening: '500' },
  });
  expect(findings.filter(({ walletId, repaired }) => walletId === '1' && repaired)).toEqual([]);
  const dry: Finding[] = [];
  await trueup.reconcile({ all: true, dryRun: true, onFinding: (one) => dry.push(one) });
  expect(new Set(dry.map(({ walletId, cause }) => `${String(walletId)} ${cause}`))).toEqual(
    new Set(['1 no_history']),
  );
  expect((await trueup.syncStatus()).withoutHistory).toBe(1);
});

test('get their opening entry later, and are wallets like any other then', async () => {
  const plan = await trueup.findOpeningBalances();
  expect(plan.wallets).toEqual([{ walletId: '1', amount: '500' }]);
  expect(await trueup.postOpeningBalances(plan)).toMatchObject({
    posted: 1,
    coins: '500',
    errors: 0,
  });
  expect(await wallet(1)).toBe('501 501');
  expect(await db.value('SELECT sum(amount) FROM app.ledger WHERE wallet_id = 1')).toBe('501');
  expect(await reconciled()).toEqual([]);
  expect((await trueup.findOpeningBalances()).wallets).toEqual([]);
  expect((await trueup.syncStatus()).withoutHistory).toBe(0);
  await db.run('UPDATE app.wallet SET balance = 1001 WHERE id = 1');
  await reconciled();
  expect(await wallet(1)).toBe('501 501');
});

test('are repaired where they differ by something else, and are then told as such', async () => {
  await db.run('UPDATE app.wallet SET balance = 9 WHERE id = 1');
  expect((await trueup.findOpeningBalances()).left).toMatchObject([{ code: 'has_history' }]);
  expect((await reconciled()).some(({ repaired }) => repaired)).toBe(true);
  expect(await wallet(1)).toBe('1 1');
});

test('a role that may not see what they held may not repair', async () => {
  const role = await db.role();
  await db.run(`GRANT USAGE ON SCHEMA app, trueup TO ${role.name};
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA app, trueup TO ${role.name};
    REVOKE ALL ON trueup.opening_balances FROM ${role.name}`);
  const limited = await db.trueup({ databaseUrl: role.url, config: economy.mapping });
  await expect(reconciled(limited)).rejects.toMatchObject({
    code: 'permission_denied',
    hint: expect.stringContaining('trueup.opening_balances') as string,
  });
  expect(await wallet(1)).toBe('501 801');
});

test('the plan says that they are written down', async () => {
  expect(await trueup.planSync()).toContain('INSERT INTO trueup.opening_balances');
});
