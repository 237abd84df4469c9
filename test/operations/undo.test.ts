import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Trueup, UndoLeft } from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import { caches, findings, settledEconomy, truth, type Economy } from '../support/economy.js';

/** Undoing a run: caches are what they were before it, where nothing has touched them since. */

const db = await createDatabase('empty');
let economy: Economy;
let trueup: Trueup;

/** Three wallets and a profile that are wrong in ways that no entry explains. */
const DRIFT = `UPDATE app.wallet SET balance = balance + 7, earned = NULL WHERE id = 1;
               UPDATE app.wallet SET balance = 12 WHERE id = 2;
               UPDATE app.profile SET shown = 0.5 WHERE id = 103`;

beforeEach(async () => {
  ({ economy, trueup } = await settledEconomy(db));
  await db.run(DRIFT);
});

async function repaired(): Promise<{ before: string[]; runId: string }> {
  const before = await caches(db, economy);
  const { runId, exitStatus } = await trueup.reconcile({ all: true });
  expect(exitStatus).toBe(0);
  expect(await caches(db, economy)).toEqual(await truth(db, economy));
  return { before, runId };
}

async function undo(run: string): Promise<{ left: UndoLeft[]; undone: number; status: number }> {
  const left: UndoLeft[] = [];
  const { undone, exitStatus } = await trueup.undo({ run, onLeft: (one) => left.push(one) });
  return { left, undone, status: exitStatus };
}

test('every cache is what it was before the run, and each is on record the other way round', async () => {
  const { before, runId } = await repaired();
  expect(await undo(runId)).toEqual({ left: [], undone: 3, status: 0 });
  expect(await caches(db, economy)).toEqual(before);
  const records = await db.rows(
    `SELECT wallet_id, part, field, before, after, cause, run_id = $1 AS repair
       FROM trueup.repaired_caches ORDER BY wallet_id, part, field, repair DESC`,
    [runId],
  );
  const [there, back] = [true, false].map((repair) =>
    records.filter((record) => (record['repair'] as unknown) === repair),
  );
  expect(back).toHaveLength(4);
  expect(back?.map(({ before: old, after }) => [after, old])).toEqual(
    there?.map(({ before: old, after }) => [old, after]),
  );
  expect(new Set(back?.map(({ cause }) => cause))).toEqual(new Set(['undone']));
});

test('what was undone is found by the next run again', async () => {
  const { runId } = await repaired();
  const first = (await findings(trueup)).length;
  await undo(runId);
  expect(first).toBe(0);
  expect(await findings(trueup)).toHaveLength(4);
  expect((await trueup.reconcile({ all: true })).exitStatus).toBe(0);
});

test('a run is undone once; the undo can be undone in turn', async () => {
  const { before, runId } = await repaired();
  await undo(runId);
  expect(await undo(runId)).toEqual({ left: [], undone: 0, status: 0 });
  expect(await caches(db, economy)).toEqual(before);
  const again = await db.value(`SELECT id FROM trueup.runs WHERE kind = 'undo'`);
  expect(await undo(again)).toMatchObject({ undone: 3, left: [] });
  expect(await caches(db, economy)).toEqual(await truth(db, economy));
});

test('the last run is never an undo: asking twice takes back once', async () => {
  const { before } = await repaired();
  expect(await undo('last')).toMatchObject({ undone: 3 });
  expect(await undo('last')).toMatchObject({ undone: 0 });
  expect(await caches(db, economy)).toEqual(before);
});

test('what was taken back is known to be wrong, until the undo is undone or a run has looked', async () => {
  const left = async (): Promise<number> => {
    const { open, exitStatus } = await trueup.status();
    const findings = open.reduce(
      (sum, { state, findings: n }) => sum + (state === 'undone' ? n : 0),
      0,
    );
    expect(exitStatus).toBe(findings > 0 ? 2 : 0);
    return findings;
  };
  await repaired();
  expect(await left()).toBe(0);
  await undo('last');
  expect(await left()).toBe(4);
  expect((await trueup.reconcile({ sinceCheckpoint: true })).repaired).toBe(4);
  expect(await left()).toBe(0);
  await undo('last');
  await undo(
    await db.value(
      `SELECT id FROM trueup.runs WHERE kind = 'undo' ORDER BY started_at DESC LIMIT 1`,
    ),
  );
  expect(await left()).toBe(0);
});

test('a run under way is not taken back', async () => {
  const other = await db.connect();
  onTestFinished(() => other.query('ROLLBACK').then(() => undefined));
  await other.query('BEGIN; SELECT FROM app.wallet WHERE id = 2 FOR UPDATE');
  const under = trueup.reconcile({ all: true, batchSize: 1 });
  const repairs = `SELECT count(*) FROM trueup.repairs AS p JOIN trueup.runs AS r ON r.id = p.run_id WHERE r.state = 'running'`;
  await vi.waitFor(
    async () => {
      expect(await db.value(repairs)).not.toBe('0');
    },
    { timeout: 20_000 },
  );
  await expect(trueup.undo({ run: 'last' })).rejects.toMatchObject({ code: 'run_under_way' });
  await other.query('ROLLBACK');
  expect((await under).exitStatus).toBe(0);
  expect(await caches(db, economy)).toEqual(await truth(db, economy));
});

