import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { COUNTS, forget, insertFinding, insertRun, LEDGER } from '../operations/records.js';
import { countingPort, runTrueup } from '../support/cli.js';
import { createDatabase } from '../support/database.js';

/** `trueup status` at a terminal, in a pipe, and for programs. */

const db = await createDatabase('own');
const PROGRAM = resolve(import.meta.dirname, '../../bin/trueup.mjs');
beforeEach(() => forget(db));

const status = (...flags: string[]) => runTrueup(['status', ...flags], { databaseUrl: db.url });

/** A time as status writes it. */
function written(runId: string, column: 'started_at' | 'finished_at'): Promise<string> {
  return db.value(
    `SELECT to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"') FROM trueup.runs WHERE id = $1`,
    [runId],
  );
}

/** A ledger with something to say on every line; the ages are far from where their words change. */
async function busyLedger(): Promise<readonly string[]> {
  const user = await db.value('SELECT session_user');
  const last = await insertRun(db, {
    ...{ exitStatus: 2, startedAge: 3 * 3_600 + 1_900, finishedAge: 3 * 3_600 + 1_800 },
    ...{ host: 'db1', counts: { ...COUNTS, checked: 1_203_554, findings: 6, exitStatus: 2 } },
  });
  await insertFinding(db, { runId: last, delta: '-1200' });
  await insertFinding(db, { runId: last, state: 'review', part: 'profile', cause: 'direct_write' });
  const pid = await db.value<number>(
    `SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'`,
  );
  const now = await insertRun(db, {
    ...{ scope: 'incremental', state: 'running', exitStatus: null, counts: null },
    ...{ startedAge: 1_530, finishedAge: null, heartbeatAge: 0, backend: pid },
    ...{ host: 'db2', process: 77, progress: { checked: 412_000, total: 1_203_554 } },
    ...{ control: 'pause', waiting: 'replica lag of 3.1 s' },
  });
  await db.run(
    `INSERT INTO trueup.verified_ranges (ledger, wallets, coins, verified_at, run_id)
     SELECT $1, 1203554, 5000, finished_at, id FROM trueup.runs WHERE id = $2`,
    [LEDGER, last],
  );
  await db.run(
    `INSERT INTO trueup.sync_failures (ledger, wallet_id, profile_id, sqlstate, message, failed_at)
     VALUES ($1, '1', '1', '22003', 'x', now() - interval '10 minutes 30 seconds')`,
    [LEDGER],
  );
  const ended = await written(last, 'finished_at');
  return [
    '"trueup"."entries": DRIFT IS OPEN',
    '  1 finding could not be repaired',
    '    -> trueup explain --wallet-id 1',
    '  waiting for approval by a person: 1 finding of 50 coins in all',
    `    -> trueup runs show ${last}, then trueup runs approve ${last} --all (or --wallet-id ID)`,
    '',
    `last run          ${ended}, 3 hours ago: run finished with status 2`,
    `                  ${last} by ${user} on db1`,
    '                  checked 1,203,554  drifted 3  findings 6  repaired 4  skipped 0  errors 0',
    `last success      ${ended}, 3 hours ago`,
    'verified          100 % of the wallets, 100 % of the coins, within 7 days',
    '                  1,203,554 of 1,203,554 wallets',
    `oldest unverified since ${ended}, 3 hours ago`,
    'open findings     1 finding, wallet balance, 1,200 coins, no history, not repairable',
    '                  1 finding, profile balance, 50 coins, direct write, waits for approval',
    'sync failures     1 waiting, the oldest for 10 minutes',
    'deferred marks    none waiting',
    'watermark         ...',
    `under way         run ${now} since ${await written(now, 'started_at')}, 25 minutes`,
    `                  by ${user} on db2, process 77`,
    '                  checked 412,000 of 1,203,554, 34.2 %',
    '                  told to pause',
    '                  waits: replica lag of 3.1 s',
  ];
}

/** Other tests on the same server may hold the watermark back. */
const withoutWatermark = (text: string): string => text.replace(/^(watermark +).*$/m, '$1...');

