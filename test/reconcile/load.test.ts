import { beforeEach, expect, test } from 'vitest';
import type { Finding, Trueup } from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import { Writers } from '../support/load-writers.js';
import { caches, createEconomy, truth, type Economy } from '../support/economy.js';

/**
 * Under load: writers of several kinds never stop while caches are damaged and runs come and go.
 * A check must see no drift that is not there, and a run must repair exactly what was damaged.
 */

const WALLETS = 40;
const WRITERS = 6;

const db = await createDatabase('empty');
let economy: Economy;
let trueup: Trueup;
let writers: Writers;

beforeEach(async () => {
  await db.run('DROP SCHEMA IF EXISTS app CASCADE');
  economy = await createEconomy(db, WALLETS, {
    profileType: 'numeric(14,2)',
    amountType: 'bigint',
    walletType: 'bigint',
  });
  trueup = await db.trueup({ config: economy.mapping });
  await trueup.installSync();
  await db.run('TRUNCATE trueup.repairs, trueup.sync_failures');
  writers = await Writers.connect(db, { writers: WRITERS, wallets: WALLETS });
});

test('10,000 checks of single wallets and a hundred of all see no drift that is not there', async () => {
  writers.start();
  const seen: Finding[] = [];
  for (let round = 0; round < 250; round += 1) {
    await trueup.reconcile({
      all: true,
      dryRun: true,
      batchSize: 1 + (round % 45),
      onFinding: (one) => seen.push(one),
    });
  }
  await writers.stop();
  expect(seen).toEqual([]);
  expect(writers.statements).toBeGreaterThan(250);
  expect(await caches(db, economy)).toEqual(await truth(db, economy));
});

test('repairs are exactly the faults, and nobody is disturbed', async () => {
  writers.start();
  const faults: string[] = [];
  for (let round = 0; round < 60; round += 1) {
    const wallet = 1 + ((round * 13) % WALLETS);
    const [fault, cache] = FAULTS[round % FAULTS.length] ?? ['', ''];
    await db.run(fault, [wallet]);
    faults.push(`${String(wallet)} ${cache}`);
    const summary = await trueup.reconcile({ all: true, batchSize: 7 });
    expect(summary).toMatchObject({ errors: 0, skipped: 0, exitStatus: 0 });
  }
  await writers.stop();
  const repaired = await db.rows<{ line: string }>(
    `SELECT wallet_id || ' ' || cache || ' ' || ((pair ->> 1)::numeric - (pair ->> 0)::numeric) AS line
       FROM trueup.repairs, jsonb_each(changes) AS c (cache, pair) ORDER BY repaired_at`,
  );
  expect(repaired.map(({ line }) => line)).toEqual(faults);
  expect(await caches(db, economy)).toEqual(await truth(db, economy));
  expect(await db.value('SELECT count(*) FROM trueup.sync_failures')).toBe('0');
});

/** A fault that adds to one cache of the wallet $1, and what its repair has to look like. */
const FAULTS: readonly (readonly [string, string])[] = [
  ['UPDATE app.wallet SET balance = balance + 1000 WHERE id = $1', 'wallet.balance -1000'],
  ['UPDATE app.wallet SET earned = earned - 5 WHERE id = $1', 'wallet.lifetimeEarnings 5'],
  ['UPDATE app.profile SET shown = shown + 3 WHERE id = 100 + $1', 'profile.balance -3'],
  ['UPDATE app.profile SET earned = earned + 8 WHERE id = 100 + $1', 'profile.lifetimeEarnings -8'],
];

test('two runs, a healer and writers at once leave everything right', async () => {
  const everybody = Array.from({ length: WALLETS }, (_, n) => String(n + 1));
  writers.start();
  for (let round = 0; round < 15; round += 1) {
    for (let wallet = 1; wallet <= WALLETS; wallet += 1) {
      const [fault] = FAULTS[(round + wallet) % FAULTS.length] ?? [''];
      await db.run(fault, [wallet]);
    }
    const [one, other] = await Promise.allSettled([
      trueup.reconcile({ all: true, batchSize: 9 }),
      trueup.reconcile({ userIds: everybody, batchSize: 40 }),
      trueup.heal({ everything: true }),
    ]);
    expect([one.status, other.status]).toEqual(['fulfilled', 'fulfilled']);
  }
  await writers.stop();
  await trueup.reconcile({ all: true });
  expect(await caches(db, economy)).toEqual(await truth(db, economy));
  expect((await trueup.reconcile({ all: true, dryRun: true })).findings).toBe(0);
});
