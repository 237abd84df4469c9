import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ReconcileOptions, Trueup } from '../../src/index.js';
import { judge, railsOf } from '../../src/reconcile/rails.js';
import { runTrueup } from '../support/cli.js';
import { createDatabase } from '../support/database.js';
import { countsOf, Drifted } from '../support/drifted.js';
import { build } from '../support/program.js';
import { temporaryFolder, writeConfig } from '../cli/fixture.js';

/** Safety rails: they are judged before the first write, and say how to override them. */

const db = await createDatabase('empty');
const drifted = await Drifted.create(db);
const config = writeConfig(temporaryFolder(), 'trueup.config.json', drifted.mapping);
let trueup: Trueup;
beforeAll(async () => {
  build();
  trueup = await db.trueup({ config: drifted.mapping });
});
beforeEach(async () => {
  await drifted.reset();
  await db.run('DELETE FROM trueup.runs; DELETE FROM trueup.suspects');
});

describe('the verdict', () => {
  const survey = (
    suspects: number,
    wallets: number,
    largestDelta = 5n,
  ): Parameters<typeof judge>[1] => ({
    suspects,
    wallets,
    largestDelta,
  });

  test.each<[string, Parameters<typeof railsOf>[0], Parameters<typeof judge>[1], string | null]>([
    ['as many as allowed', { maxRepairs: 5 }, survey(5, 10), null],
    ['one more', { maxRepairs: 5 }, survey(6, 10), '--max-repairs 6'],
    ['none allowed', { maxRepairs: 0 }, survey(1, 10), '--max-repairs 1'],
    ['just the part', { maxRepairRatio: 0.05 }, survey(50, 1_000), null],
    ['more than the part', { maxRepairRatio: 0.05 }, survey(51, 1_000), '--max-repair-ratio 5.1%'],
    ['a third', { maxRepairRatio: 0.05 }, survey(1, 3), '--max-repair-ratio 33.34%'],
    ['nothing looked at', { maxRepairRatio: 0 }, survey(0, 0), null],
    ['just the coins', { maxDelta: 5n }, survey(1, 1, 5n), null],
    ['one coin more', { maxDelta: 5n }, survey(1, 1, 6n), '--max-delta 6'],
    [
      'all three',
      { maxRepairs: 1, maxRepairRatio: 0.1, maxDelta: 1n },
      survey(5, 10, 9n),
      '--max-repairs 5 --max-repair-ratio 50% --max-delta 9',
    ],
    ['unattended, a hundred', { unattended: true }, survey(100, 100), null],
    ['unattended, more', { unattended: true }, survey(101, 101), '--max-repair-ratio 100%'],
    ['unattended, of many', { unattended: true }, survey(5_000, 100_000), null],
    [
      'unattended, of many, more',
      { unattended: true },
      survey(5_001, 100_000),
      '--max-repair-ratio 5.01%',
    ],
    [
      'unattended, with a part',
      { unattended: true, maxRepairRatio: 0.5 },
      survey(6, 10),
      '--max-repair-ratio 60%',
    ],
  ])('%s', (_, asked, seen, override) => {
    const rails = railsOf(asked);
    expect(rails === null ? 'no rails' : (judge(rails, seen)?.override ?? null)).toBe(override);
    // With what it says, it goes on.
    if (override === null) return;
    const given = (name: string): string | undefined =>
      new RegExp(`--max-${name} ([\\d.]+)`).exec(override)?.[1];
    const [repairs, part, coins] = [given('repairs'), given('repair-ratio'), given('delta')];
    const looser = railsOf({
      ...asked,
      ...(repairs === undefined ? {} : { maxRepairs: Number(repairs) }),
      ...(part === undefined ? {} : { maxRepairRatio: Number(part) / 100 }),
      ...(coins === undefined ? {} : { maxDelta: BigInt(coins) }),
    });
    expect(looser === null ? null : judge(looser, seen)).toBeNull();
  });

  test('there are none unless they are asked for', () => {
    expect([railsOf({}), railsOf({ unattended: false })]).toEqual([null, null]);
  });
});

