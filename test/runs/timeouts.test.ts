import type pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Mapping, ReconcileOptions, Trueup } from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import { runOf, type Outcome } from '../support/tiers.js';

/**
 * A server that ends statements that take too long. The entries of wallet 7 lie in a partition of their own,
 * which somebody keeps locked: whatever reads them waits until the server has enough of it.
 */

const db = await createDatabase('empty');
const SLOW = 7;
const WALLETS = 20;

const mapping: Mapping = {
  ledger: { table: 'app.ledger', id: 'id', wallet: 'wallet_id', amount: 'amount' },
  wallet: { table: 'app.wallet', id: 'id', balance: 'balance' },
};
let trueup: Trueup;
let keeper: pg.Client;

/** Wallets that have all drifted. */
beforeEach(async () => {
  await db.run(`DROP SCHEMA IF EXISTS app CASCADE;
    CREATE SCHEMA app;
    CREATE TABLE app.wallet (id bigint PRIMARY KEY, balance bigint NOT NULL DEFAULT 0);
    CREATE TABLE app.ledger (id bigint GENERATED ALWAYS AS IDENTITY, wallet_id bigint, amount bigint NOT NULL,
      PRIMARY KEY (id, wallet_id)) PARTITION BY LIST (wallet_id);
    CREATE TABLE app.ledger_slow PARTITION OF app.ledger FOR VALUES IN (${String(SLOW)});
    CREATE TABLE app.ledger_others PARTITION OF app.ledger DEFAULT;
    CREATE INDEX ON app.ledger (wallet_id);
    INSERT INTO app.wallet (id) SELECT n FROM generate_series(1, ${String(WALLETS)}) n;
    INSERT INTO app.ledger (wallet_id, amount) SELECT n, 5 FROM generate_series(1, ${String(WALLETS)}) n`);
  const impatient = `options=${encodeURIComponent('-c statement_timeout=300ms')}`;
  const databaseUrl = `${db.url}${db.url.includes('?') ? '&' : '?'}${impatient}`;
  trueup = await db.trueup({ config: mapping, databaseUrl });
  keeper = await db.connect();
  await keeper.query('BEGIN');
});

afterEach(async () => {
  await keeper.query('ROLLBACK');
});

const lockSlow = (): Promise<unknown> =>
  keeper.query('LOCK TABLE app.ledger_slow IN ACCESS EXCLUSIVE MODE');

const run = (options: ReconcileOptions): Promise<Outcome> => runOf(trueup, options);

const wrong = async (): Promise<string[]> =>
  (await db.rows('SELECT id::text FROM app.wallet WHERE balance <> 5 ORDER BY id')).map(
    ({ id = '' }) => id,
  );

describe('a batch that takes too long', () => {
  test.each<[string, ReconcileOptions]>([
    ['over all wallets', { all: true }],
    ['over all wallets, in batches of one', { all: true, batchSize: 1 }],
    ['over all wallets, two at a time', { all: true, batchSize: 6, jobs: 2 }],
    ['behind rails', { all: true, maxRepairs: 100 }],
    ['in tiers', { all: true, reviewOver: 100 }],
  ])('costs nobody but the wallet at fault: %s', async (_, options) => {
    await lockSlow();
    const { summary, problems } = await run(options);
    expect(summary).toMatchObject({
      ...{ checked: WALLETS, repaired: WALLETS - 1, skipped: 1, errors: 0 },
      ...{ incomplete: null, exitStatus: 3 },
    });
    expect(problems).toMatchObject([{ type: 'skip', walletId: String(SLOW), code: 'timed_out' }]);
    await keeper.query('ROLLBACK');
    expect(await wrong()).toEqual([String(SLOW)]);
    expect(
      await db.rows('SELECT state, wallet_id FROM trueup.findings WHERE run_id = $1', [
        summary.runId,
      ]),
    ).toEqual([{ state: 'skipped', wallet_id: String(SLOW) }]);
    expect((await run({ all: true })).summary).toMatchObject({ repaired: 1, exitStatus: 0 });
    expect(await wrong()).toEqual([]);
  });

  test('is looked at again in a dry run as well', async () => {
    await lockSlow();
    const { summary } = await run({ all: true, dryRun: true });
    expect(summary).toMatchObject({ drifted: WALLETS - 1, skipped: 1, exitStatus: 2 });
  });

  test('still finds entries whose wallet does not exist, on both sides', async () => {
    await db.run(`DELETE FROM app.wallet WHERE id IN (6, 8, ${String(WALLETS)})`);
    await lockSlow();
    const { seen } = await run({ all: true });
    const missing = seen.filter(({ cause }) => cause === 'wallet_missing');
    expect(missing.map(({ walletId }) => walletId)).toContain('8');
    expect(missing.map(({ walletId }) => walletId)).toContain(String(WALLETS));
  });
});

test('a statement that is canceled once costs nothing', async () => {
  await lockSlow();
  const under = run({ all: true });
  const canceled = async (): Promise<void> => {
    for (let done = false; !done;) {
      done =
        (await db.value(
          `SELECT count(*)::text FROM (SELECT pg_cancel_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND wait_event_type = 'Lock') AS c`,
        )) !== '0';
    }
  };
  await canceled();
  await keeper.query('ROLLBACK');
  expect((await under).summary).toMatchObject({ repaired: WALLETS, skipped: 0, exitStatus: 0 });
  expect(await wrong()).toEqual([]);
});

test('where there is nothing smaller to look at, the run fails and says so', async () => {
  // Behind the last wallet there are only entries without any, and those cannot be looked at.
  await db.run(`DELETE FROM app.wallet WHERE id >= ${String(SLOW)}`);
  await lockSlow();
  await expect(run({ all: true })).rejects.toMatchObject({
    code: 'database_failed',
    message: expect.stringContaining('57014') as string,
    hint: expect.stringContaining('statement_timeout') as string,
  });
  const [last] = await db.rows(
    'SELECT state, error FROM trueup.runs ORDER BY started_at DESC LIMIT 1',
  );
  expect(last).toMatchObject({
    state: 'failed',
    error: expect.stringContaining('57014') as string,
  });
});
