import { beforeEach, describe, expect, test } from 'vitest';
import type { ReconcileOptions, Trueup } from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import { caches, truth, type Economy } from '../support/economy.js';
import { createTiers, runOf, type Outcome } from '../support/tiers.js';

/** What a run repairs by itself, what it leaves for people, and whom it freezes. */

const db = await createDatabase('empty');
let economy: Economy;
let trueup: Trueup;

beforeEach(async () => {
  await db.run('DROP SCHEMA IF EXISTS app CASCADE');
  economy = await createTiers(db, 10);
  trueup = await db.trueup({ config: economy.mapping });
});

const run = (options: ReconcileOptions): Promise<Outcome> =>
  runOf(trueup, { all: true, ...options });

const recorded = (runId: string): Promise<Record<string, string>[]> =>
  db.rows(
    `SELECT state, wallet_id, part, field, delta::text, message FROM trueup.findings WHERE run_id = $1
      ORDER BY wallet_id::int, part DESC, field`,
    [runId],
  );

describe('a difference that is larger than a run may repair by itself', () => {
  beforeEach(() =>
    db.run(`
      UPDATE app.wallet SET balance = balance - 100 WHERE id = 2;
      UPDATE app.wallet SET balance = balance + 101 WHERE id = 3;
      UPDATE app.profile SET shown = shown - 1 WHERE user_id = 3;
      UPDATE app.profile SET shown = shown - 100.01 WHERE user_id = 4`),
  );

  test.each<[string, ReconcileOptions]>([
    ['asked for', { reviewOver: 100 }],
    ['of an unattended run', { unattended: true }],
  ])('is left wholly and waits: %s', async (_, options) => {
    const before = await caches(db, economy);
    const { summary, seen } = await run(options);
    expect(summary).toMatchObject({
      ...{ drifted: 3, findings: 4, repaired: 1, review: 3, critical: 0, errors: 0 },
      exitStatus: 2,
    });
    expect(seen.map(({ walletId, state, repaired }) => [walletId, state, repaired])).toEqual([
      ['2', undefined, true],
      ['3', 'review', false],
      ['3', 'review', false],
      ['4', 'review', false],
    ]);
    expect((await recorded(summary.runId)).map((row) => Object.values(row).slice(0, 5))).toEqual([
      ['review', '3', 'wallet', 'balance', '-101'],
      ['review', '3', 'profile', 'balance', '1'],
      ['review', '4', 'profile', 'balance', '100.01'],
    ]);
    const after = await caches(db, economy);
    expect([after[2], after[3]]).toEqual([before[2], before[3]]);
    expect(after[1]).toBe((await truth(db, economy))[1]);
  });

  test('is told by a dry run as the run would', async () => {
    const dry = await run({ reviewOver: 100, dryRun: true });
    expect(dry.summary).toMatchObject({ findings: 4, review: 3, exitStatus: 2 });
    expect(dry.seen.map(({ walletId, state }) => [walletId, state])).toEqual([
      ['2', undefined],
      ['3', 'review'],
      ['3', 'review'],
      ['4', 'review'],
    ]);
  });

  test('is repaired by a run that somebody watches', async () => {
    expect((await run({})).summary).toMatchObject({ repaired: 4, review: 0, exitStatus: 0 });
    expect(await caches(db, economy)).toEqual(await truth(db, economy));
  });

  test('is decided by what is there under lock, not by what was seen before', async () => {
    const other = await db.connect();
    await other.query('BEGIN');
    // Wallet 2 is within what may be repaired until this is committed.
    await other.query('INSERT INTO app.ledger (wallet_id, amount) VALUES (2, 1)');
    await other.query('SELECT FROM app.wallet WHERE id = 2 FOR UPDATE');
    const under = run({ reviewOver: 100, userIds: ['2'], all: undefined });
    await waitForLock();
    await other.query('COMMIT');
    expect((await under).summary).toMatchObject({ repaired: 0, review: 4 });
  });

  test('is not made where it would break the rail that the survey kept', async () => {
    const other = await db.connect();
    await other.query('BEGIN');
    await other.query('INSERT INTO app.ledger (wallet_id, amount) VALUES (2, 1000)');
    await other.query('SELECT FROM app.wallet WHERE id = 2 FOR UPDATE');
    const under = run({ maxDelta: 101 });
    await waitForLock();
    await other.query('COMMIT');
    const { summary } = await under;
    expect(summary).toMatchObject({ repaired: 3, review: 4, exitStatus: 2 });
    const waiting = (await recorded(summary.runId)).map(({ wallet_id: id }) => id);
    expect(new Set(waiting)).toEqual(new Set(['2']));
  });

  test('a null cache counts as 0', async () => {
    await db.run(`ALTER TABLE app.wallet ALTER earned DROP NOT NULL;
      UPDATE app.wallet SET earned = NULL WHERE id IN (1, 5)`);
    const { seen } = await run({ reviewOver: 100, userIds: ['1', '5'], all: undefined });
    expect(seen.map(({ walletId, state }) => [walletId, state])).toEqual([
      ['1', undefined],
      ['5', 'review'],
    ]);
  });

  test('what no run can repair does not wait for anybody', async () => {
    await db.run('DELETE FROM app.ledger WHERE wallet_id = 9'); // coins without any history
    const { seen } = await run({ reviewOver: 100, userIds: ['9'], all: undefined });
    expect(new Set(seen.map(({ cause, state }) => [cause, state].join()))).toEqual(
      new Set(['no_history,']),
    );
  });
});

