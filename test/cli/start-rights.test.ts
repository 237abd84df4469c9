import { describe, expect, test } from 'vitest';
import { OWN_MAPPING } from '../../src/index.js';
import { runTrueup, startTrueup } from '../support/cli.js';
import { createDatabase } from '../support/database.js';
import { createEconomy } from '../support/economy.js';
import { STACK_TRACE, temporaryFolder, writeConfig } from './fixture.js';

/** `trueup start` under a role that may not do its work: at the start that ends it, later it is told. */

const db = await createDatabase('own');
const bare = await createDatabase('empty');
const folder = temporaryFolder();
const config = writeConfig(folder, 'own.json', OWN_MAPPING);
const START = ['start', '--log-format', 'json', '--config', config];

/** A role that may look at everything and change nothing. */
async function reader(): Promise<{ readonly name: string; readonly url: string }> {
  const role = await db.role();
  await db.run(`GRANT USAGE ON SCHEMA trueup TO ${role.name};
                GRANT SELECT ON ALL TABLES IN SCHEMA trueup TO ${role.name}`);
  return role;
}

/** The GRANTs that it asked for. */
async function refusedGrants(databaseUrl: string): Promise<string> {
  const run = await runTrueup(START, { databaseUrl });
  expect(run).toMatchObject({ status: 1, stdout: '' });
  expect(run.stderr).not.toMatch(STACK_TRACE);
  expect(run.stderr).not.toContain('"event":"started"');
  return /\[permission_denied\]\s+(GRANT .*)/.exec(run.stderr)?.[1] ?? run.stderr;
}

describe('at the start', () => {
  test('a role with SELECT only ends it with status 1; what it asks for is enough', async () => {
    const role = await reader();
    await db.run(await refusedGrants(role.url));
    const one = startTrueup(START, { databaseUrl: role.url });
    await one.saw('stderr', '"event":"started"');
    one.child.kill('SIGTERM');
    const run = await one.ended;
    expect(run.status, run.stderr).toBe(0);
    expect(run.stderr).not.toContain('"level":"error"');
  });

  test('a database that takes no writes', async () => {
    const url = `${db.url}${db.url.includes('?') ? '&' : '?'}options=-c%20default_transaction_read_only%3Don`;
    const run = await runTrueup(START, { databaseUrl: url });
    expect(run).toMatchObject({ status: 1, stdout: '' });
    expect(run.stderr).toContain('[database_read_only]');
  });

  test('a schema that is missing, and that the role may not make', async () => {
    const economy = await createEconomy(bare, 1);
    const role = await bare.role();
    await bare.run(`GRANT USAGE ON SCHEMA app TO ${role.name};
                    GRANT SELECT ON ALL TABLES IN SCHEMA app TO ${role.name}`);
    const mapping = writeConfig(folder, 'app.json', economy.mapping);
    const run = await runTrueup(['start', '--config', mapping], { databaseUrl: role.url });
    expect(run).toMatchObject({ status: 1, stdout: '' });
    expect(run.stderr).toContain('[permission_denied]');
  });
});

test('rights that are lost later are told with what is missing, and waited for', async () => {
  const role = await reader();
  await db.run(await refusedGrants(role.url));
  const one = startTrueup([...START, '--alert-command', 'cat'], { databaseUrl: role.url });
  await one.saw('stderr', '"event":"started"');
  // Whoever has begun to listen is told whatever comes.
  await expect.poll(async () => (await db.rows('SELECT FROM trueup.alert_hooks')).length).toBe(1);
  await db.run(`REVOKE UPDATE ON trueup.alerts FROM ${role.name}`);
  await one.saw('stderr', 'this process may not do its work; it tries again until it may: ');
  await db.run(
    `INSERT INTO trueup.alerts (ledger, kind, message, body)
     VALUES ('"trueup"."entries"', 'drift', 'told late', '{"severity": "warning", "openedAt": "2026-11-25"}')`,
  );
  await db.run(`GRANT UPDATE ON trueup.alerts TO ${role.name}`);
  await one.saw('stderr', 'was delivered: told late');
  one.child.kill('SIGTERM');
  const run = await one.ended;
  expect(run.status).toBe(0);
  expect(run.stderr).toMatch(
    /tries again until it may: .*permission denied for table alerts.*GRANT /,
  );
});