describe('a wallet is left as it is', () => {
  test.each([
    ['its balance', 'UPDATE app.wallet SET balance = balance + 25 WHERE id = 1'],
    [
      'another cache of it than the one that was repaired last',
      'UPDATE app.wallet SET earned = 1 WHERE id = 1',
    ],
  ])('where %s has moved on, and the others are undone', async (_, change) => {
    const { runId } = await repaired();
    await db.run(change);
    const now = await caches(db, economy);
    const { left, undone, status } = await undo(runId);
    expect({ undone, status }).toEqual({ undone: 2, status: 2 });
    expect(left).toMatchObject([{ walletId: '1', userId: '1', code: 'moved_on' }]);
    expect((await caches(db, economy))[0]).toBe(now[0]);
  });

  test('where its profile has moved on: both parts stay', async () => {
    const { runId } = await repaired();
    await db.run('UPDATE app.wallet SET balance = 1 WHERE id = 3');
    await db.run('UPDATE app.profile SET shown = 77 WHERE id = 103');
    const { left } = await undo(runId);
    expect(left).toMatchObject([
      { walletId: '3', message: 'profile.balance holds 77, not the 239 that the run wrote' },
    ]);
  });

  test('where it is gone', async () => {
    const { runId } = await repaired();
    await db.run('DELETE FROM app.wallet WHERE id = 2');
    expect((await undo(runId)).left).toMatchObject([{ walletId: '2', code: 'gone' }]);
  });

  test('where somebody holds it locked: it is undone once he has let go', async () => {
    const { before, runId } = await repaired();
    const other = await db.connect();
    await other.query('BEGIN');
    await other.query('SELECT FROM app.wallet WHERE id = 2 FOR UPDATE');
    const first = await undo(runId);
    expect(first).toMatchObject({
      undone: 2,
      status: 3,
      left: [{ walletId: '2', code: 'locked' }],
    });
    await other.query('ROLLBACK');
    expect(await undo(runId)).toEqual({ left: [], undone: 1, status: 0 });
    expect(await caches(db, economy)).toEqual(before);
  });

  test('where the database refuses what was there before', async () => {
    const { runId } = await repaired();
    await db.run('ALTER TABLE app.wallet ADD CONSTRAINT earns CHECK (earned IS NOT NULL)');
    const { left, undone } = await undo(runId);
    expect(undone).toBe(2);
    expect(left).toMatchObject([{ walletId: '1', code: 'refused' }]);
  });

  test('where the repair came with an opening entry', async () => {
    await db.run('UPDATE app.wallet SET balance = 50 WHERE id = 4');
    const plan = await trueup.findOpeningBalances();
    await trueup.postOpeningBalances(plan);
    const [opening] = await trueup.runs({ all: true, limit: 1 });
    const { left } = await undo(opening?.runId ?? '');
    expect(left).toMatchObject([{ walletId: '4', code: 'opening_entry' }]);
  });
});

test('a dry run says what would be done, and writes nothing', async () => {
  const { runId } = await repaired();
  await db.run('UPDATE app.wallet SET balance = 1 WHERE id = 2');
  const before = await caches(db, economy);
  const runs = await db.value('SELECT count(*) FROM trueup.runs');
  const summary = await trueup.undo({ run: runId, dryRun: true });
  expect(summary).toMatchObject({ wallets: 3, undone: 2, left: 1, exitStatus: 2 });
  expect(await caches(db, economy)).toEqual(before);
  expect(await db.value('SELECT count(*) FROM trueup.runs')).toBe(runs);
});

test('a wallet that a run has repaired twice gets back what stood before the first time', async () => {
  const { before, runId } = await repaired();
  await db.run(
    `UPDATE app.wallet SET balance = 3 WHERE id = 2;
     INSERT INTO trueup.repairs (run_id, wallet_id, profile_id, user_id, cause, changes)
     VALUES ('${runId}', '2', '102', '2', 'unknown', '{"wallet.balance": ["280", "3"]}')`,
  );
  expect(await undo(runId)).toMatchObject({ undone: 3, left: [] });
  expect(await caches(db, economy)).toEqual(before);
});

test('entries that are written meanwhile are never lost', async () => {
  await trueup.installSync({ guard: 'off' });
  const { runId } = await repaired();
  const writers = Array.from({ length: 40 }, (_, n) =>
    db.run('INSERT INTO app.ledger (wallet_id, amount) VALUES ($1, 1)', [1 + (n % 3)]),
  );
  const [{ undone, left }] = await Promise.all([undo(runId), ...writers]);
  expect(undone + left.length).toBe(3);
  await trueup.reconcile({ all: true });
  expect(await caches(db, economy)).toEqual(await truth(db, economy));
});

test('runs that there are not', async () => {
  await db.run('TRUNCATE trueup.runs');
  await expect(trueup.undo({ run: 'last' })).rejects.toMatchObject({ code: 'run_not_found' });
  await expect(trueup.undo({ run: "x' OR true --" })).rejects.toMatchObject({
    code: 'run_not_found',
  });
  await expect(trueup.undo({ run: 'ffff' })).rejects.toMatchObject({ code: 'run_not_found' });
});
