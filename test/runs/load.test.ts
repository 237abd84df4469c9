import { beforeEach, describe, expect, test } from 'vitest';
import type { Finding, ReconcileOptions, ReconcileSummary, Trueup } from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import { caches, createEconomy, truth, type Economy } from '../support/economy.js';
import { Writers } from '../support/load-writers.js';

/**
 * Six to sixteen writers that never stop: 100,000 checks see nothing that is not there, and every way of
 * running repairs exactly what was damaged, also where runs are interrupted and go on.
 */

const WALLETS = 250;

const db = await createDatabase('empty');
let economy: Economy;
let trueup: Trueup;

beforeEach(async () => {
  await db.run('DROP SCHEMA IF EXISTS app CASCADE');
  economy = await createEconomy(db, WALLETS, {
    profileType: 'numeric(14,2)',
    amountType: 'bigint',
    walletType: 'bigint',
  });
  trueup = await db.trueup({ config: economy.mapping, maxConnections: 20 });
  await trueup.installSync();
  await db.run('TRUNCATE trueup.repairs, trueup.runs, trueup.findings, trueup.sync_failures');
});

test.each([6, 16])('50,000 checks of wallets beside %i writers are all right', async (count) => {
  const writers = await Writers.connect(db, { writers: count, wallets: WALLETS });
  writers.start();
  const seen: Finding[] = [];
  let checked = 0;
  for (let round = 0; checked < 50_000; round += 1) {
    const summary = await trueup.reconcile({
      all: true,
      batchSize: 10 + ((round * 37) % 260),
      jobs: 1 + (round % 4),
      // Every way to look: only reporting, behind rails, and ready to repair at once.
      ...[{ dryRun: true }, { maxRepairs: 0 }, {}][round % 3],
      onFinding: (one) => seen.push(one),
    });
    checked += summary.checked;
    expect(summary).toMatchObject({ drifted: 0, rail: null, exitStatus: 0 });
  }
  await writers.stop();
  expect(seen).toEqual([]);
  expect(writers.statements).toBeGreaterThan(500);
  expect(await db.value('SELECT count(*) FROM trueup.repairs')).toBe('0');
  expect(await db.value('SELECT count(*) FROM trueup.findings')).toBe('0');
  expect(await caches(db, economy)).toEqual(await truth(db, economy));
});

/** A fault that adds to one cache of the wallet $1, and what its repair has to look like. */
const FAULTS: readonly (readonly [string, string])[] = [
  ['UPDATE app.wallet SET balance = balance + 1000 WHERE id = $1', 'wallet balance -1000'],
  ['UPDATE app.wallet SET earned = earned - 5 WHERE id = $1', 'wallet lifetimeEarnings 5'],
  ['UPDATE app.profile SET shown = shown + 3 WHERE id = 100 + $1', 'profile balance -3'],
  ['UPDATE app.profile SET earned = earned + 8 WHERE id = 100 + $1', 'profile lifetimeEarnings -8'],
];

const WAYS: Readonly<Record<string, ReconcileOptions>> = {
  'at once': { all: true, batchSize: 40 },
  'with four jobs': { all: true, batchSize: 20, jobs: 4 },
  'behind rails, with two jobs': { all: true, batchSize: 40, jobs: 2, maxRepairs: WALLETS },
};

describe.each(Object.entries(WAYS))('%s', (_, options) => {
  test.each([6, 16])('repairs are exactly the faults, beside %i writers', async (count) => {
    const writers = await Writers.connect(db, { writers: count, wallets: WALLETS });
    writers.start();
    const faults: string[] = [];
    for (let round = 0; round < 12; round += 1) {
      for (let n = 0; n < 15; n += 1) {
        const wallet = 1 + ((round * 71 + n * 13) % WALLETS);
        const [fault, repair] = FAULTS[(round + n) % FAULTS.length] ?? ['', ''];
        await db.run(fault, [wallet]);
        faults.push(`${String(wallet)} ${repair}`);
      }
      const summary = await (round % 2 === 0 ? trueup.reconcile(options) : inTwo(options));
      expect(summary).toMatchObject({
        ...{ drifted: 15, repaired: 15, checked: WALLETS },
        exitStatus: 0,
      });
    }
    await writers.stop();
    const repaired = await db.rows<{ line: string }>(
      `SELECT concat_ws(' ', wallet_id, part, field, trim_scale(delta)) AS line FROM trueup.repaired_caches`,
    );
    expect(repaired.map(({ line }) => line).sort()).toEqual(faults.sort());
    expect(await caches(db, economy)).toEqual(await truth(db, economy));
    expect(await db.value('SELECT count(*) FROM trueup.sync_failures')).toBe('0');
  });
});

/** A run that is interrupted on its way, and resumed. */
async function inTwo(options: ReconcileOptions): Promise<ReconcileSummary> {
  const controller = new AbortController();
  const { runId, incomplete } = await trueup.reconcile({
    ...options,
    signal: controller.signal,
    onProgress: ({ checked }) => {
      if (checked >= WALLETS / 2) controller.abort();
    },
  });
  expect(incomplete).toBe('interrupted');
  return trueup.reconcile({ resume: runId, batchSize: 30, jobs: options.jobs });
}
