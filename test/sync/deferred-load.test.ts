import type pg from 'pg';
import { beforeEach, expect, test } from 'vitest';
import type { Finding, Trueup } from '../../src/index.js';
import { AS_ON_DISK, createDatabase } from '../support/database.js';
import { caches, createEconomy, truth, type Economy } from '../support/economy.js';

/** Deferred mode under load: carriers, checks, repairs and services beside writers that never stop. */

const WALLETS = 30;
const WRITERS = 5;

const db = await createDatabase('empty');
let economy: Economy;
let trueup: Trueup;
let stopped: boolean;
let statements: number;

beforeEach(async () => {
  await db.run('DROP SCHEMA IF EXISTS app CASCADE');
  economy = await createEconomy(db, WALLETS, {
    profileType: 'numeric(14,2)',
    amountType: 'bigint',
    walletType: 'bigint',
  });
  trueup = await db.trueup({ config: economy.mapping });
  await trueup.installSync({ deferred: true });
  await db.run('TRUNCATE trueup.repairs, trueup.sync_failures, trueup.profile_marks');
  stopped = false;
  statements = 0;
});

async function write(client: pg.Client, n: number): Promise<void> {
  for (let round = 0; !stopped; round += 1) {
    const wallet = 1 + ((n * 31 + round * 17) % WALLETS);
    const several = (n + round) % 4 === 0;
    if (several) await client.query('BEGIN');
    await client.query(
      'INSERT INTO app.ledger (wallet_id, amount) SELECT 1 + (($1 + g * 7) % $2), $3 FROM generate_series(1, $4::integer) AS g',
      [wallet, WALLETS, 1 + (round % 9), several ? 6 : 1],
    );
    if (several) await client.query(round % 3 === 0 ? 'ROLLBACK' : 'COMMIT');
    statements += 1;
  }
}

async function underLoad(work: () => Promise<void>): Promise<void> {
  const clients = await Promise.all(Array.from({ length: WRITERS }, () => db.connect(AS_ON_DISK)));
  const writing = clients.map(write);
  try {
    await work();
  } finally {
    stopped = true;
    await Promise.all(writing);
  }
  expect(statements).toBeGreaterThan(100);
}

async function expectSettled(): Promise<void> {
  await trueup.carry();
  expect(await caches(db, economy)).toEqual(await truth(db, economy));
  expect(await db.value('SELECT count(*) FROM trueup.profile_marks')).toBe('0');
  expect(await db.value('SELECT count(*) FROM trueup.sync_failures')).toBe('0');
}

test('while two carriers work, checks see no drift that is not there', async () => {
  const carriers = await Promise.all(
    [1, 2].map(() => db.trueup({ config: economy.mapping, healer: true })),
  );
  const errors: unknown[] = [];
  for (const one of carriers) one.on('healerError', (error) => errors.push(error));
  const seen: Finding[] = [];
  await underLoad(async () => {
    for (let round = 0; round < 120; round += 1) {
      await trueup.reconcile({
        all: true,
        dryRun: true,
        batchSize: 1 + (round % 35),
        onFinding: (one) => seen.push(one),
      });
      if (round % 3 === 0) await trueup.carry();
    }
  });
  expect(seen).toEqual([]);
  await expectSettled();
  expect(errors).toEqual([]);
  await Promise.all(carriers.map((one) => one.close()));
});

test('repairs and services beside a carrier repair what was damaged, and nothing else', async () => {
  const carrier = await db.trueup({ config: economy.mapping, healer: true });
  const faults: string[] = [];
  await db.run('INSERT INTO app.ledger (wallet_id, amount) SELECT id, 1 FROM app.wallet');
  await underLoad(async () => {
    for (let round = 0; round < 25; round += 1) {
      const wallet = 1 + ((round * 13) % WALLETS);
      await db.run('UPDATE app.wallet SET balance = balance + 1000 WHERE id = $1', [wallet]);
      faults.push(String(wallet));
      expect(await trueup.reconcile({ all: true, batchSize: 7 })).toMatchObject({
        errors: 0,
        skipped: 0,
        exitStatus: 0,
      });
      await trueup.syncWalletToProfile(String(1 + (round % WALLETS)));
    }
  });
  const repaired = await db.rows(
    `SELECT DISTINCT wallet_id, cache FROM trueup.repairs, jsonb_object_keys(changes) AS cache WHERE cache LIKE 'wallet.%'`,
  );
  expect(new Set(repaired.map((row) => row['wallet_id']))).toEqual(new Set(faults));
  expect(repaired.every((row) => row['cache'] === 'wallet.balance')).toBe(true);
  await expectSettled();
  await carrier.close();
});

test('the mode may change at any time', async () => {
  const carrier = await db.trueup({ config: economy.mapping, healer: true });
  await underLoad(async () => {
    for (let round = 0; round < 12; round += 1)
      await trueup.installSync({ deferred: round % 2 === 0 });
  });
  await expectSettled();
  await carrier.close();
});
