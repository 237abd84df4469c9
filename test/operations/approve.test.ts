import { beforeEach, describe, expect, test } from 'vitest';
import type {
  ApproveRequest,
  ApproveSummary,
  Finding,
  NotApproved,
  Trueup,
} from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import { caches, truth, type Economy } from '../support/economy.js';
import { createTiers } from '../support/tiers.js';

/** Approving what a run has left: repaired where it differs by as much as was approved, and only there. */

const db = await createDatabase('empty');
let economy: Economy;
let trueup: Trueup;
let runId: string;

/** Wallets 1 to 3 differ by more than 100 coins, 4 by less. */
beforeEach(async () => {
  await db.run('DROP SCHEMA IF EXISTS app CASCADE');
  economy = await createTiers(db, 6);
  trueup = await db.trueup({ config: economy.mapping });
  await db.run(`
    UPDATE app.wallet SET balance = balance + 250 WHERE id IN (1, 2);
    UPDATE app.profile SET shown = shown + 250, earned = 0 WHERE user_id = 2;
    UPDATE app.profile SET shown = shown - 150.5 WHERE user_id = 3;
    UPDATE app.wallet SET balance = balance - 1 WHERE id = 4`);
  ({ runId } = await trueup.reconcile({ all: true, unattended: true }));
  expect(await open()).toEqual(['1', '2', '2', '2', '3']);
});

const open = async (): Promise<string[]> =>
  (
    await db.rows(
      `SELECT wallet_id FROM trueup.findings WHERE state = 'review' AND settled_at IS NULL ORDER BY wallet_id`,
    )
  ).map(({ wallet_id: id = '' }) => id);

interface Outcome {
  readonly summary: ApproveSummary;
  readonly found: readonly Finding[];
  readonly left: readonly NotApproved[];
}

async function approve(request: Partial<ApproveRequest> = { all: true }): Promise<Outcome> {
  const found: Finding[] = [];
  const left: NotApproved[] = [];
  const summary = await trueup.approve({
    run: runId,
    ...request,
    onFinding: (finding) => found.push(finding),
    onLeft: (one) => left.push(one),
  });
  return { summary, found, left };
}

test('all that waits is repaired, on record as a run of its own', async () => {
  const { summary, found } = await approve();
  expect(summary).toMatchObject({
    ...{ approves: runId, wallets: 3, approved: 3, repaired: 5, inSync: 0, left: 0 },
    ...{ skipped: 0, interrupted: false, exitStatus: 0 },
  });
  expect(await caches(db, economy)).toEqual(await truth(db, economy));
  expect(await open()).toEqual([]);
  expect(found.map(({ walletId, delta }) => [walletId, delta])).toEqual([
    ['1', '-250'],
    ['2', '-250'],
    ['2', '-250'],
    ['2', '200'],
    ['3', '150.5'],
  ]);
  const run = await trueup.run(summary.runId.slice(0, 8));
  expect(run).toMatchObject({
    ...{ kind: 'approve', state: 'finished', exitStatus: 0, process: process.pid },
    options: { run: runId, all: true },
    counts: { approved: 3 },
  });
  expect(run.found.reduce((sum, { count }) => sum + Number(count), 0)).toBe(5);
});

test('only the wallets that are named; what does not wait is told', async () => {
  const { summary, left } = await approve({ walletIds: ['2', '4', '77', '2'] });
  expect(summary).toMatchObject({ wallets: 3, approved: 1, left: 2, exitStatus: 2 });
  expect(left.map(({ walletId, code }) => [walletId, code])).toEqual([
    ['4', 'not_waiting'],
    ['77', 'not_waiting'],
  ]);
  expect(await open()).toEqual(['1', '3']);
});

test('a second time there is nothing to approve, and no run is left on record', async () => {
  await approve();
  const { summary } = await approve();
  expect(summary).toMatchObject({ wallets: 0, approved: 0, exitStatus: 0 });
  const named = await approve({ walletIds: ['2'] });
  expect(named.summary).toMatchObject({ wallets: 1, left: 1, exitStatus: 2 });
  expect((await trueup.runs({ all: true })).map(({ kind }) => kind).slice(0, 2)).toEqual([
    'approve',
    'reconcile',
  ]);
  expect((await approve({ run: 'last', all: true })).summary.approves).toBe(runId);
});

