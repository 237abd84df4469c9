import { beforeEach, describe, expect, test } from 'vitest';
import type {
  Finding,
  ReconcileOptions,
  ReconcileProblem,
  ReconcileSummary,
  Trueup,
} from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import { caches, createEconomy, findings, truth, type Economy } from '../support/economy.js';

/** A run as a whole: where it stops, what it records, and whom it leaves alone. */

const db = await createDatabase('empty');
const virgin = await createDatabase('empty');
let economy: Economy;
let trueup: Trueup;

/** Ten wallets, each with one entry of ten times its number that no cache knows of. */
beforeEach(async () => {
  await db.run('DROP SCHEMA IF EXISTS app CASCADE');
  economy = await createEconomy(db, 10);
  trueup = await db.trueup({ config: economy.mapping });
  await db.run(
    'INSERT INTO app.ledger (wallet_id, amount) SELECT n, n * 10 FROM generate_series(1, 10) AS n',
  );
});

interface Outcome {
  readonly summary: ReconcileSummary;
  readonly seen: readonly Finding[];
  readonly problems: readonly ReconcileProblem[];
}

async function run(options: ReconcileOptions): Promise<Outcome> {
  const seen: Finding[] = [];
  const problems: ReconcileProblem[] = [];
  const summary = await trueup.reconcile({
    ...options,
    onFinding: (finding) => seen.push(finding),
    onProblem: (problem) => problems.push(problem),
  });
  return { summary, seen, problems };
}

describe('batches and limits', () => {
  test.each([1, 3, 10, 11, 1000])(
    'a batch size of %i changes nothing but the pace',
    async (batchSize) => {
      const { summary, seen } = await run({ all: true, batchSize });
      expect(summary).toMatchObject({
        checked: 10,
        findings: 40,
        repaired: 40,
        incomplete: null,
        exitStatus: 0,
      });
      expect(seen.map(({ walletId }) => Number(walletId))).toEqual(
        Array.from({ length: 40 }, (_, n) => 1 + Math.floor(n / 4)),
      );
      expect(await caches(db, economy)).toEqual(await truth(db, economy));
    },
  );

  test.each([
    [4, { checked: 4, drifted: 4, incomplete: 'limit', exitStatus: 3 }],
    [10, { checked: 10, drifted: 10, incomplete: null, exitStatus: 0 }],
    [11, { checked: 10, drifted: 10, incomplete: null, exitStatus: 0 }],
  ])('a limit of %i', async (limit, expected) => {
    expect((await run({ all: true, limit, batchSize: 3 })).summary).toMatchObject(expected);
  });

  test('a limit on users', async () => {
    const { summary } = await run({ userIds: ['1', '2', '3'], limit: 2 });
    expect(summary).toMatchObject({ checked: 2, incomplete: 'limit', exitStatus: 3 });
  });

  test('an interruption ends after a batch, and the next run does the rest', async () => {
    const controller = new AbortController();
    const { summary } = await run({
      all: true,
      batchSize: 2,
      signal: controller.signal,
      onProgress: ({ checked }) => {
        if (checked >= 4) controller.abort();
      },
    });
    expect(summary).toMatchObject({
      checked: 4,
      repaired: 16,
      incomplete: 'interrupted',
      exitStatus: 3,
    });
    expect((await run({ all: true })).summary).toMatchObject({
      checked: 10,
      drifted: 6,
      exitStatus: 0,
    });
  });

  test('progress tells how far it is', async () => {
    const told: [number, number][] = [];
    await run({
      all: true,
      batchSize: 4,
      onProgress: ({ checked, total }) => told.push([checked, total]),
    });
    expect(told.filter(([checked], n) => checked !== told[n - 1]?.[0])).toEqual([
      [4, 10],
      [8, 10],
      [10, 10],
    ]);
  });
});