/** 7 wallets can be repaired (one of which the database refuses), by 72 coins at most. */
describe('a run', () => {
  test.each<[string, ReconcileOptions]>([
    ['max_repairs', { maxRepairs: 6 }],
    ['max_repair_ratio', { maxRepairRatio: 0.5 }],
    ['max_delta', { maxDelta: 71 }],
  ])('that %s stops has written nothing, and goes on with other rails', async (rail, rails) => {
    const expected = countsOf(await trueup.reconcile({ all: true, batchSize: 4 }));
    await drifted.reset();
    const before = [await drifted.caches(), await drifted.ledger(), await drifted.versions()];
    const foretold = await trueup.reconcile({ all: true, dryRun: true, batchSize: 4, ...rails });
    const stopped = await trueup.reconcile({ all: true, batchSize: 4, ...rails });
    expect(foretold).toMatchObject({
      ...{ incomplete: null, exitStatus: 2 },
      rail: { rail, message: stopped.rail?.message },
    });
    expect(foretold.rail?.override).toMatch(/^trueup reconcile --max-/);
    expect(stopped).toMatchObject({
      ...{ incomplete: 'rail', exitStatus: 4, checked: 12, repaired: 0, drifted: 10 },
      rail: { rail },
    });
    expect([await drifted.caches(), await drifted.ledger(), await drifted.versions()]).toEqual(
      before,
    );
    expect(await drifted.records(stopped.runId)).toEqual({ repairs: [], findings: [] });
    expect(
      await db.rows('SELECT state, exit_status, error FROM trueup.runs WHERE id = $1', [
        stopped.runId,
      ]),
    ).toEqual([{ state: 'stopped', exit_status: 4, error: stopped.rail?.message }]);

    // Its own rails hold, whoever resumes it, until others are given.
    expect(await trueup.reconcile({ resume: true })).toMatchObject({ incomplete: 'rail' });
    const looked: number[] = [];
    const done = await trueup.reconcile({
      resume: stopped.runId,
      ...{ maxRepairs: 7, maxRepairRatio: 0.6, maxDelta: 72 },
      onProgress: ({ checked }) => looked.push(checked),
    });
    expect(done).toMatchObject({ runId: stopped.runId, resumed: 2, incomplete: null });
    expect(countsOf(done)).toEqual(expected);
    expect(new Set(looked)).toEqual(new Set([12]));
  });

  test('within its rails repairs as one without them', async () => {
    const expected = await trueup.reconcile({ all: true });
    const records = await drifted.records(expected.runId);
    const caches = await drifted.caches();
    await drifted.reset();
    const railed = await trueup.reconcile({
      ...{ all: true, batchSize: 5, maxRepairs: 7, maxRepairRatio: 1, maxDelta: 72n },
    });
    expect(countsOf(railed)).toEqual(countsOf(expected));
    expect(railed.exitStatus).toBe(expected.exitStatus);
    expect(await drifted.records(railed.runId)).toEqual(records);
    expect(await drifted.caches()).toBe(caches);
  });

  test('sees a suspect that is right by now, and leaves it', async () => {
    const stopped = await trueup.reconcile({ all: true, maxRepairs: 6 });
    await db.run('UPDATE app.wallet SET balance = 9 WHERE id = 1');
    const done = await trueup.reconcile({ resume: stopped.runId, maxRepairs: 7 });
    expect(done).toMatchObject({ drifted: 10, repaired: 9 });
  });

  test('a cache that holds no number breaks every rail of coins', async () => {
    await db.run(`UPDATE app.profile SET shown = 'NaN' WHERE id = 102`);
    const most = { all: true, maxDelta: 10n ** 29n };
    const foretold = await trueup.reconcile({ ...most, dryRun: true });
    const stopped = await trueup.reconcile(most);
    expect(stopped).toMatchObject({ rail: { rail: 'max_delta' }, exitStatus: 4 });
    expect(foretold.rail?.message).toBe(stopped.rail?.message);
    const [, coins = ''] = /--max-delta (\d+)/.exec(stopped.rail?.override ?? '') ?? [];
    expect(await trueup.reconcile({ resume: true, maxDelta: BigInt(coins) })).toMatchObject({
      repaired: 11,
      incomplete: null,
    });
  });

  test('unattended repairs up to a hundred wallets, whatever part they are', async () => {
    expect(await trueup.reconcile({ all: true, unattended: true })).toMatchObject({ repaired: 10 });
    await db.run(`
      INSERT INTO app.wallet (id, balance, earned) SELECT n, 1, 0 FROM generate_series(1001, 1101) n;
      INSERT INTO app.ledger (wallet_id, amount, after) SELECT n, 5, 5 FROM generate_series(1001, 1101) n`);
    const stopped = await trueup.reconcile({ all: true, unattended: true });
    expect(stopped).toMatchObject({
      rail: {
        rail: 'max_repair_ratio',
        message: expect.stringMatching(/of 113 .* 5% \(or 100\)/) as string,
      },
      exitStatus: 4,
    });
    expect(
      await db.value('SELECT unattended FROM trueup.runs WHERE id = $1', [stopped.runId]),
    ).toBe(true);
  });
});

test.each<[object]>([
  [{ maxRepairs: -1 }],
  [{ maxRepairs: 1.5 }],
  [{ maxRepairRatio: 5 }],
  [{ maxRepairRatio: -0.1 }],
  [{ maxRepairRatio: Number.NaN }],
  [{ maxRepairRatio: '5%' }],
  [{ maxDelta: -1 }],
  [{ maxDelta: 1.5 }],
  [{ maxDelta: 'much' }],
  [{ unattended: 'yes' }],
  [{ jobs: 0 }],
  [{ jobs: 17 }],
  [{ resume: 7 }],
])('%j is refused before anything is sent', async (wrong) => {
  await expect(trueup.reconcile({ all: true, ...wrong })).rejects.toMatchObject({
    code: 'invalid_argument',
  });
  expect(await db.value('SELECT count(*) FROM trueup.runs')).toBe('0');
});

test('the program ends with status 4, and the command that it names goes on', async () => {
  const stopped = await runTrueup(
    ['reconcile', '--all', '--max-repairs', '3', '--max-delta', '5', '--json', '--config', config],
    { databaseUrl: db.url },
  );
  expect(stopped.status).toBe(4);
  expect(stopped.json()).toMatchObject([{ type: 'summary', incomplete: 'rail', exitStatus: 4 }]);
  const [, command = ''] = /^ {2}trueup (reconcile --resume .*)$/m.exec(stopped.stderr) ?? [];
  expect(command).toContain('--max-repairs 7 --max-delta 72');
  const done = await runTrueup([...command.split(' '), '--json'], { databaseUrl: db.url });
  expect(done.status).toBe(1); // Wallet 8 is refused by the database.
  expect(done.ofType('summary')).toMatchObject([{ repaired: 10, resumed: 1, incomplete: null }]);
});
