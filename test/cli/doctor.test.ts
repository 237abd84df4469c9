import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { CHECK_IDS } from '../../src/index.js';
import { runTrueup } from '../support/cli.js';
import { createDatabase } from '../support/database.js';

/** `trueup doctor` at a terminal, in a pipe, and for programs. */

const db = await createDatabase('own');
const PROGRAM = resolve(import.meta.dirname, '../../bin/trueup.mjs');

describe('all is well', () => {
  test('JSON Lines: each check with every key, and a summary at the end', async () => {
    const run = await runTrueup(['doctor', '--json'], { databaseUrl: db.url });
    expect(run).toMatchObject({ status: 0, stderr: '' });
    const checks = run.ofType('check');
    expect(checks.map(({ id }) => id)).toEqual(CHECK_IDS);
    for (const check of checks) {
      expect(Object.keys(check).sort()).toEqual(['id', 'level', 'remedy', 'type', 'what', 'why']);
    }
    expect(run.json().at(-1)).toEqual({
      type: 'summary',
      ledger: '"trueup"."entries"',
      ok: CHECK_IDS.length - 1,
      info: 1,
      warning: 0,
      error: 0,
      unknown: 0,
      exitStatus: 0,
    });
  });

  test('in a pipe every check is one line, aligned', async () => {
    const lines = (await runTrueup(['doctor'], { databaseUrl: db.url })).lines();
    expect(lines).toHaveLength(CHECK_IDS.length + 1);
    expect(lines[0]).toMatch(/^ok {7}server_version {8}PostgreSQL \d/);
    const widths = lines.slice(0, -1).map((line) => /^\w+ +\w+ +/.exec(line)?.[0].length);
    expect(new Set(widths).size).toBe(1);
    expect(lines.at(-1)).toMatch(
      /^"trueup"."entries": ok \d+ {2}info 1 {2}warnings 0 {2}errors 0 {2}not checked 0$/,
    );
  });
});

describe('something is amiss', () => {
  test('one line with what, why and the command in a pipe; status 2', async () => {
    await db.run('ALTER TABLE trueup.entries DISABLE TRIGGER trueup_sync');
    const run = await runTrueup(['doctor'], { databaseUrl: db.url });
    expect(run.status).toBe(2);
    expect(run.lines()).toContainEqual(
      expect.stringMatching(
        /^error {4}trigger_enabled +trigger trueup_sync of .* is disabled {2}\| {2}why: .* {2}\| {2}mend: trueup sync install --guard refuse$/,
      ),
    );
  });

  test.skipIf(process.platform !== 'linux')(
    'at a terminal, why and the command stand below',
    () => {
      const command = `"${process.execPath}" "${PROGRAM}" doctor --database-url "${db.url}"`;
      const { stdout } = spawnSync('script', ['-qec', command, '/dev/null'], { encoding: 'utf8' });
      const lines = stdout.split(/\r?\n/);
      const at = lines.findIndex((line) => line.includes('is disabled'));
      expect(lines.slice(at, at + 3)).toEqual([
        expect.stringMatching(/^error {4}trigger_enabled .*is disabled$/),
        expect.stringMatching(/^ {31}why: /),
        expect.stringMatching(/^ {31}mend: trueup sync install --guard refuse$/),
      ]);
    },
  );

  test('a check can be left out, and one that does not exist is wrong usage', async () => {
    const skip = (id: string): string[] => ['doctor', '--skip', id];
    expect(await runTrueup(skip('trigger_enabled'), { databaseUrl: db.url })).toMatchObject({
      status: 0,
    });
    const wrong = await runTrueup(skip('triggers'), { databaseUrl: db.url });
    expect(wrong).toMatchObject({ status: 64, stdout: '' });
    expect(wrong.stderr).toContain('There is no such check');
  });
});

describe('nothing can be checked', () => {
  test('no server, or no schema: status 1', async () => {
    const nowhere = await runTrueup(['doctor'], { databaseUrl: 'postgres://nobody@127.0.0.1:1/x' });
    expect(nowhere).toMatchObject({ status: 1, stdout: '' });
    await db.run('DROP SCHEMA trueup CASCADE');
    const run = await runTrueup(['doctor', '--json'], { databaseUrl: db.url });
    expect(run.status).toBe(1);
    expect(run.ofType('check').map(({ id, level, remedy }) => [id, level, remedy])).toEqual([
      ['schema', 'error', 'trueup migrate'],
      ['migrations', 'ok', null],
      ['mapping', 'error', 'trueup migrate'],
    ]);
    expect(await db.value(`SELECT to_regnamespace('trueup') IS NULL`)).toBe(true);
  });
});
