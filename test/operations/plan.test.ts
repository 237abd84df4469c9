import { beforeEach, describe, expect, test } from 'vitest';
import type { ApplyOptions, ApplySummary, ReconcileProblem, Trueup } from '../../src/index.js';
import { contents } from '../cli/fixture.js';
import { createDatabase } from '../support/database.js';
import { caches, createEconomy, truth, type Economy } from '../support/economy.js';
import { folderOfFiles } from './files.js';

/** Plans: what they hold, and that applying one writes what it says or nothing. */

const db = await createDatabase('empty');
const folder = folderOfFiles();
const file = folder.path('plan.jsonl');
let economy: Economy;
let trueup: Trueup;

/** Ten wallets, each with one entry of ten times its number that no cache knows of; no triggers. */
beforeEach(async () => {
  await db.run('DROP SCHEMA IF EXISTS app CASCADE');
  economy = await createEconomy(db, 10);
  trueup = await db.trueup({ config: economy.mapping });
  await db.run('TRUNCATE trueup.runs, trueup.findings, trueup.repairs');
  await db.run(
    'INSERT INTO app.ledger (wallet_id, amount) SELECT n, n * 10 FROM generate_series(1, 10) AS n',
  );
  await trueup.reconcile({ all: true, plan: file });
});

const lines = (): Record<string, unknown>[] =>
  folder
    .text('plan.jsonl')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

async function apply(
  options: Partial<ApplyOptions> = {},
): Promise<{ summary: ApplySummary; problems: ReconcileProblem[] }> {
  const problems: ReconcileProblem[] = [];
  const summary = await trueup.applyPlan({
    ...{ file, onProblem: (problem: ReconcileProblem) => problems.push(problem) },
    ...options,
  });
  return { summary, problems };
}

describe('a plan', () => {
  test('says where it was made, what each wallet lacks, and what that adds up to', async () => {
    const [header, first, ...rest] = lines();
    expect(header).toMatchObject({
      ...{ type: 'plan', version: 1, ledger: '"app"."ledger"', database: db.name },
      server: expect.stringMatching(/^\d+\/\d+$/) as string,
      mapping: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      createdAt: expect.stringMatching(/^\d{4}-.*Z$/) as string,
    });
    const lack = { cached: '0', expected: '10', delta: '10', cause: 'entry_missed' };
    expect(first).toEqual({
      ...{ type: 'wallet', userId: '1', walletId: '1', profileId: '101' },
      findings: [
        { part: 'wallet', field: 'balance', ...lack },
        { part: 'wallet', field: 'lifetimeEarnings', ...lack },
        { part: 'profile', field: 'balance', ...lack },
        { part: 'profile', field: 'lifetimeEarnings', ...lack },
      ],
    });
    expect(rest.at(-1)).toEqual({
      ...{ type: 'end', checked: 10, wallets: 10, findings: 40, repairable: 10 },
      ...{ largestDelta: '100', incomplete: null },
      checksum: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
    });
    expect(lines()).toHaveLength(12);
    expect(await db.value('SELECT count(*)::text FROM trueup.runs')).toBe('0');
  });

  test('is the same but for its time, however often it is made and however large the batches', async () => {
    const [, ...before] = lines();
    await trueup.reconcile({ all: true, plan: file, batchSize: 3 });
    const [, ...after] = lines();
    expect(after.slice(0, -1)).toEqual(before.slice(0, -1));
  });

  test('cannot be made by a run that writes', async () => {
    await expect(trueup.reconcile({ all: true, plan: file, dryRun: false })).rejects.toMatchObject({
      code: 'invalid_argument',
    });
  });
});

