import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { runTrueup, startTrueup } from '../support/cli.js';
import { createDatabase, WAITING } from '../support/database.js';
import { Drifted } from '../support/drifted.js';
import { build } from '../support/program.js';
import { STACK_TRACE, temporaryFolder, writeConfig } from './fixture.js';

/** Signals and flags of runs that can be resumed, as a person at a terminal meets them. */

const db = await createDatabase('empty');
const drifted = await Drifted.create(db);
const config = writeConfig(temporaryFolder(), 'my mapping.json', drifted.mapping);
const program = { databaseUrl: db.url };
beforeAll(async () => {
  build();
  await db.trueup({ config: drifted.mapping });
});
beforeEach(async () => {
  await drifted.reset();
  await db.run('DELETE FROM trueup.runs');
});

const ALL = ['reconcile', '--all', '--batch-size', '2', '--config', config];

/** A run that waits for the test: somebody holds wallet 7, and with it the fourth batch. */
async function waiting(flags: readonly string[] = []): Promise<{
  readonly run: ReturnType<typeof startTrueup>;
  readonly release: () => Promise<unknown>;
}> {
  const lock = await db.connect();
  // A test that fails must not leave the lock to those after it.
  onTestFinished(() => lock.query('ROLLBACK').then(() => undefined));
  await lock.query('BEGIN; SELECT FROM app.wallet WHERE id = 7 FOR UPDATE');
  const run = startTrueup([...ALL, ...flags], program);
  await expect.poll(() => db.rows(WAITING), { timeout: 20_000 }).not.toEqual([]);
  return { run, release: () => lock.query('ROLLBACK') };
}

describe('a signal', () => {
  test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    '%s finishes the batch and says how to go on, and that does',
    async (signal) => {
      const { run, release } = await waiting();
      run.child.kill(signal);
      await run.saw('stderr', 'once more stops at once');
      await release();
      const ended = await run.ended;
      expect(ended.status).toBe(1); // Wallet 8, which the database refuses, outranks being incomplete.
      expect(ended.lines().at(-1)).toContain('incomplete: interrupted');
      expect(ended.stdout).not.toContain('all that drifted');
      const id = await db.value('SELECT id FROM trueup.runs');
      expect(ended.stderr).toContain(
        `It goes on where it stopped with:\n  trueup reconcile --resume ${id} --config '${config}'\n`,
      );
      expect(await db.rows('SELECT state, exit_status FROM trueup.runs')).toEqual([
        { state: 'interrupted', exit_status: 1 },
      ]);
      const next = await runTrueup(
        ['reconcile', '--resume', id, '--json', '--config', config],
        program,
      );
      expect(next.ofType('summary')).toMatchObject([
        { runId: id, resumed: 1, checked: 12, repaired: 10, findings: 19, incomplete: null },
      ]);
      expect(next.stderr).not.toContain('--resume');
    },
  );

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)(
    'a second %s ends it at once with %i, and it can be resumed all the same',
    async (signal, status) => {
      const { run, release } = await waiting(['--json']);
      run.child.kill(signal);
      await run.saw('stderr', 'once more stops at once');
      run.child.kill(signal);
      const ended = await run.ended;
      expect(ended.status).toBe(status);
      expect(ended.ofType('summary')).toEqual([]);
      expect(ended.stderr).not.toMatch(STACK_TRACE);
      await release();
      await expect
        .poll(
          () =>
            db.value(
              `SELECT count(*)::text FROM pg_stat_activity WHERE application_name = 'trueup reconcile'`,
            ),
          { timeout: 20_000 },
        )
        .toBe('0');
      const next = await runTrueup(
        ['reconcile', '--resume', '--json', '--config', config],
        program,
      );
      expect(next.ofType('summary')).toMatchObject([
        { resumed: 1, checked: 12, repaired: 10, findings: 19 },
      ]);
    },
  );
});

test('a second run is refused with status 1, the code, and the run that is in its way', async () => {
  const { run, release } = await waiting();
  const second = await runTrueup(ALL, program);
  const id = await db.value('SELECT id FROM trueup.runs');
  expect(second).toMatchObject({ status: 1, stdout: '' });
  expect(second.stderr).toContain(`run ${id} is under way`);
  expect(second.stderr).toContain('[run_under_way]');
  expect(second.stderr).toContain(`trueup runs show ${id}`);
  await release();
  expect((await run.ended).status).toBe(1); // Wallet 8 is refused by the database.
});

test('--limit says how to go on; a dry run has nothing to go on with', async () => {
  const limited = await runTrueup([...ALL, '--limit', '5'], program);
  expect(limited.stderr).toMatch(/^ {2}trueup reconcile --resume [0-9a-f-]{36} --config /m);
  const dry = await runTrueup([...ALL, '--limit', '5', '--dry-run'], program);
  expect(dry.stderr).not.toContain('--resume');
});

test('missing triggers are told on stderr, but not by a dry run', async () => {
  const run = await runTrueup(ALL, program);
  expect(run.stderr).toMatch(
    /^warning: the sync triggers of "app"\."ledger" are not there: .*\[sync_missing\]$/m,
  );
  expect(run.stderr).toContain('trueup sync install');
  expect((await runTrueup([...ALL, '--dry-run'], program)).stderr).toBe('');
});

describe('ids from stdin', () => {
  const PROGRAM = resolve(import.meta.dirname, '../../bin/trueup.mjs');
  const piped = (
    input: string,
    ...more: string[]
  ): Promise<{ status: number | null; out: string; err: string }> =>
    new Promise((settle) => {
      const child = spawn(
        process.execPath,
        [PROGRAM, 'reconcile', '--json', '--config', config, ...more],
        {
          env: { PATH: process.env['PATH'] ?? '', DATABASE_URL: db.url },
        },
      );
      let [out, err] = ['', ''];
      child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
      child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
      child.on('close', (status) => {
        settle({ status, out, err });
      });
      child.stdin.end(input);
    });

  test.each([
    ['one a line', '1\n3\n', ['--user-id', '-'], 2],
    ['blank lines, other line ends, none at the end', '\r\n 1\r\n\n3', ['--user-id', '-'], 2],
    ['beside others', '1\n3\n', ['--user-id', '-', '--user-id', '4'], 3],
    ['the same again', '1\n1\n1\n', ['--user-id', '-', '--user-id', '1'], 1],
  ])('%s', async (_, input, flags, checked) => {
    const { status, out } = await piped(input, ...flags);
    expect(status).toBe(0);
    expect(JSON.parse(out.trim().split('\n').at(-1) ?? '')).toMatchObject({
      type: 'summary',
      checked,
    });
  });

  test('nothing is wrong usage, and an unknown user is told', async () => {
    const empty = await piped(' \n', '--user-id', '-');
    expect([empty.status, empty.err]).toEqual([64, expect.stringContaining('stdin holds no id')]);
    const unknown = await piped('1\n404\n', '--user-id', '-');
    expect([unknown.status, unknown.err]).toEqual([1, expect.stringContaining('[user_not_found]')]);
    expect(await db.value('SELECT count(*) FROM trueup.runs')).toBe('0');
  });
});
