import { beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import type { ReconcileOptions, ReconcileSummary, Trueup } from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import { countsOf, Drifted } from '../support/drifted.js';

/** Going on with a run: where it stopped, with what it began with, or not at all. */

const db = await createDatabase('empty');
const drifted = await Drifted.create(db);
let trueup: Trueup;
beforeAll(async () => {
  trueup = await db.trueup({ config: drifted.mapping });
});
beforeEach(async () => {
  await drifted.reset();
  await db.run('DELETE FROM trueup.runs; DELETE FROM trueup.findings');
});

/** A run that is interrupted behind its first batch. */
async function interrupted(options: ReconcileOptions): Promise<ReconcileSummary> {
  const controller = new AbortController();
  return trueup.reconcile({
    ...options,
    signal: controller.signal,
    onProgress: () => {
      controller.abort();
    },
  });
}

async function undisturbed(
  options: ReconcileOptions,
): Promise<{ counts: object; records: object }> {
  const summary = await trueup.reconcile(options);
  const done = { counts: countsOf(summary), records: await drifted.records(summary.runId) };
  await drifted.reset();
  await db.run('DELETE FROM trueup.runs; DELETE FROM trueup.findings');
  return done;
}

describe('a run that was interrupted', () => {
  test.each<[string, ReconcileOptions]>([
    ['over all', { all: true, batchSize: 4 }],
    ['over all, with jobs', { all: true, batchSize: 1, jobs: 8 }],
    ['behind rails', { all: true, batchSize: 4, maxDelta: 1_000 }],
    ['over some', { userIds: ['1', '3', '8', '9'], batchSize: 1 }],
  ])('goes on where it stopped: %s', async (_, options) => {
    const expected = await undisturbed(options);
    const first = await interrupted(options);
    expect(first).toMatchObject({ incomplete: 'interrupted', checked: options.batchSize });
    expect(first.repaired).toBeLessThan(10);
    expect(
      await db.rows(
        'SELECT state, exit_status, finished_at IS NOT NULL AS finished FROM trueup.runs',
      ),
    ).toEqual([{ state: 'interrupted', exit_status: first.exitStatus, finished: true }]);
    // Neither selection nor rails have to be told again.
    const seen: number[] = [];
    const summary = await trueup.reconcile({
      resume: first.runId,
      batchSize: 4,
      onProgress: ({ checked }) => seen.push(checked),
    });
    expect(seen[0]).toBeGreaterThan(first.checked);
    expect(summary).toMatchObject({ runId: first.runId, resumed: 1, incomplete: null });
    expect(countsOf(summary)).toEqual(expected.counts);
    expect(await drifted.records(summary.runId)).toEqual(expected.records);
    expect(await db.value('SELECT count(*) FROM trueup.suspects')).toBe('0');
  });

  test('--limit ends a run that can go on, again and again', async () => {
    const expected = await undisturbed({ all: true });
    const first = await trueup.reconcile({ all: true, limit: 5 });
    expect(first).toMatchObject({ incomplete: 'limit', checked: 5 });
    const second = await trueup.reconcile({ resume: true, limit: 5, batchSize: 2 });
    expect(second).toMatchObject({ incomplete: 'limit', checked: 10, resumed: 1 });
    const third = await trueup.reconcile({ resume: true, limit: 5 });
    expect(third).toMatchObject({ runId: first.runId, incomplete: null, resumed: 2 });
    expect(countsOf(third)).toEqual(expected.counts);
  });

  test('a limit behind rails repairs what was seen, and the rails count all of it', async () => {
    const expected = await undisturbed({ all: true });
    const rails = { all: true, maxRepairs: 4 };
    expect(await trueup.reconcile({ ...rails, limit: 4 })).toMatchObject({
      ...{ checked: 4, repaired: 7, incomplete: 'limit' },
    });
    const stopped = await trueup.reconcile({ resume: true });
    expect(stopped).toMatchObject({
      incomplete: 'rail',
      exitStatus: 4,
      rail: { rail: 'max_repairs' },
    });
    const done = await trueup.reconcile({ resume: true, maxRepairs: 8 });
    expect(countsOf(done)).toEqual(expected.counts);
  });

  test('whatever happens between the two is looked at', async () => {
    const first = await interrupted({ all: true, batchSize: 4 });
    await db.run('UPDATE app.wallet SET balance = balance + 1 WHERE id IN (2, 5, 12)');
    const summary = await trueup.reconcile({ resume: first.runId });
    // 2 lies before the checkpoint: it belongs to the next run.
    expect(summary.repaired).toBe(12);
    expect(await trueup.reconcile({ all: true })).toMatchObject({ repaired: 1 });
  });
});

describe('is refused', () => {
  const refused = (options: ReconcileOptions, by: Trueup = trueup): Promise<unknown> =>
    by.reconcile(options).then(
      () => 'done',
      (error: unknown) => (error as { code: string }).code,
    );

  test('where there is no such run', async () => {
    expect(await refused({ resume: true })).toBe('run_not_found');
    expect(await refused({ resume: 'nonsense' })).toBe('run_not_found');
    expect(await refused({ resume: '00000000-0000-4000-8000-000000000000' })).toBe('run_not_found');
    expect(await refused({ resume: '' })).toBe('invalid_argument');
    expect(await refused({ resume: true, dryRun: true })).toBe('invalid_argument');
  });

  test('where the run has finished', async () => {
    const { runId } = await trueup.reconcile({ all: true });
    expect(await refused({ resume: runId })).toBe('run_not_resumable');
    expect(await refused({ resume: true })).toBe('run_not_resumable');
  });

  test('with other users, or all in place of some', async () => {
    await interrupted({ userIds: ['1', '3'], batchSize: 1 });
    expect(await refused({ resume: true, userIds: ['1', '4'] })).toBe('run_changed');
    expect(await refused({ resume: true, all: true })).toBe('run_changed');
    expect(await refused({ resume: true, userIds: ['3', '1'] })).toBe('done');
  });

  test('with another mapping', async () => {
    await interrupted({ all: true, batchSize: 1 });
    const wallet = { ...drifted.mapping.wallet };
    delete wallet.lifetimeEarnings;
    const changed = await db.trueup({ config: { ...drifted.mapping, wallet } });
    expect(await refused({ resume: true }, changed)).toBe('run_changed');
    expect(await refused({ resume: true })).toBe('done');
  });

  test.each<[string, () => Promise<unknown>]>([
    ['altered', () => trueup.installSync({ guard: 'keep' })],
    ['switched off', () => db.run('ALTER TABLE app.ledger DISABLE TRIGGER USER')],
    ['removed', () => trueup.removeSync()],
  ])('with triggers that were %s meanwhile', async (_, change) => {
    await trueup.installSync({ guard: 'off' });
    onTestFinished(async () => {
      await trueup.removeSync();
    });
    const first = await interrupted({ all: true, batchSize: 1 });
    const before = await drifted.caches();
    await change();
    await expect(trueup.reconcile({ resume: true })).rejects.toMatchObject({
      code: 'run_changed',
      message: `run ${first.runId} cannot go on: triggers differ from what it began with`,
    });
    expect(await drifted.caches()).toBe(before);
    expect(await db.value('SELECT state FROM trueup.runs')).toBe('interrupted');
  });
});

describe('findings', () => {
  test('are closed by the next run that looks at the wallet, and only by that', async () => {
    const first = await trueup.reconcile({ all: true });
    expect((await drifted.records(first.runId)).findings).toHaveLength(10);
    const open = (): Promise<string> =>
      db.value(
        `SELECT string_agg(coalesce(wallet_id, 'profile'), ' ' ORDER BY wallet_id::bigint, id)
           FROM trueup.findings WHERE settled_at IS NULL AND run_id = '${first.runId}'`,
      );
    expect(await open()).toBe('6 8 8 9 10 10 11 11 99 profile');
    await trueup.reconcile({ userIds: ['8'] });
    expect(await open()).toBe('6 9 10 10 11 11 99 profile');
    await trueup.reconcile({ all: true, limit: 10 });
    expect(await open()).toBe('11 11 99 profile');
    const last = await trueup.reconcile({ all: true });
    expect(await open()).toBeNull();
    expect(
      await db.value(
        `SELECT count(*)::int FROM trueup.findings WHERE settled_at IS NULL AND run_id = $1`,
        [last.runId],
      ),
    ).toBe(10);
  });

  test('of a wallet that somebody holds locked are recorded as skipped', async () => {
    const other = await db.connect();
    await other.query('BEGIN; SELECT FROM app.wallet WHERE id = 4 FOR UPDATE');
    const summary = await trueup.reconcile({ all: true });
    await other.query('ROLLBACK');
    expect(summary).toMatchObject({ skipped: 1, repaired: 6 });
    expect(
      await db.rows(
        `SELECT wallet_id, user_id, part, message FROM trueup.findings WHERE state = 'skipped'`,
      ),
    ).toEqual([
      {
        wallet_id: '4',
        user_id: '4',
        part: null,
        message: 'another transaction holds the wallet or its profile; it was left as it is',
      },
    ]);
  });
});
