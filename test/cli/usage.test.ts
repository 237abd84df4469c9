import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, describe, expect, inject, test } from 'vitest';
import { countingPort, listens, runTrueup } from '../support/cli.js';
import { withDatabase } from '../support/server-url.js';
import { STACK_TRACE } from './fixture.js';

/** What the program says where it was called wrongly, and where there is no database. */

const port = await countingPort();
afterAll(() => port.close());

const ALL = ['reconcile', '--all'];
const SINCE = ['reconcile', '--since-checkpoint'];

describe('wrong usage', () => {
  test.each<[string, readonly string[], RegExp]>([
    ['no command', [], /Usage: trueup .*reconcile/s],
    ['no subcommand', ['sync'], /Usage: trueup sync .*install.*status.*remove.*heal/s],
    ['an unknown command', ['mend'], /unknown command 'mend'/],
    ['a mistyped command', ['recocile', '--all'], /Did you mean reconcile\?/],
    ['an unknown subcommand', ['sync', 'mend'], /unknown command 'mend'/],
    ['an unknown option', [...ALL, '--force'], /unknown option '--force'/],
    ['a mistyped option', [...ALL, '--dryrun'], /Did you mean --dry-run\?/],
    ['an argument that is none', [...ALL, '5'], /too many arguments/],
    ['an option of another command', ['migrate', '--all'], /unknown option '--all'/],
    ['nobody to reconcile', ['reconcile'], /--all.*--user-id/],
    ['nobody to reconcile, dry', ['reconcile', '--dry-run', '--json'], /--all.*--user-id/],
    ['all and one user', [...ALL, '--user-id', '1'], /--all and --user-id exclude each other/],
    ['one user and all', ['reconcile', '--user-id', '1', '--all'], /exclude each other/],
    ['all and since', [...ALL, '--since-checkpoint'], /--all and --since-checkpoint exclude/],
    ['since and one user', [...SINCE, '--user-id', '1'], /--since-checkpoint and --user-id/],
    ['a cycle of all', [...ALL, '--cycle', '7d'], /--cycle goes with --since-checkpoint/],
    ['a cycle without unit', [...SINCE, '--cycle', '7'], /--cycle.*'7'.*90s, 15m, 2h or 7d/],
    ['a cycle beyond all time', [...SINCE, '--cycle', '9999d'], /--cycle.*ten years/],
    ['all and ids from stdin', [...ALL, '--user-id', '-'], /exclude each other/],
    ['to resume a dry run', ['reconcile', '--resume', '--dry-run'], /dry run cannot be resumed/],
    ['no jobs', [...ALL, '--jobs', '0'], /--jobs.*'0'.*from 1 up/],
    ['too many jobs', [...ALL, '--jobs', '17'], /--jobs.*'17'.*at most 16/],
    ['a rail below zero', [...ALL, '--max-repairs', '-1'], /--max-repairs.*'-1'.*from 0 up/],
    ['more than all', [...ALL, '--max-repair-ratio', '101%'], /--max-repair-ratio.*'101%'.*100%/],
    [
      'a part that is no number',
      [...ALL, '--max-repair-ratio', 'half'],
      /--max-repair-ratio.*'half'/,
    ],
    ['coins that are none', [...ALL, '--max-delta', '1.5'], /--max-delta.*'1\.5'.*coins/],
    ['a batch of 0', [...ALL, '--batch-size', '0'], /--batch-size.*'0'.*from 1 up/],
    ['a negative batch', [...ALL, '--batch-size', '-1'], /--batch-size.*'-1'.*from 1 up/],
    ['a batch of letters', [...ALL, '--batch-size', 'abc'], /--batch-size.*'abc'.*from 1 up/],
    ['a broken batch', [...ALL, '--batch-size', '1.5'], /--batch-size.*'1\.5'.*from 1 up/],
    ['a batch with an exponent', [...ALL, '--batch-size', '1e3'], /--batch-size.*'1e3'.*from 1 up/],
    ['a hexadecimal batch', [...ALL, '--batch-size', '0x10'], /--batch-size.*'0x10'.*from 1 up/],
    ['an empty mapping file', [...ALL, '--config', ''], /--config.*''.*name of a file/],
    ['a blank mapping file', ['doctor', '--config', ' '], /--config.*' '.*name of a file/],
    ['an empty file to adopt into', ['adopt', '--yes', '--output', ''], /--output.*''.*name of a/],
    ['an empty report', [...ALL, '--report', ''], /--report.*''/],
    ['an empty report of a run', ['report', 'last', ''], /''.*file/],
    ['a bench that there is not', ['bench', 'nope'], /'nope' is invalid.*adopt/],
    [
      'a scenario of another',
      ['bench', 'adopt', '--scenario', 'row'],
      /no scenario row; .*propose/,
    ],
    ['an empty plan', [...ALL, '--plan', ''], /--plan.*''.*name of a file/],
    ['an empty plan to apply', ['reconcile', '--apply', ''], /--apply.*''.*name of a file/],
    [
      'an empty mapping file to schedule',
      ['schedule', '--print', 'cron', '--config', ''],
      /--config.*''.*name of a file/,
    ],
    ['an empty batch', [...ALL, '--batch-size', ''], /--batch-size.*''.*from 1 up/],
    ['a batch beyond all numbers', [...ALL, '--batch-size', '9'.repeat(30)], /--batch-size/],
    ['a batch beyond the highest', [...ALL, '--batch-size', '1000001'], /batch.*1000000/is],
    ['a limit of 0', [...ALL, '--limit', '0'], /--limit.*'0'.*from 1 up/],
    ['a negative limit', [...ALL, '--limit', '-5'], /--limit.*'-5'.*from 1 up/],
    ['a limit without number', [...ALL, '--limit'], /--limit.*argument missing/],
    ['a batch without number', [...ALL, '--batch-size'], /--batch-size.*argument missing/],
    ['a user without id', ['reconcile', '--user-id'], /--user-id.*argument missing/],
    ['a config without file', [...ALL, '--config'], /--config.*argument missing/],
    ['a URL without URL', [...ALL, '--database-url'], /--database-url.*argument missing/],
  ])('%s: status 64, and no connection is opened', async (_, args, message) => {
    const before = port.connections();
    const run = await runTrueup(args, { databaseUrl: port.url });
    expect(run.stderr).toMatch(message);
    expect(run).toMatchObject({ status: 64, stdout: '' });
    expect(port.connections()).toBe(before);
  });

  test('the counting port does count: a right command connects', async () => {
    const before = port.connections();
    expect((await runTrueup(ALL, { databaseUrl: port.url })).status).toBe(1);
    expect(port.connections()).toBeGreaterThan(before);
  });
});

