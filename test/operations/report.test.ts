import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Finding } from '../../src/index.js';
import { runTrueup } from '../support/cli.js';
import { createDatabase } from '../support/database.js';
import { csvObjects, folderOfFiles } from './files.js';
import { forget, insertFinding, insertRun, LEDGER } from './records.js';

/** Reports as CSV and JSON, of dry runs and of recorded ones, and how files are written. */

const db = await createDatabase('own');
const trueup = await db.trueup();
const folder = folderOfFiles();

/** Ids that do harm where somebody forgets to escape them. */
const USERS = [
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  "'; DROP TABLE x; --",
  '=HYPERLINK("http://evil","x")',
  '@SUM(1)',
  'a,b\r\n"c"',
];

beforeAll(async () => {
  for (const userId of USERS) {
    const walletId = await trueup.openWallet({ userId });
    await trueup.credit({ walletId, amount: 1_000, reason: 'winner' });
  }
});

beforeEach(async () => {
  await forget(db);
  await db.run('UPDATE trueup.wallets SET balance = 1007');
  await db.run('UPDATE trueup.profiles SET balance = 0');
});

const isRight = () =>
  db.value<boolean>(
    'SELECT bool_and(w.balance = 1000 AND p.balance = 1000) FROM trueup.wallets w JOIN trueup.profiles p ON p.id = w.profile_id',
  );

describe('of a dry run', () => {
  test('CSV has every finding, in their order, with ids as they are and no formula', async () => {
    const told: Finding[] = [];
    await trueup.reconcile({
      ...{ all: true, dryRun: true, report: folder.path('dry.csv') },
      onFinding: (finding) => told.push(finding),
    });
    expect(told).toHaveLength(12);
    const rows = csvObjects(folder.text('dry.csv'));
    const asText = (id: string | null): string =>
      id !== null && /^[=@]/.test(id) ? `'${id}` : (id ?? '');
    expect(rows).toEqual(
      told.map((finding) => ({
        ...{ state: 'found', user_id: asText(finding.userId), wallet_id: finding.walletId },
        ...{ profile_id: finding.profileId, part: finding.part, field: finding.field },
        ...{ cached: finding.cached, expected: finding.expected, delta: finding.delta },
        ...{ cause: finding.cause, message: '', at: '', run_id: '' },
      })),
    );
    expect(new Set(rows.map(({ delta }) => delta))).toEqual(new Set(['-7', '1000']));
  });

  test('what a run would leave for people waits for them', async () => {
    await trueup.reconcile({
      ...{ all: true, dryRun: true, reviewOver: 100, report: folder.path('review.csv') },
    });
    const rows = csvObjects(folder.text('review.csv'));
    expect(new Set(rows.map(({ state }) => state))).toEqual(new Set(['review']));
  });

  test('JSON has them too, with the run and the totals', async () => {
    const summary = await trueup.reconcile({
      ...{ all: true, dryRun: true, report: folder.path('dry.json') },
    });
    const report = JSON.parse(folder.text('dry.json')) as Record<string, unknown>;
    expect(report).toMatchObject({
      ...{ type: 'report', version: 1 },
      run: {
        ...{ runId: summary.runId, ledger: LEDGER, dryRun: true, state: 'finished' },
        ...{ startedBy: await db.value('SELECT session_user'), exitStatus: 2 },
        ...{ counts: { checked: 6, drifted: 6, repaired: 0 }, options: { all: true } },
      },
      totals: {
        ...{ findings: 12, states: { found: 12 }, unsized: 0 },
        parts: [
          { name: 'profile.balance', findings: 6, gross: '6000', net: '6000' },
          { name: 'wallet.balance', findings: 6, gross: '42', net: '-42' },
        ],
        sizes: [
          { from: '1', findings: 6 },
          { from: '10', findings: 0 },
          { from: '100', findings: 0 },
          { from: '1000', findings: 6 },
        ],
      },
    });
    expect(report['findings']).toHaveLength(12);
    expect(new Set((report['findings'] as Finding[]).map(({ userId }) => userId))).toEqual(
      new Set(USERS),
    );
    expect(await isRight()).toBe(false);
  });
});

