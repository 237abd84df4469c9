import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { runTrueup, type CliRun } from '../support/cli.js';
import { createDatabase } from '../support/database.js';
import { createEconomy } from '../support/economy.js';
import { makeFolder } from '../support/folder.js';

/** `trueup sync install --plan --guard --protect`, what `status` says of it, and `remove`. */

const db = await createDatabase('empty');
const cwd = makeFolder('sync');

beforeEach(async () => {
  await db.run('DROP SCHEMA IF EXISTS app CASCADE; DROP SCHEMA IF EXISTS trueup CASCADE');
  const { mapping } = await createEconomy(db, 2);
  writeFileSync(join(cwd, 'trueup.config.json'), JSON.stringify(mapping));
});

const trueup = (line: string): Promise<CliRun> =>
  runTrueup(line.split(' '), { databaseUrl: db.url, cwd });

describe('trueup sync', () => {
  test('--plan prints what psql could run, and changes nothing', async () => {
    const plan = await trueup('sync install --plan --guard record --protect');
    expect(plan).toMatchObject({ status: 0, stderr: '' });
    expect(await db.value(`SELECT to_regnamespace('trueup')::text`)).toBeNull();
    await db.run(plan.stdout);
    const status = await trueup('sync status');
    expect(status.status).toBe(0);
    expect(status.stdout).toContain('guard: record\n');
    expect(status.stdout).toContain('append-only: yes\n');
    const removal = await trueup('sync remove --plan');
    expect((await trueup('sync status')).stdout).toBe(status.stdout);
    await db.run(removal.stdout);
    expect((await trueup('sync status')).status).toBe(2);
  });

  test('remove creates nothing where nothing is, and says so, to a reader as well', async () => {
    const role = await db.role();
    await db.run(`GRANT USAGE ON SCHEMA app TO ${role.name};
      GRANT SELECT ON ALL TABLES IN SCHEMA app TO ${role.name}`);
    const answer = { status: 0, stdout: 'sync of "app"."ledger" was not installed\n' };
    const asReader = (): Promise<CliRun> =>
      runTrueup(['sync', 'remove'], { databaseUrl: role.url, cwd });
    expect(await asReader()).toMatchObject(answer);
    expect(await trueup('sync remove')).toMatchObject(answer);
    expect(await db.value(`SELECT to_regnamespace('trueup')::text`)).toBeNull();
    await trueup('sync install');
    expect((await trueup('sync remove')).stdout).toContain('is removed');
    expect(await trueup('sync remove')).toMatchObject(answer);
    expect(await asReader()).toMatchObject(answer);
  });

  test('install tells what stands, and what no longer does', async () => {
    const first = await trueup('sync install --guard record --protect');
    expect(first.stderr).toContain('guard: record; the ledger is append-only\n');
    const second = await trueup('sync install');
    expect(second.stderr).toContain('guard: keep\n  it was record before\n');
    expect(second.stderr).toContain('no longer append-only: --protect was not given');
    expect((await trueup('sync status --json')).json()).toMatchObject([
      {
        guard: 'keep',
        protected: false,
        triggers: [{ key: 'sync' }, { key: 'guard wallet' }, { key: 'guard profile' }],
      },
    ]);
  });

  test('status names the trigger that is amiss, and the command that mends it', async () => {
    await trueup('sync install --guard refuse --protect');
    await db.run('ALTER TABLE app.profile DISABLE TRIGGER USER');
    const status = await trueup('sync status');
    expect(status.status).toBe(2);
    expect(status.stdout).toMatch(
      /zz_trueup_guard_\w+ on "app"."profile": installed but disabled: trueup sync install --guard refuse --protect\n/,
    );
  });

  test('a guard of another kind is wrong usage', async () => {
    const run = await trueup('sync install --guard watch');
    expect(run.status).toBe(64);
    expect(run.stderr).toContain('keep, record, refuse, off');
  });
});