describe('help', () => {
  test.each([['--help'], ['-h'], ['help']])('%s lists the commands', async (argument) => {
    const run = await runTrueup([argument], { databaseUrl: port.url });
    expect(run).toMatchObject({ status: 0, stderr: '' });
    expect(run.stdout).toMatch(/Usage: trueup .*reconcile.*sync.*migrate/s);
  });

  test('reconcile --help names every option and every exit status', async () => {
    const run = await runTrueup(['reconcile', '--help']);
    expect(run).toMatchObject({ status: 0, stderr: '' });
    for (const option of [
      '--all',
      '--since-checkpoint',
      '--cycle',
      '--user-id',
      '--dry-run',
      '--batch-size',
      '--limit',
      '--resume',
      '--jobs',
      '--max-repairs',
      '--max-repair-ratio',
      '--max-delta',
      '--unattended',
      '--fail-on-drift',
      '--json',
      '--config',
      '--database-url',
    ]) {
      expect(run.stdout).toContain(option);
    }
    for (const status of ['0', '1', '2', '3', '4', '64']) {
      expect(run.stdout).toMatch(new RegExp(`^ {2}${status} `, 'm'));
    }
  });

  test('--version prints the version of the package, and nothing else', async () => {
    const file = readFileSync(resolve(import.meta.dirname, '../../package.json'), 'utf8');
    const { version } = JSON.parse(file) as { version: string };
    expect(await runTrueup(['--version'])).toMatchObject({
      status: 0,
      stdout: `${version}\n`,
      stderr: '',
    });
  });
});

describe('no database', () => {
  const DEAD_PORT = 1;

  test('nobody listens on the port that these tests call dead', async () => {
    expect(await listens(DEAD_PORT)).toBe(false);
  });

  const dead = `postgres://u:secret@127.0.0.1:${String(DEAD_PORT)}/x`;
  const none = withDatabase(inject('serverUrl'), 'trueup_there_is_no_such_database');
  const commands = [ALL, [...ALL, '--dry-run', '--json'], ['sync', 'status'], ['migrate']];
  const cases: readonly (readonly [string, string, RegExp])[] = [
    ['a port where nobody listens', dead, /ECONNREFUSED 127\.0\.0\.1:1\b/],
    ['a database that does not exist', none, /"trueup_there_is_no_such_database" does not exist/],
    ['a socket that does not exist', '/no/such/folder', /\/no\/such\/folder/],
    ['a port that is none', 'postgres://u:secret@127.0.0.1:port/x', /its URL cannot be read/],
    ['a port beyond all ports', 'postgres://u:secret@127.0.0.1:99999/x', /its URL cannot be read/],
    ['a text that is no URL', 'database=x password=secret', /begin with postgres:/],
    ['the URL of something else', 'mysql://u:secret@127.0.0.1:1/x', /begin with postgres:/],
    ['an address without end', 'postgres://[::1/x', /its URL cannot be read/],
  ];
  test.each(cases.flatMap((one) => commands.map((args) => [...one, args] as const)))(
    '%s: status 1 and what to do (%s %s %j)',
    async (_, url, message, args) => {
      const env = { USER: 'somebody' };
      const run = await runTrueup([...args, '--database-url', url], { env });
      expect(run).toMatchObject({ status: 1, stdout: '' });
      expect(run.stderr).toMatch(message);
      expect(run.stderr).toContain('[database_unreachable]');
      expect(run.stderr).toContain('Check DATABASE_URL (or --database-url)');
      expect(run.stderr).not.toMatch(STACK_TRACE);
      expect(run.stderr).not.toContain('secret');
    },
  );

  test('--database-url goes before DATABASE_URL', async () => {
    const before = port.connections();
    const run = await runTrueup([...ALL, '--database-url', dead], { databaseUrl: port.url });
    expect(run.stderr).toContain('ECONNREFUSED');
    expect(port.connections()).toBe(before);
  });
});