describe('applying it', () => {
  test('repairs what it says, on record as a run of its own; a second time it changes nothing', async () => {
    const { summary, problems } = await apply();
    expect(summary).toMatchObject({
      ...{ dryRun: false, planned: 10, checked: 10, drifted: 10, balanceDrifts: 10 },
      ...{ findings: 40, repaired: 40, changed: 0, skipped: 0, errors: 0, exitStatus: 0 },
    });
    expect(problems).toEqual([]);
    expect(await caches(db, economy)).toEqual(await truth(db, economy));
    expect(
      await db.rows(
        `SELECT r.kind, r.state, r.exit_status AS status, r.options ->> 'plan' AS plan, count(p.*)::int AS repairs
           FROM trueup.runs r JOIN trueup.repairs p ON p.run_id = r.id WHERE r.id = $1 GROUP BY r.id`,
        [summary.runId],
      ),
    ).toEqual([{ kind: 'apply', state: 'finished', status: 0, plan: 'plan.jsonl', repairs: 10 }]);

    const again = await apply();
    expect(again.summary).toMatchObject({ repaired: 0, inSync: 10, changed: 0, exitStatus: 0 });
    expect(again.problems).toEqual([]);
    expect(await db.value('SELECT count(*)::text FROM trueup.repairs')).toBe('10');
  });

  test('leaves what has changed since, both ways, tells both values, and repairs the others', async () => {
    await db.run(`INSERT INTO app.ledger (wallet_id, amount) VALUES (3, 5)`);
    await db.run(`UPDATE app.wallet SET balance = 1 WHERE id = 5`);
    await db.run(`UPDATE app.profile SET shown = 70 WHERE id = 107`);
    const { summary, problems } = await apply();
    expect(summary).toMatchObject({ repaired: 28, changed: 3, skipped: 0, exitStatus: 3 });
    const said = new Map(problems.map(({ walletId, message }) => [walletId, message]));
    expect([...said.keys()]).toEqual(['3', '5', '7']);
    expect(said.get('3')).toContain('wallet.balance was 0 -> 30 in the plan, and is 0 -> 35 now');
    expect(said.get('5')).toBe(
      'not as planned: wallet.balance was 0 -> 50 in the plan, and is 1 -> 50 now',
    );
    expect(said.get('7')).toBe(
      'not as planned: profile.balance was 0 -> 70 in the plan, and is right now',
    );
    const right = await truth(db, economy);
    const now = await caches(db, economy);
    expect(now.filter((line, n) => line !== right[n])).toEqual([
      '3 0 0 | 0 0',
      '5 1 0 | 0 0',
      '7 0 0 | 70 0',
    ]);
    expect(
      await db.rows(
        `SELECT wallet_id, state, message LIKE 'not as planned%' AS told FROM trueup.findings ORDER BY wallet_id`,
      ),
    ).toEqual(['3', '5', '7'].map((id) => ({ wallet_id: id, state: 'skipped', told: true })));
    expect(await db.value('SELECT count(*)::text FROM trueup.repairs')).toBe('7');
  });

  test('dry, it tells the same and writes nothing', async () => {
    await db.run(`INSERT INTO app.ledger (wallet_id, amount) VALUES (3, 5)`);
    const before = await contents(db);
    const { summary, problems } = await apply({ dryRun: true });
    expect(summary).toMatchObject({
      ...{ dryRun: true, findings: 36, repaired: 0, changed: 1, exitStatus: 2 },
    });
    expect(problems.map(({ walletId, code }) => [walletId, code])).toEqual([['3', 'changed']]);
    const reader = await db.trueup({ config: economy.mapping, readOnly: true });
    expect(await reader.applyPlan({ file, dryRun: true })).toMatchObject({ changed: 1, inSync: 0 });
    await expect(reader.applyPlan({ file })).rejects.toMatchObject({ code: 'read_only' });
    expect(await contents(db)).toEqual(before);
  });

  test('dry, a wallet that is right by now is counted, and not told', async () => {
    await trueup.reconcile({ userIds: ['2'] });
    const { summary, problems } = await apply({ dryRun: true });
    expect(summary).toMatchObject({ findings: 36, inSync: 1, changed: 0, exitStatus: 2 });
    expect(problems).toEqual([]);
  });

  test('a wallet that is locked is left, and the next time it is repaired', async () => {
    const holder = await db.connect();
    await holder.query('BEGIN');
    await holder.query('SELECT FROM app.wallet WHERE id = 4 FOR UPDATE');
    const { summary, problems } = await apply();
    expect(summary).toMatchObject({ repaired: 36, skipped: 1, changed: 0, exitStatus: 3 });
    expect(problems).toMatchObject([{ type: 'skip', walletId: '4', code: 'locked' }]);
    await holder.query('ROLLBACK');
    expect((await apply()).summary).toMatchObject({ repaired: 4, inSync: 9, exitStatus: 0 });
    expect(await caches(db, economy)).toEqual(await truth(db, economy));
  });

  test('a wallet whose repair the database refuses is an error, and stops no other', async () => {
    await db.run('ALTER TABLE app.profile ADD CHECK (id <> 106 OR shown < 50)');
    const { summary, problems } = await apply();
    expect(summary).toMatchObject({ repaired: 36, errors: 1, changed: 0, exitStatus: 1 });
    expect(problems).toMatchObject([{ type: 'error', walletId: '6', code: 'database_failed' }]);
  });

  test('coins without history, and profiles without wallet, are told and left', async () => {
    await db.run(`
      DELETE FROM app.ledger WHERE wallet_id = 2; UPDATE app.wallet SET balance = 9 WHERE id = 2;
      INSERT INTO app.profile (id, user_id, shown, earned) VALUES (500, 500, 8, 0)`);
    await trueup.reconcile({ all: true, plan: file });
    const before = await db.rows('SELECT * FROM app.wallet WHERE id = 2');
    const { summary } = await apply();
    expect(summary).toMatchObject({ planned: 11, repaired: 36, exitStatus: 2 });
    expect(summary.findings).toBeGreaterThan(36);
    expect(await db.rows('SELECT * FROM app.wallet WHERE id = 2')).toEqual(before);
  });

  test('what the dry run has set aside for people stays so', async () => {
    await trueup.reconcile({ all: true, plan: file, reviewOver: 50 });
    expect(lines().at(-1)).toMatchObject({ wallets: 10, repairable: 5, largestDelta: '50' });
    const { summary } = await apply();
    expect(summary).toMatchObject({ repaired: 20, findings: 40, review: 20, exitStatus: 2 });
    const right = await truth(db, economy);
    const now = await caches(db, economy);
    expect(now.map((line, n) => line === right[n])).toEqual(
      Array.from({ length: 10 }, (_, n) => n < 5),
    );
  });

  test('a rail stops it before the first write, and says how to go on', async () => {
    for (const [rail, override] of [
      [{ maxRepairs: 9 }, '--max-repairs 10'],
      [{ maxRepairRatio: 0.5 }, '--max-repair-ratio 100%'],
      [{ maxDelta: 99 }, '--max-delta 100'],
    ] as const) {
      const { summary } = await apply(rail);
      expect(summary).toMatchObject({ repaired: 0, incomplete: 'rail', exitStatus: 4 });
      expect(summary.rail?.override).toBe(`trueup reconcile --apply ${file} ${override}`);
      expect(await db.value('SELECT state FROM trueup.runs WHERE id = $1', [summary.runId])).toBe(
        'stopped',
      );
    }
    expect(await db.value('SELECT count(*)::text FROM trueup.repairs')).toBe('0');
    const enough = { maxRepairs: 10, maxRepairRatio: 1, maxDelta: 100n };
    expect((await apply(enough)).summary).toMatchObject({ repaired: 40, exitStatus: 0 });
  });

  test('a run that cannot go on is on record as failed', async () => {
    await db.run('REVOKE ALL ON trueup.repairs FROM CURRENT_USER');
    await db.run('ALTER TABLE trueup.repairs RENAME TO gone');
    await expect(apply()).rejects.toMatchObject({ code: 'database_failed' });
    await db.run('ALTER TABLE trueup.gone RENAME TO repairs');
    expect(
      await db.rows(`SELECT state, exit_status AS status, error <> '' AS told FROM trueup.runs`),
    ).toEqual([{ state: 'failed', status: 1, told: true }]);
  });

  test('a report of it is written from its record', async () => {
    const report = folder.path('applied.json');
    const { summary } = await apply({ report });
    expect(JSON.parse(folder.text('applied.json'))).toMatchObject({
      run: { runId: summary.runId, kind: 'apply' },
      totals: { states: { repaired: 40 } },
    });
    await expect(apply({ report, dryRun: true })).rejects.toMatchObject({
      code: 'invalid_argument',
    });
  });
});