describe('a wallet whose entries sum up to less than zero', () => {
  const SPENT = 'INSERT INTO app.ledger (wallet_id, amount) VALUES ($1, -1000)';
  const follow = `
    UPDATE app.wallet SET balance = balance - 1000 WHERE id = 1;
    UPDATE app.profile SET shown = shown - 1000 WHERE user_id = 1`;
  const frozen = (): Promise<Record<string, string>[]> =>
    db.rows('SELECT id::text, frozen_reason FROM app.wallet WHERE frozen ORDER BY id');

  test('is frozen and critical, also where its caches are right', async () => {
    await db.run(SPENT, [1]);
    await db.run(follow);
    const { summary, seen, problems } = await run({ unattended: true });
    expect(summary).toMatchObject({ drifted: 0, findings: 0, critical: 1, exitStatus: 2 });
    expect(seen).toEqual([]);
    expect(problems).toMatchObject([
      { type: 'critical', walletId: '1', userId: '1', code: 'below_zero' },
    ]);
    expect(await recorded(summary.runId)).toMatchObject([
      {
        state: 'critical',
        wallet_id: '1',
        part: null,
        message: expect.stringContaining('-900') as string,
      },
    ]);
    expect(await frozen()).toEqual([{ id: '1', frozen_reason: 'its entries sum up to -900' }]);
  });

  test('stays critical when a run ends that does not look for such wallets', async () => {
    await db.run(SPENT, [1]);
    await db.run(follow);
    const { summary } = await run({ unattended: true });
    const stillOpen = `SELECT count(*) FROM trueup.findings WHERE run_id = $1 AND settled_at IS NULL`;
    expect((await run({})).summary).toMatchObject({ critical: 0, exitStatus: 0 });
    expect(await db.value(stillOpen, [summary.runId])).toBe('1');
    await db.run('INSERT INTO app.ledger (wallet_id, amount) VALUES (1, 1000)');
    await db.run(follow);
    await run({ reviewOver: 1_000_000 });
    expect(await db.value(stillOpen, [summary.runId])).toBe('0');
  });

  test('has its caches repaired where the difference is small, and is critical all the same', async () => {
    await db.run(SPENT, [1]);
    await db.run(follow);
    await db.run('UPDATE app.wallet SET balance = 50 WHERE id = 1');
    const small = await run({ reviewOver: 2_000 });
    expect(small.summary).toMatchObject({ repaired: 1, critical: 1, review: 0, exitStatus: 2 });
    await db.run('UPDATE app.wallet SET balance = 50, frozen = false WHERE id = 1');
    const large = await run({ reviewOver: 100 });
    expect(large.summary).toMatchObject({ repaired: 0, critical: 1, review: 1 });
    expect(await db.value('SELECT balance::text FROM app.wallet WHERE id = 1')).toBe('50');
    expect(await frozen()).toHaveLength(1);
  });

  test('is told once, with what cannot be repaired of it', async () => {
    await db.run('ALTER TABLE app.wallet DROP CONSTRAINT wallet_profile_id_fkey');
    await db.run(SPENT, [1]);
    await db.run('UPDATE app.wallet SET balance = balance - 1000 WHERE id = 1');
    await db.run('DELETE FROM app.profile WHERE user_id = 1');
    const { summary, seen } = await run({ unattended: true });
    expect(summary).toMatchObject({ critical: 1, findings: 2, repaired: 0, review: 0 });
    expect(new Set(seen.map(({ cause }) => cause))).toEqual(new Set(['profile_missing']));
  });

  test('keeps the reason for which it was frozen before', async () => {
    await db.run(SPENT, [1]);
    await db.run(follow);
    await db.run(`UPDATE app.wallet SET frozen = true, frozen_reason = 'chargeback' WHERE id = 1`);
    expect((await run({ unattended: true })).summary.critical).toBe(1);
    expect(await frozen()).toEqual([{ id: '1', frozen_reason: 'chargeback' }]);
  });

  test('is left alone with an overdraft, and in a run that somebody watches', async () => {
    await db.run(SPENT, [1]);
    await db.run(follow);
    expect((await run({})).summary).toMatchObject({ critical: 0, exitStatus: 0 });
    await db.run('UPDATE app.wallet SET allow_overdraft = true WHERE id = 1');
    expect((await run({ unattended: true })).summary).toMatchObject({ critical: 0, exitStatus: 0 });
    await db.run('UPDATE app.wallet SET balance = balance + 1 WHERE id = 1');
    const drifted = await run({ unattended: true });
    expect(drifted.summary).toMatchObject({ repaired: 1, critical: 0, exitStatus: 0 });
    expect(await frozen()).toEqual([]);
  });

  test('is told by a dry run, which freezes nobody', async () => {
    await db.run(SPENT, [1]);
    await db.run(SPENT, [2]);
    await db.run(follow);
    const { summary, problems } = await run({ unattended: true, dryRun: true });
    expect(summary).toMatchObject({ drifted: 1, critical: 2, exitStatus: 2 });
    expect(problems.map(({ walletId }) => walletId)).toEqual(['1', '2']);
    expect(await frozen()).toEqual([]);
  });

  test('is no wallet that would be repaired, where rails are judged', async () => {
    await db.run(SPENT, [1]);
    await db.run(follow);
    const { summary } = await run({ unattended: true, maxRepairs: 0 });
    expect(summary).toMatchObject({ rail: null, critical: 1, exitStatus: 2 });
  });
});

/** Waits until somebody waits for a lock of another transaction. */
async function waitForLock(): Promise<void> {
  for (let waiting = '0'; waiting === '0';) {
    waiting = await db.value(
      `SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    );
  }
}
