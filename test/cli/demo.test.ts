import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { runTrueup, type CliRun } from '../support/cli.js';
import { makeFolder } from '../support/folder.js';

/** What `npm start` shows. */

const folder = makeFolder('demo');

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

function demo(): Promise<CliRun> {
  // The server that DATABASE_URL names is nobody's playground.
  const options = { databaseUrl: 'postgres://127.0.0.1:1/nothing' };
  return runTrueup(['demo'], { ...options, env: { TRUEUP_HOME: join(folder, 'home') } });
}

/** Without the seconds, which differ. */
/** The day of the run is told too: that of the adoption. */
function steady(text: string): string {
  return text.replace(/on \d{4}-\d\d-\d\d/g, 'on DAY');
}

function story({ stdout }: CliRun): string {
  return steady(stdout).replace(/seconds .*/g, '');
}

test('the whole story, again and again, also where several tell it at the same time', async () => {
  const first = await demo();
  expect(first).toMatchObject({ status: 0, stderr: '' });
  expect(first.stdout).toMatch(/^Trueup \S+ on an embedded PostgreSQL 18/);
  expect(
    first
      .lines()
      .filter((line) => / {3}user 1 {2}/.test(line))
      .map(steady),
  ).toEqual([
    '   user 1  is shown   0  the ledger says 494',
    '   user 1  wallet lifetime earnings 0 -> 544  (before adoption on DAY)',
    '   user 1  profile balance 0 -> 494  (before adoption on DAY)',
    '   user 1  profile lifetime earnings 0 -> 544  (before adoption on DAY)',
    '   user 1  wallet lifetime earnings 0 -> 544  repaired  (before adoption on DAY)',
    '   user 1  profile balance 0 -> 494  repaired  (before adoption on DAY)',
    '   user 1  profile lifetime earnings 0 -> 544  repaired  (before adoption on DAY)',
    '   user 1  is shown 494  the ledger says 494',
  ]);
  expect(first.stdout).toMatch(/user 2 {2}is shown 305 {2}the ledger says 305/);

  for (const next of await Promise.all([demo(), demo(), demo()])) {
    expect(next).toMatchObject({ status: 0, stderr: '' });
    expect(story(next)).toBe(story(first));
  }
});
