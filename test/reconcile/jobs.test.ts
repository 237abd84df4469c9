import { beforeEach, expect, test } from 'vitest';
import { setImmediate } from 'node:timers/promises';
import type { Finding } from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import { createEconomy } from '../support/economy.js';

/** Batches that are looked at side by side: nothing about a run may change but how long it takes. */

const WALLETS = 20;
const DRIFTED = [2, 3, 7, 8, 13, 14, 19];

const db = await createDatabase('empty');
const economy = await createEconomy(db, WALLETS);
const trueup = await db.trueup({ config: economy.mapping });

beforeEach(async () => {
  await db.run(`TRUNCATE app.ledger;
    UPDATE app.wallet SET balance = 0, earned = 0; UPDATE app.profile SET shown = 0, earned = 0;
    INSERT INTO app.ledger (wallet_id, amount) SELECT n, n FROM generate_series(1, ${String(WALLETS)}) AS n;
    UPDATE app.wallet SET balance = id, earned = id; UPDATE app.profile SET shown = id - 100, earned = id - 100;
    UPDATE app.wallet SET balance = 0 WHERE id = ANY ('{${DRIFTED.join(',')}}')`);
});

const everyUser = Array.from({ length: WALLETS }, (_, n) => String(n + 1));

test.each([1, 2, 5, 16].flatMap((jobs) => [1, 3, 7, 20, 100].map((size) => [jobs, size] as const)))(
  'with %i jobs and batches of %i the same is found, in the same order',
  async (jobs, batchSize) => {
    for (const selection of [{ all: true }, { userIds: everyUser }]) {
      for (const dryRun of [true, false]) {
        const seen: Finding[] = [];
        const checked: number[] = [];
        const summary = await trueup.reconcile({
          ...selection,
          dryRun,
          jobs,
          batchSize,
          onFinding: (finding) => seen.push(finding),
          onProgress: (progress) => checked.push(progress.checked),
        });
        expect(summary).toMatchObject({ checked: WALLETS, drifted: DRIFTED.length });
        expect(seen.map(({ walletId }) => Number(walletId))).toEqual(DRIFTED);
        expect(checked).toEqual([...checked].sort((a, b) => a - b));
        if (dryRun) continue;
        await db.run(`UPDATE app.wallet SET balance = 0 WHERE id = ANY ('{${DRIFTED.join(',')}}')`);
      }
    }
  },
);

test.each([1, 3])('the limit holds with %i jobs', async (jobs) => {
  const options = { all: true, dryRun: true, jobs, batchSize: 3 };
  for (const limit of [1, 3, 10, WALLETS]) {
    expect(await trueup.reconcile({ ...options, limit })).toMatchObject({
      checked: limit,
      incomplete: limit < WALLETS ? 'limit' : null,
    });
  }
});

test.each([1, 3])('%i batches at a time, never more', async (jobs) => {
  const holder = await db.connect();
  await holder.query('BEGIN; LOCK TABLE app.ledger IN ACCESS EXCLUSIVE MODE');
  const run = trueup.reconcile({ all: true, dryRun: true, jobs, batchSize: 1 });
  const waiting = (): Promise<string> =>
    db.value(
      `SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'app.ledger'::regclass`,
    );
  while ((await waiting()) !== String(jobs)) await setImmediate();
  // Nobody else begins while these wait: they would be seen here.
  for (let look = 0; look < 20; look += 1) expect(await waiting()).toBe(String(jobs));
  await holder.query('ROLLBACK');
  expect(await run).toMatchObject({ checked: WALLETS, drifted: DRIFTED.length });
});

test('what a batch fails with is told, and the others end first', async () => {
  await db.run('ALTER TABLE app.ledger RENAME COLUMN amount TO worth');
  try {
    await expect(
      trueup.reconcile({ all: true, dryRun: true, jobs: 4, batchSize: 2 }),
    ).rejects.toMatchObject({ message: expect.stringContaining('amount') as string });
    expect(
      await db.value(
        `SELECT count(*) FROM pg_stat_activity
          WHERE datname = current_database() AND state <> 'idle' AND query LIKE '%app%ledger%'
            AND pid <> pg_backend_pid()`,
      ),
    ).toBe('0');
  } finally {
    await db.run('ALTER TABLE app.ledger RENAME COLUMN worth TO amount');
  }
});
