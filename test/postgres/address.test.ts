import pg from 'pg';
import { expect, onTestFinished, test, vi } from 'vitest';
import { openTrueup, OWN_MAPPING } from '../../src/index.js';
import { readied } from '../../src/postgres/address.js';
import { runTrueup } from '../support/cli.js';

/** What is written as the address of a database. */

test.each([
  ['a password with a slash', 'postgres://u:a/b@127.0.0.1:5/x'],
  ['a password that is no UTF-8', 'postgres://u:%E0%A4@127.0.0.1:5/x'],
  ['a port that is none', 'postgres://u:p@127.0.0.1:99999/x'],
])('%s: the URL cannot be read, and the error says how it is written', async (_, databaseUrl) => {
  await expect(openTrueup({ databaseUrl, config: OWN_MAPPING })).rejects.toMatchObject({
    code: 'database_unreachable',
    message: 'cannot reach the database: its URL cannot be read',
    hint: expect.stringContaining('/ as %2F') as string,
  });
});

test('a URL without a user is refused where the environment names none', async () => {
  const { user } = pg.defaults;
  vi.stubEnv('PGUSER', undefined);
  pg.defaults.user = undefined;
  onTestFinished(() => {
    vi.unstubAllEnvs();
    pg.defaults.user = user;
  });
  const databaseUrl = 'socket:/tmp?db=x';
  await expect(openTrueup({ databaseUrl, config: OWN_MAPPING })).rejects.toMatchObject({
    code: 'database_unreachable',
    message: 'cannot reach the database: nothing says as whom',
    hint: expect.stringContaining('PGUSER') as string,
  });
});

test.each([
  ['sslmode=require', 'sslmode=verify-full'],
  ['application_name=x&sslmode=prefer&port=5', 'application_name=x&sslmode=verify-full&port=5'],
  ['sslmode=require&uselibpqcompat=true', 'sslmode=require&uselibpqcompat=true'],
  ['sslmode=no-verify', 'sslmode=no-verify'],
])('%s is %s to the driver', (written, given) => {
  const url = 'postgres://u:p@127.0.0.1:5/x?';
  expect(readied({ connectionString: url + written }).connectionString).toBe(url + given);
});

test('an encrypted connection is asked for without a lecture of the driver', async () => {
  const databaseUrl = 'postgres://u:p@127.0.0.1:1/x?sslmode=require';
  const { status, stderr } = await runTrueup(['status'], { databaseUrl });
  expect(status).toBe(1);
  expect(stderr).toMatch(/^trueup: cannot reach the database: connect ECONNREFUSED/);
});
