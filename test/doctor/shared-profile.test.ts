import { beforeEach, describe, expect, test } from 'vitest';
import type { Mapping, Trueup } from '../../src/index.js';
import { runTrueup } from '../support/cli.js';
import { createDatabase } from '../support/database.js';
import { caches, createEconomy, truth, type Economy } from '../support/economy.js';
import { makeFolder } from '../support/folder.js';
import { writeConfig } from '../cli/fixture.js';
import { apply, linesOf, type Patient } from './support.js';

/** A profile that gets a second wallet after the installation: what follows, and what says so. */

const db = await createDatabase('empty');
const folder = makeFolder('shared');
let economy: Economy;
let patient: Patient;
let trueup: Trueup;

async function adopt(change: string, wallet: Partial<Mapping['wallet']> = {}): Promise<void> {
  await db.run('DROP SCHEMA IF EXISTS trueup CASCADE; DROP SCHEMA IF EXISTS app CASCADE');
  economy = await createEconomy(db, 3);
  await db.run(`ALTER TABLE app.wallet DROP CONSTRAINT wallet_profile_id_key; ${change}`);
  const config = { ...economy.mapping, wallet: { ...economy.mapping.wallet, ...wallet } };
  patient = { db, config, configFile: writeConfig(folder, 'trueup.config.json', config) };
  trueup = await db.trueup({ config });
  await trueup.installSync();
}

const entry = (wallet: number, amount: number): Promise<void> =>
  db.run('INSERT INTO app.ledger (wallet_id, amount) VALUES ($1, $2)', [wallet, amount]);

const cli = (...args: string[]) =>
  runTrueup([...args, '--config', patient.configFile ?? ''], { databaseUrl: db.url });

/** Wallet 9 joins profile 101, which shows wallet 1; both get entries. */
async function share(): Promise<void> {
  await entry(1, 10);
  await db.run('INSERT INTO app.wallet (id, profile_id, balance, earned) VALUES (9, 101, 0, 0)');
  await entry(9, 7);
}

describe('without a column that tells the wallet to show', () => {
  beforeEach(() => adopt(''));

  test('before: doctor names the index that rules it out', async () => {
    const [line] = await linesOf(patient, 'shared_profile');
    expect(line).toMatchObject({
      level: 'info',
      remedy: 'CREATE UNIQUE INDEX CONCURRENTLY ON "app"."wallet" ("profile_id")',
    });
    await apply(patient, line?.remedy ?? null);
    expect(await linesOf(patient, 'shared_profile')).toMatchObject([{ level: 'ok' }]);
    await expect(share()).rejects.toMatchObject({ code: '23505' });
  });

  test('the triggers add the entries of both; doctor tells, and its remedy lets reconcile repair', async () => {
    await share();
    expect(await caches(db, economy)).toContain('1 10 10 | 17 17');
    const found = await linesOf(patient, 'shared_profile');
    expect(found).toMatchObject([
      {
        level: 'error',
        what: 'profile 101 has 2 wallets in "app"."wallet": 1, 9',
        remedy: `UPDATE "app"."wallet" SET "profile_id" = NULL WHERE "id" IN ('9')`,
      },
    ]);
    await expect(trueup.reconcile({ all: true })).rejects.toMatchObject({
      code: 'mapping_mismatch',
    });
    await apply(patient, found[0]?.remedy ?? null);
    expect(await linesOf(patient, 'shared_profile')).toMatchObject([{ level: 'info' }]);
    await trueup.reconcile({ all: true });
    expect((await caches(db, economy)).slice(0, 3)).toEqual((await truth(db, economy)).slice(0, 3));
  });

  test('many are not all listed', async () => {
    await db.run(`INSERT INTO app.profile (id, user_id, shown, earned) SELECT 200 + n, 200 + n, 0, 0 FROM generate_series(1, 7) n;
      INSERT INTO app.wallet (id, profile_id, balance, earned) SELECT 200 + n, 200 + (n + 1) / 2, 0, 0 FROM generate_series(1, 14) n`);
    const found = await linesOf(patient, 'shared_profile');
    expect(found.map(({ what }) => what)).toHaveLength(6);
    expect(found.at(-1)).toMatchObject({ what: '2 more profiles have several wallets' });
  });

  test('explain says whose the profile is, blames nobody for its balance, and what reconcile does', async () => {
    await share();
    await db.run('UPDATE app.wallet SET balance = 11 WHERE id = 1');
    const { wallets, refusal } = await trueup.explain({ walletId: '1' });
    expect(wallets).toMatchObject([
      { walletId: '1', sharedWith: ['9'], findings: [{ part: 'wallet', remedy: 'refuse' }] },
    ]);
    expect(refusal).toContain('profile 101 has 2 wallets');
    const told = await cli('explain', '--user-id', '1');
    expect(told.status).toBe(2);
    expect(told.stdout).toContain('user 1, wallet 1, profile 101 (also of wallet 9)\n');
    expect(told.stdout).toContain('user 1, wallet 9, profile 101 (also of wallet 1)\n');
    expect(told.stdout).toMatch(/profile balance +17\n/);
    expect(told.stdout).toContain(
      'profile 101 can show one wallet, and entries of each of them change it',
    );
    expect(told.stdout).toContain('reconcile would refuse to run: profile 101 has 2 wallets');
    expect(told.stdout).not.toContain('everything agrees');
    expect(told.stdout).not.toContain('reconcile would set');
  });

  test('explain of somebody else: reconcile does not repair him either', async () => {
    await share();
    await db.run('UPDATE app.wallet SET balance = 5 WHERE id = 2');
    const { wallets } = await trueup.explain({ walletId: '2' });
    expect(wallets).toMatchObject([{ sharedWith: [], findings: [{ remedy: 'refuse' }] }]);
    const told = await cli('explain', '--wallet-id', '3');
    expect(told).toMatchObject({ status: 0 });
    expect(told.stdout).toContain('everything agrees');
  });
});

describe('with a column that tells the wallet to show', () => {
  beforeEach(() =>
    adopt('ALTER TABLE app.wallet ADD main boolean NOT NULL DEFAULT true', { primary: 'main' }),
  );

  test('a second wallet that is not shown is none', async () => {
    await db.run(
      'INSERT INTO app.wallet (id, profile_id, balance, earned, main) VALUES (9, 101, 0, 0, false)',
    );
    await entry(9, 7);
    expect(await linesOf(patient, 'shared_profile')).toMatchObject([
      {
        level: 'info',
        remedy: 'CREATE UNIQUE INDEX CONCURRENTLY ON "app"."wallet" ("profile_id") WHERE "main"',
      },
    ]);
    const { wallets, refusal } = await trueup.explain({ userId: '1' });
    expect(wallets.map(({ sharedWith }) => sharedWith)).toEqual([[], []]);
    expect(refusal).toBeNull();
  });

  test('a second one that is shown is told, and the remedy makes it one that is not', async () => {
    await share();
    const [line] = await linesOf(patient, 'shared_profile');
    expect(line).toMatchObject({
      level: 'error',
      remedy: `UPDATE "app"."wallet" SET "main" = false WHERE "id" IN ('9')`,
    });
    await apply(patient, line?.remedy ?? null);
    const [index] = await linesOf(patient, 'shared_profile');
    expect(index).toMatchObject({ level: 'info' });
    await apply(patient, index?.remedy ?? null);
    expect(await linesOf(patient, 'shared_profile')).toMatchObject([{ level: 'ok' }]);
  });
});