describe('a wallet that has moved on', () => {
  test('alike on both sides is repaired: the difference is what was approved', async () => {
    await db.run('INSERT INTO app.ledger (wallet_id, amount) VALUES (1, 30)');
    await db.run('UPDATE app.wallet SET balance = balance + 30, earned = earned + 30 WHERE id = 1');
    await db.run(
      'UPDATE app.profile SET shown = shown + 30, earned = earned + 30 WHERE user_id = 1',
    );
    expect((await approve()).summary).toMatchObject({ approved: 3, exitStatus: 0 });
    expect(await caches(db, economy)).toEqual(await truth(db, economy));
  });

  test.each([
    [
      'otherwise',
      'UPDATE app.wallet SET balance = balance + 1 WHERE id = 1',
      'wallet.balance differs by -251 by now, and what waits is -250',
    ],
    [
      'in another cache too',
      'UPDATE app.profile SET earned = earned + 3 WHERE user_id = 1',
      'profile.lifetimeEarnings differs too by now, by -3',
    ],
  ])('%s goes on waiting, and the others are repaired', async (_, change, message) => {
    await db.run(change);
    const before = await caches(db, economy);
    const { summary, left } = await approve();
    expect(summary).toMatchObject({ wallets: 3, approved: 2, left: 1, exitStatus: 2 });
    expect(left).toEqual([{ walletId: '1', userId: '1', code: 'moved_on', message }]);
    expect((await caches(db, economy))[0]).toBe(before[0]);
    expect(await open()).toEqual(['1']);
    expect(
      await db.value('SELECT count(*)::text FROM trueup.repairs WHERE run_id = $1', [
        summary.runId,
      ]),
    ).toBe('2');
  });

  test('in one of its caches goes on waiting as a whole', async () => {
    await db.run('UPDATE app.profile SET earned = 200 WHERE user_id = 2');
    expect((await approve()).left).toEqual([
      {
        ...{ walletId: '2', userId: '2', code: 'moved_on' },
        message: 'profile.lifetimeEarnings is right by now, and what waits is 200',
      },
    ]);
  });

  test('until it is in sync is done with', async () => {
    await trueup.syncWalletToProfile('3');
    expect((await approve()).summary).toMatchObject({ approved: 2, inSync: 1, exitStatus: 0 });
    expect(await open()).toEqual([]);
  });
});

test('a wallet that somebody holds goes on waiting; so does one that the database refuses', async () => {
  const other = await db.connect();
  await other.query('BEGIN');
  await other.query('SELECT FROM app.profile WHERE user_id = 2 FOR UPDATE');
  await db.run(
    'ALTER TABLE app.wallet ADD CONSTRAINT odd CHECK (id <> 1 OR balance <> 100) NOT VALID',
  );
  const { summary, left } = await approve();
  expect(summary).toMatchObject({ approved: 1, left: 1, skipped: 1, exitStatus: 2 });
  expect(left.map(({ walletId, code }) => [walletId, code])).toEqual([
    ['1', 'refused'],
    ['2', 'locked'],
  ]);
  await other.query('ROLLBACK');
  expect(await open()).toEqual(['1', '2', '2', '2']);
  expect((await approve({ walletIds: ['2'] })).summary).toMatchObject({
    approved: 1,
    exitStatus: 0,
  });
});

test('under writers every wallet ends as the ledger says, and is repaired once', async () => {
  await trueup.installSync({ guard: 'off' });
  const writers = Array.from({ length: 4 }, async (_, writer) => {
    const client = await db.connect();
    for (let n = 0; n < 60; n += 1) {
      await client.query('INSERT INTO app.ledger (wallet_id, amount) VALUES ($1, $2)', [
        1 + ((writer + n) % 6),
        n - 30 === 0 ? 1 : n - 30,
      ]);
    }
  });
  const [one, another] = await Promise.all([approve(), approve()]);
  await Promise.all(writers);
  expect(one.summary.approved + another.summary.approved).toBe(3);
  expect(await caches(db, economy)).toEqual(await truth(db, economy));
  expect(
    await db.rows('SELECT wallet_id FROM trueup.repairs WHERE run_id = ANY ($1) ORDER BY 1', [
      [one.summary.runId, another.summary.runId],
    ]),
  ).toEqual([{ wallet_id: '1' }, { wallet_id: '2' }, { wallet_id: '3' }]);
});

test('an approval can be undone', async () => {
  const before = await caches(db, economy);
  const { summary } = await approve();
  expect(await trueup.undo({ run: summary.runId })).toMatchObject({ undone: 3, exitStatus: 0 });
  expect(await caches(db, economy)).toEqual(before);
});

test('without a choice nothing is approved', async () => {
  for (const request of [{}, { all: false }, { walletIds: [] }, { all: true, walletIds: ['1'] }]) {
    await expect(trueup.approve({ run: runId, ...request })).rejects.toMatchObject({
      code: 'invalid_argument',
    });
  }
  expect(await trueup.runs({ limit: 1 })).toMatchObject([{ runId }]);
});
