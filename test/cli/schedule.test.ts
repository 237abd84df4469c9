import { describe, expect, test } from 'vitest';
import { countingPort, runTrueup, type CliRun } from '../support/cli.js';

/** What is printed for other schedulers has to work night after night; and when `trueup start` has none. */

const printed = (...flags: string[]): Promise<CliRun> =>
  runTrueup(['schedule', '--print', 'cron', ...(flags.length === 0 ? [] : ['--', ...flags])]);

/** The words of the run that cron is told. */
async function night(...flags: string[]): Promise<string | undefined> {
  const { status, stdout, stderr } = await printed(...flags);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return /(reconcile .*) >\/dev\/null/.exec(stdout)?.[1];
}

describe('a night of every wallet', () => {
  test.each([
    [[], 'reconcile --all --unattended --quiet'],
    [['--jobs', '2'], 'reconcile --all --unattended --quiet --jobs 2'],
    [['--all', '--unattended'], 'reconcile --quiet --all --unattended'],
  ])('with %j', async (flags, words) => {
    expect(await night(...flags)).toBe(words);
  });
});

describe('an incremental night', () => {
  test.each([
    [['--since-checkpoint'], 'reconcile --unattended --quiet --since-checkpoint'],
    [
      ['--since-checkpoint', '--cycle', '3d'],
      'reconcile --unattended --quiet --since-checkpoint --cycle 3d',
    ],
    [['--cycle', '3d'], 'reconcile --since-checkpoint --unattended --quiet --cycle 3d'],
    [['--cycle=3d'], 'reconcile --since-checkpoint --unattended --quiet --cycle=3d'],
  ])('with %j', async (flags, words) => {
    expect(await night(...flags)).toBe(words);
  });
});

test.each([
  [['--jbos', '2'], /after --: unknown option '--jbos'/],
  [['--jobs', 'many'], /after --: option '--jobs <n>' argument 'many' is invalid/],
  [['--jobs'], /after --: option '--jobs <n>' argument missing/],
  [['--help'], /after --: unknown option '--help'/],
  [['night'], /after --: too many arguments/],
  [['--since-checkpoint', '--all'], /after --: --all and --since-checkpoint exclude each other/],
  [['--all', '--cycle', '3d'], /after --: --cycle goes with --since-checkpoint/],
  [['--alert-webhook', 'somewhere'], /after --: the webhook for alerts is no http/],
  [['--user-id', '3'], /--user-id is not for a night: a night looks at the whole ledger/],
  [['--dry-run'], /--dry-run is not for a night: it repairs nothing/],
  [['--resume'], /--resume is not for a night: a night begins a run of its own/],
  [['--plan', 'p.jsonl'], /--plan is not for a night: it makes a dry run/],
  [['--apply', 'p.jsonl'], /--apply is not for a night: a plan is applied once/],
])('%j would end with 64 every night, and does so now', async (flags, words) => {
  const run = await printed(...flags);
  expect(run.stderr).toMatch(words);
  expect(run).toMatchObject({ status: 64, stdout: '' });
});

test.each([
  [['--no-schedule', '--schedule', '@daily']],
  [['--schedule', '@daily', '--no-schedule']],
])('trueup start %j: both a schedule and none', async (flags) => {
  const port = await countingPort();
  const run = await runTrueup(['start', ...flags], { databaseUrl: port.url });
  expect(run.stderr).toContain('--schedule and --no-schedule exclude each other: choose one');
  expect(run).toMatchObject({ status: 64, stdout: '' });
  expect(port.connections()).toBe(0);
  await port.close();
});