describe('users that cannot be repaired', () => {
  test('a profile that overflows: an error for this user, none for the others', async () => {
    await db.run('INSERT INTO app.ledger (wallet_id, amount) VALUES (4, 100000000)');
    const { summary, problems, seen } = await run({ all: true });
    expect(summary).toMatchObject({
      checked: 10,
      drifted: 10,
      findings: 40,
      repaired: 36,
      errors: 1,
      exitStatus: 1,
    });
    expect(problems).toMatchObject([
      { type: 'error', walletId: '4', userId: '4', code: 'database_failed' },
    ]);
    expect(seen.filter(({ repaired }) => !repaired).map(({ userId }) => userId)).toEqual([
      '4',
      '4',
      '4',
      '4',
    ]);
    expect((await caches(db, economy))[3]).toBe('4 0 0 | 0 0'); // wholly or not at all
    expect((await caches(db, economy))[4]).toBe('5 50 50 | 50 50');
  });

  test.each([
    ['wallet', 'SELECT 1 FROM app.wallet WHERE id = 6 FOR UPDATE'],
    ['profile', 'SELECT 1 FROM app.profile WHERE id = 106 FOR UPDATE'],
  ])('a %s that somebody else holds is skipped, and that is said', async (_, lock) => {
    const other = await db.connect();
    await other.query('BEGIN');
    await other.query(lock);
    const { summary, problems } = await run({ all: true });
    expect(summary).toMatchObject({
      drifted: 9,
      repaired: 36,
      skipped: 1,
      errors: 0,
      exitStatus: 3,
    });
    expect(problems).toMatchObject([{ type: 'skip', walletId: '6', userId: '6', code: 'locked' }]);
    expect((await caches(db, economy))[5]).toBe('6 0 0 | 0 0');
    await other.query('ROLLBACK');
    expect((await run({ all: true })).summary).toMatchObject({ drifted: 1, exitStatus: 0 });
  });

  test('a lock that is released in time is waited for', async () => {
    const other = await db.connect();
    await other.query('BEGIN');
    await other.query('SELECT 1 FROM app.wallet WHERE id = 6 FOR UPDATE');
    const running = run({ all: true });
    for (let waiting = '0'; waiting === '0';) {
      waiting = await db.value(
        `SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`,
      );
    }
    await other.query('ROLLBACK');
    expect((await running).summary).toMatchObject({ repaired: 40, skipped: 0, exitStatus: 0 });
  });

  test('a right that is missing ends the run, with its name', async () => {
    const { name, url } = await db.role();
    await db.run(`
      GRANT USAGE ON SCHEMA app, trueup TO ${name};
      GRANT SELECT ON ALL TABLES IN SCHEMA app TO ${name};
      GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA trueup TO ${name}`);
    const reader = await db.trueup({ config: economy.mapping, databaseUrl: url });
    await expect(reader.reconcile({ all: true })).rejects.toMatchObject({
      code: 'permission_denied',
    });
  });
});

describe('records', () => {
  test('a run and its repairs', async () => {
    const { summary } = await run({ all: true, batchSize: 4 });
    expect(
      await db.rows(
        'SELECT kind, ledger, options, exit_status, counts, finished_at IS NOT NULL AS finished FROM trueup.runs WHERE id = $1',
        [summary.runId],
      ),
    ).toEqual([
      {
        kind: 'reconcile',
        ledger: '"app"."ledger"',
        options: { all: true, batchSize: 4 },
        exit_status: 0,
        counts: expect.objectContaining({ checked: 10, repaired: 40 }) as object,
        finished: true,
      },
    ]);
    expect(
      await db.rows(
        'SELECT wallet_id, profile_id, user_id, cause, changes FROM trueup.repairs WHERE run_id = $1 AND wallet_id = $2',
        [summary.runId, '3'],
      ),
    ).toEqual([
      {
        wallet_id: '3',
        profile_id: '103',
        user_id: '3',
        cause: 'entry_missed',
        changes: {
          'wallet.balance': ['0', '30'],
          'wallet.lifetimeEarnings': ['0', '30'],
          'profile.balance': ['0', '30'],
          'profile.lifetimeEarnings': ['0', '30'],
        },
      },
    ]);
  });

  test('repairing touches the timestamps of what it changes, and of nothing else', async () => {
    await run({ userIds: ['1'] });
    expect(
      await db.value(
        'SELECT count(*) FROM app.wallet w JOIN app.profile p ON p.id = w.profile_id WHERE w.touched IS NOT NULL AND p.touched IS NOT NULL',
      ),
    ).toBe('1');
    expect(await db.value('SELECT count(*) FROM app.wallet WHERE touched IS NOT NULL')).toBe('1');
  });
});

test('a dry run needs SELECT only, on a database that has never seen Trueup', async () => {
  const there = await createEconomy(virgin, 2);
  const { name, url } = await virgin.role();
  await virgin.run(`
    INSERT INTO app.ledger (wallet_id, amount) VALUES (1, 5);
    GRANT USAGE ON SCHEMA app TO ${name}; GRANT SELECT ON ALL TABLES IN SCHEMA app TO ${name}`);
  const reader = await virgin.trueup({ config: there.mapping, databaseUrl: url, readOnly: true });
  expect(await findings(reader)).toHaveLength(4);
  expect(await reader.syncStatus()).toMatchObject({ state: 'missing', waitingFailures: 0 });
  expect(await reader.getBalanceDrift('1')).toMatchObject({ hasDrift: true, ledgerBalance: 5n });
  expect(await virgin.value(`SELECT count(*) FROM pg_namespace WHERE nspname = 'trueup'`)).toBe(
    '0',
  );
});