describe('for people', () => {
  test('all is well: the verdict, and every fact on a line; status 0', async () => {
    const runId = await insertRun(db, { startedAge: 3_700, finishedAge: 3_690 });
    const ended = await written(runId, 'finished_at');
    const user = await db.value('SELECT session_user');
    const run = await status();
    expect({ ...run, stdout: withoutWatermark(run.stdout) }).toMatchObject({
      status: 0,
      stderr: '',
      stdout: `"trueup"."entries": all is well

last run          ${ended}, 61 minutes ago: run finished with status 0
                  ${runId} by ${user}
                  checked 1,000  drifted 3  findings 4  repaired 4  skipped 0  errors 0
last success      ${ended}, 61 minutes ago
verified          no run has recorded which wallets it verified
open findings     none
sync failures     none waiting
deferred marks    none waiting
watermark         ...
under way         nothing
`,
    });
  });

  test('a busy ledger in a pipe, byte for byte', async () => {
    const expected = await busyLedger();
    const run = await status();
    expect(run).toMatchObject({ status: 2, stderr: '' });
    expect(withoutWatermark(run.stdout)).toBe(`${expected.join('\n')}\n`);
  });

  test.skipIf(process.platform !== 'linux')('and at a terminal: the same', async () => {
    const expected = await busyLedger();
    const command = `"${process.execPath}" "${PROGRAM}" status --database-url "${db.url}"`;
    const run = spawnSync('script', ['-qec', command, '/dev/null'], { encoding: 'utf8' });
    expect(run.status).toBe(2);
    expect(withoutWatermark(run.stdout.replaceAll('\r\n', '\n'))).toBe(`${expected.join('\n')}\n`);
  });
});

describe('for programs', () => {
  test('--json is one object; amounts and times are text', async () => {
    await busyLedger();
    const run = await status('--json');
    expect(run).toMatchObject({ status: 2, stderr: '' });
    const [object, ...others] = run.json();
    expect(others).toEqual([]);
    expect(object).toMatchObject({
      type: 'status',
      ledger: LEDGER,
      exitStatus: 2,
      lastRun: { state: 'finished', endedAt: expect.stringMatching(/^\d{4}-.*Z$/) as string },
      review: { findings: 1, coins: '50' },
      underWay: { control: 'pause' },
    });
  });

  test('--prometheus ends with 0 whatever it tells, so that a scrape is kept', async () => {
    await busyLedger();
    const run = await status('--prometheus');
    expect(run).toMatchObject({ status: 0, stderr: '' });
    expect(run.stdout).toContain(
      `# TYPE trueup_status gauge\ntrueup_status{ledger="\\"trueup\\".\\"entries\\""} 2\n`,
    );
  });

  test('--max-age', async () => {
    await insertRun(db, { startedAge: 3_700, finishedAge: 3_600 });
    expect(await status('--max-age', '2h')).toMatchObject({ status: 0 });
    const run = await status('--max-age', '30m');
    expect(run.status).toBe(3);
    expect(run.lines().slice(0, 3)).toEqual([
      '"trueup"."entries": INCOMPLETE',
      '  the last complete check is 60 minutes old, more than 30 minutes',
      '    -> trueup reconcile --all',
    ]);
  });

  test('a run that failed: 1; one that a rail stopped: 4', async () => {
    await insertRun(db, { state: 'stopped', exitStatus: 4, finishedAge: 60, error: 'too many' });
    expect(await status()).toMatchObject({ status: 4 });
    await insertRun(db, { state: 'failed', exitStatus: 1, finishedAge: 30, error: 'disk full' });
    expect(await status()).toMatchObject({ status: 1 });
  });

  test.each([
    ['--max-age', 'soon'],
    ['--max-age', '0h'],
    ['--cycle', '7'],
    ['--json', '--prometheus'],
  ])('%s %s is wrong usage, and nothing is connected', async (...flags) => {
    const port = await countingPort();
    const run = await runTrueup(['status', ...flags], { databaseUrl: port.url });
    expect(run).toMatchObject({ status: 64, stdout: '' });
    expect(port.connections()).toBe(0);
    await port.close();
  });
});