describe('of a run on record', () => {
  test('what was repaired, before and after; again from the record, by its id and as the last', async () => {
    const { runId } = await trueup.reconcile({ all: true, report: folder.path('run.csv') });
    expect(await isRight()).toBe(true);
    const rows = csvObjects(folder.text('run.csv'));
    expect(rows).toHaveLength(12);
    for (const row of rows) {
      expect(row).toMatchObject({ state: 'repaired', expected: '1000', run_id: runId });
      expect(row).toMatchObject(
        row['part'] === 'wallet' ? { cached: '1007', delta: '-7' } : { cached: '0', delta: '1000' },
      );
      expect(row['at']).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/);
    }
    const reader = await db.trueup({ readOnly: true });
    for (const run of [runId, runId.toUpperCase(), runId.slice(0, 6), 'last']) {
      const file = folder.path('again.csv');
      expect(await reader.writeReport({ run, file })).toMatchObject({ runId, state: 'finished' });
      expect(folder.text('again.csv')).toBe(folder.text('run.csv'));
    }
  });

  test('what it left: for review, skipped, refused', async () => {
    const runId = await insertRun(db, { exitStatus: 1, unattended: true });
    await insertFinding(db, { runId, state: 'review', delta: '-12000.5', cause: 'direct_write' });
    const bare = {
      part: null,
      field: null,
      cached: null,
      expected: null,
      delta: null,
      cause: null,
    };
    await insertFinding(db, { runId, ...bare, state: 'skipped', message: '=locked' });
    await insertFinding(db, { runId, ...bare, state: 'failed', message: 'numeric overflow' });
    await insertFinding(db, { runId: await insertRun(db, { finishedAge: 9_000 }) });
    await trueup.writeReport({ run: runId, file: folder.path('left.json') });
    const report = JSON.parse(folder.text('left.json')) as { findings: object[] };
    expect(report).toMatchObject({
      run: { unattended: true, dryRun: false },
      totals: { findings: 1, states: { review: 1, skipped: 1, failed: 1 } },
    });
    expect(report.findings).toHaveLength(3);
    await trueup.writeReport({ run: runId, file: folder.path('left.csv') });
    const messages = csvObjects(folder.text('left.csv')).map(({ message }) => message);
    expect(messages).toEqual(['', "'=locked", 'numeric overflow']);
  });

  test('what the survey of a run saw that a rail has stopped, also as that run writes it', async () => {
    const file = folder.path('stopped.csv');
    const { runId, exitStatus } = await trueup.reconcile({
      all: true,
      maxRepairs: 1,
      report: file,
    });
    expect(exitStatus).toBe(4);
    const users = csvObjects(folder.text('stopped.csv')).map((row) => row['user_id']);
    expect(users).toHaveLength(USERS.length);
    await trueup.writeReport({ run: runId, file: folder.path('again.csv') });
    expect(folder.text('again.csv')).toBe(folder.text('stopped.csv'));
  });

  test('one that nobody knows, or of another ledger, is refused', async () => {
    const other = await insertRun(db, { ledger: '"app"."ledger"' });
    const unknown = '00000000-0000-4000-8000-000000000000';
    for (const run of [other, unknown, 'first', "' OR true --", 'last']) {
      const file = folder.path('none.csv');
      await expect(trueup.writeReport({ run, file })).rejects.toMatchObject({
        code: 'run_not_found',
      });
    }
    expect(folder.names()).not.toContain('none.csv');
  });
});

describe('the file', () => {
  test('that cannot be written stops a run before it has done anything', async () => {
    mkdirSync(folder.path('a-folder.csv'), { recursive: true });
    writeFileSync(folder.path('a-file'), '');
    const wrong = ['none/x.csv', 'a-folder.csv', 'a-file/x.html'];
    for (const dryRun of [false, true]) {
      for (const name of wrong) {
        const report = folder.path(name);
        await expect(trueup.reconcile({ all: true, dryRun, report })).rejects.toMatchObject({
          code: 'file_unwritable',
          message: expect.stringContaining(report) as string,
        });
      }
      const report = folder.path('x.txt');
      await expect(trueup.reconcile({ all: true, dryRun, report })).rejects.toMatchObject({
        code: 'invalid_argument',
      });
    }
    expect(await isRight()).toBe(false);
    expect(await db.value('SELECT count(*)::text FROM trueup.runs')).toBe('0');
  });

  test('is there as a whole or not at all: a run that fails leaves what was there before', async () => {
    writeFileSync(folder.path('kept.csv'), 'before');
    await expect(
      trueup.reconcile({
        ...{ all: true, dryRun: true, report: folder.path('kept.csv') },
        onFinding: () => {
          throw new Error('on purpose');
        },
      }),
    ).rejects.toThrow('on purpose');
    expect(folder.text('kept.csv')).toBe('before');
    expect(folder.names().filter((name) => name.startsWith('.'))).toEqual([]);
  });

  test('a link stays one, and what it leads to is replaced', async () => {
    writeFileSync(folder.path('target.csv'), 'before');
    symlinkSync(folder.path('target.csv'), folder.path('link.csv'));
    await trueup.reconcile({ all: true, dryRun: true, report: folder.path('link.csv') });
    expect(csvObjects(folder.text('target.csv'))).toHaveLength(12);
    expect(folder.names().filter((name) => name.startsWith('.'))).toEqual([]);
  });
});

test('a quarter of a million findings, in a heap that holds none of them', async () => {
  const runId = await insertRun(db);
  await db.run(
    `INSERT INTO trueup.findings (run_id, ledger, wallet_id, user_id, state, part, field, cached, expected, delta, cause)
     SELECT $1, $2, n::text, 'user ' || n, 'reported', 'wallet', 'balance', n::text, '0', -n, 'unknown'
       FROM generate_series(1, 250000) AS n`,
    [runId, LEDGER],
  );
  const write = async (name: string): Promise<string> => {
    const run = await runTrueup(['report', 'last', folder.path(name)], {
      databaseUrl: db.url,
      env: { NODE_OPTIONS: '--max-old-space-size=32' },
    });
    expect(run).toMatchObject({ status: 0, stdout: '' });
    return folder.text(name);
  };
  expect((await write('many.csv')).split('\r\n')).toHaveLength(250_002);
  expect(JSON.parse(await write('many.json'))).toMatchObject({
    totals: { findings: 250_000, causes: [{ name: 'unknown', gross: '31250125000' }] },
  });
  expect(await write('many.html')).toContain('100 of 250,000');
}, 300_000);
