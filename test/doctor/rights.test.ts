import { beforeEach, describe, expect, test } from 'vitest';
import { runTrueup, type CliRun } from '../support/cli.js';
import { temporaryFolder, writeConfig } from '../cli/fixture.js';
import { createDatabase } from '../support/database.js';
import { caches, createEconomy, truth, type Economy } from '../support/economy.js';
import { apply, expectMended, linesOf, type Patient } from './support.js';

/** What roles may do, and transactions that they leave open. */

const db = await createDatabase('empty');
const folder = temporaryFolder();
let economy: Economy;
let patient: Patient;

beforeEach(async () => {
  await db.run('DROP SCHEMA IF EXISTS trueup CASCADE; DROP SCHEMA IF EXISTS app CASCADE');
  economy = await createEconomy(db, 2);
  const configFile = writeConfig(folder, 'trueup.config.json', economy.mapping);
  patient = { db, config: economy.mapping, configFile };
});

const install = async (): Promise<unknown> =>
  (await db.trueup({ config: economy.mapping })).installSync();

const insert = (amount: number): Promise<void> =>
  db.run('INSERT INTO app.ledger (wallet_id, amount) VALUES (1, $1)', [amount]);

function trueup(databaseUrl: string, ...args: string[]): Promise<CliRun> {
  return runTrueup([...args, '--config', patient.configFile ?? ''], { databaseUrl });
}

describe('the role that doctor is run by', () => {
  test('may not even look into the schema: nothing can be checked, and that is an error', async () => {
    const role = await db.role();
    const run = await trueup(role.url, 'doctor', '--json');
    expect(run.status).toBe(1);
    expect(run.ofType('check').find(({ id }) => id === 'mapping')).toMatchObject({
      level: 'error',
      what: expect.stringContaining('permission denied for schema app') as string,
    });
  });

  test('may look, but not read: told with what it lacks, until that is granted', async () => {
    await install();
    const role = await db.role();
    await db.run(`GRANT USAGE ON SCHEMA app TO ${role.name}`);
    const as = { databaseUrl: role.url };
    const lacking = await linesOf(patient, 'right_to_check', as);
    expect(lacking.map(({ level, what }) => `${level} ${what}`)).toEqual(
      ['ledger', 'wallet', 'profile'].map(
        (table) => `error role ${role.name} may not read app.${table}`,
      ),
    );
    for (const { remedy } of lacking) await apply(patient, remedy);
    expect(await linesOf(patient, 'right_to_check', as)).toMatchObject([{ level: 'ok' }]);
    for (const id of [
      'migrations',
      'sync_failures',
      'holds_overdue',
      'sync_gaps',
      'deferred_marks',
      'activity_failures',
    ] as const) {
      for (;;) {
        const [line] = await linesOf(patient, id, as);
        if (line?.level === 'ok') break;
        expect(line).toMatchObject({ level: 'unknown' });
        await apply(patient, line?.remedy ?? null);
      }
    }
    expect(await trueup(role.url, 'doctor')).toMatchObject({ status: 3 });
    const [activity] = await linesOf(patient, 'oldest_transaction', as);
    expect(activity).toMatchObject({ level: 'unknown' });
    await apply(patient, activity?.remedy ?? null);
    expect(await trueup(role.url, 'doctor')).toMatchObject({ status: 0 });
  });

  test('may check and not repair: what it lacks is enough to repair', async () => {
    await install();
    const role = await db.role();
    await db.run(`GRANT USAGE ON SCHEMA app TO ${role.name};
                  GRANT SELECT ON ALL TABLES IN SCHEMA app TO ${role.name}`);
    await insert(5);
    await db.run('UPDATE app.wallet SET balance = 7 WHERE id = 1');
    const as = { databaseUrl: role.url };
    const [line] = await linesOf(patient, 'right_to_repair', as);
    expect(line).toMatchObject({ level: 'info', what: `role ${role.name} may not repair` });
    expect(await trueup(role.url, 'reconcile', '--all')).toMatchObject({ status: 1 });
    await apply(patient, line?.remedy ?? null);
    expect(await linesOf(patient, 'right_to_repair', as)).toMatchObject([{ level: 'ok' }]);
    const run = await trueup(role.url, 'reconcile', '--all');
    expect(run, run.stderr).toMatchObject({ status: 0 });
    expect(await caches(db, economy)).toEqual(await truth(db, economy));
  });

  test('may not install on tables of a superuser: it is never made one', async () => {
    const superuser = await db.value('SELECT quote_ident(current_user)');
    const heir = await db.role();
    const role = await db.role();
    await db.run(
      `GRANT USAGE ON SCHEMA app TO ${role.name}; GRANT SELECT ON ALL TABLES IN SCHEMA app TO ${role.name}`,
    );
    const as = { databaseUrl: role.url };
    const remedies = async (): Promise<unknown[]> =>
      (await linesOf(patient, 'right_to_install', as)).map(({ level, remedy }) => [level, remedy]);
    expect(await remedies()).toEqual([['info', `run trueup sync install as role ${superuser}`]]);
    // Nor of one that may become a superuser.
    await db.run(
      `GRANT ${superuser} TO ${heir.name}; ALTER TABLE app.ledger OWNER TO ${heir.name}`,
    );
    expect(await remedies()).toEqual([['info', `run trueup sync install as role ${heir.name}`]]);
    await install();
    await db.run(`ALTER TABLE app.ledger OWNER TO ${role.name}`);
    expect(await remedies()).toEqual([['info', `run trueup sync install as role ${superuser}`]]);
  });

  test('may not install: what it lacks is enough to install', async () => {
    const owner = await db.role();
    const role = await db.role();
    await db.run(`
      ALTER SCHEMA app OWNER TO ${owner.name}; ALTER TABLE app.profile OWNER TO ${owner.name};
      ALTER TABLE app.wallet OWNER TO ${owner.name}; ALTER TABLE app.ledger OWNER TO ${owner.name};
      GRANT USAGE ON SCHEMA app TO ${role.name}; GRANT SELECT ON ALL TABLES IN SCHEMA app TO ${role.name}`);
    const as = { databaseUrl: role.url };
    const [line] = await linesOf(patient, 'right_to_install', as);
    expect(line).toMatchObject({ level: 'info' });
    expect(await trueup(role.url, 'sync', 'install')).toMatchObject({ status: 1 });
    await apply(patient, line?.remedy ?? null);
    expect(await linesOf(patient, 'right_to_install', as)).toMatchObject([{ level: 'ok' }]);
    const run = await trueup(role.url, 'sync', 'install');
    expect(run, run.stderr).toMatchObject({ status: 0 });
    expect(await linesOf(patient, 'sync_owner', as)).toMatchObject([{ level: 'ok' }]);
    await insert(5);
    expect(await caches(db, economy)).toEqual(['1 5 5 | 5 5', '2 0 0 | 0 0']);
    await db.run(`REASSIGN OWNED BY ${role.name}, ${owner.name} TO CURRENT_USER;
                  DROP OWNED BY ${role.name}, ${owner.name}`);
  });

  test('sees only what policies let it see', async () => {
    await install();
    const role = await db.role();
    await db.run(`GRANT USAGE ON SCHEMA app TO ${role.name};
                  GRANT SELECT ON ALL TABLES IN SCHEMA app TO ${role.name};
                  ALTER TABLE app.ledger ENABLE ROW LEVEL SECURITY`);
    const as = { databaseUrl: role.url };
    const [line] = await linesOf(patient, 'row_security', as);
    expect(line).toMatchObject({
      level: 'warning',
      what: 'policies decide which rows of app.ledger this role sees',
    });
    await apply(patient, line?.remedy ?? null);
    expect(await linesOf(patient, 'row_security', as)).toMatchObject([{ level: 'ok' }]);
  });
});

describe('the owner of the triggers', () => {
  test('has lost its rights: entries fail, until they are granted again', async () => {
    await install();
    const role = await db.role();
    const sync = await db.value(
      `SELECT tgfoid::regprocedure::text FROM pg_trigger WHERE tgname = 'trueup_sync'`,
    );
    await db.run(`ALTER FUNCTION ${sync} OWNER TO ${role.name};
                  ALTER TABLE app.profile ENABLE ROW LEVEL SECURITY`);
    await expect(insert(5)).rejects.toThrow(/permission denied/);
    await expectMended(patient, 'sync_owner', 'error', `policies hide rows of app.profile`);
    await insert(5);
    expect(await caches(db, economy)).toEqual(['1 5 5 | 5 5', '2 0 0 | 0 0']);
    await db.run(`ALTER FUNCTION ${sync} OWNER TO CURRENT_USER; DROP OWNED BY ${role.name}`);
  });
});

describe('the owner of the triggers, given back', () => {
  const owner = (): Promise<string> =>
    db.value(
      `SELECT proowner::regrole::text FROM pg_proc WHERE proname LIKE 'sync\\_%' AND pronamespace = 'trueup'::regnamespace`,
    );
  const giveAway = async (to: string): Promise<void> =>
    db.run(`DO $$ BEGIN EXECUTE (SELECT format('ALTER FUNCTION %s OWNER TO ${to}', oid::regprocedure) FROM pg_proc
              WHERE proname LIKE 'sync\\_%' AND pronamespace = 'trueup'::regnamespace); END $$`);

  test('doctor names the owner of the ledger, and installing again sets it right', async () => {
    await install();
    const before = await owner();
    const role = await db.role();
    await giveAway(role.name);
    const lines = await linesOf(patient, 'sync_owner');
    expect(new Set(lines.map(({ remedy }) => remedy))).toEqual(
      new Set([expect.stringMatching(/^ALTER FUNCTION trueup\.sync_\w+\(\) OWNER TO \S+$/)]),
    );
    await apply(patient, lines[0]?.remedy ?? null);
    expect(await owner()).toBe(before);
    await giveAway(role.name);
    await install();
    expect(await owner()).toBe(before);
    await insert(5);
    expect(await caches(db, economy)).toEqual(await truth(db, economy));
  });
});

describe('the setting by which triggers are passed', () => {
  test('a role that may set it by itself is told', async () => {
    const role = await db.role();
    await db.run(`GRANT SET ON PARAMETER session_replication_role TO ${role.name}`);
    const [line] = await linesOf(patient, 'replica_roles');
    expect(line).toMatchObject({
      level: 'info',
      what: expect.stringMatching(`superusers .* and .*${role.name}`) as string,
    });
    await apply(patient, line?.remedy ?? null);
    expect((await linesOf(patient, 'replica_roles'))[0]?.what).not.toContain(role.name);
  });
});

describe('transactions that stay open', () => {
  test('one that has written, and one that keeps a snapshot, until it is ended', async () => {
    await install();
    const other = await db.connect({ application_name: 'forgetful' });
    const pid = (await other.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]?.pid;
    const mine = async (): Promise<string[]> =>
      (await linesOf(patient, 'oldest_transaction', { transactionSeconds: 0 }))
        .filter(({ what }) => what.startsWith(`process ${String(pid)} `))
        .map(({ level, what, remedy }) => `${level} ${what} ${remedy ?? ''}`);
    expect(await mine()).toEqual([]);
    await other.query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
    expect(await mine()).toEqual([expect.stringMatching(/^warning .*forgetful.*kept a snapshot/)]);
    await other.query('ROLLBACK; BEGIN; INSERT INTO app.ledger (wallet_id, amount) VALUES (1, 1)');
    expect(await mine()).toEqual([
      expect.stringMatching(/^warning .*idle in transaction.*written/),
    ]);
    expect(await linesOf(patient, 'oldest_transaction')).toMatchObject([{ level: 'ok' }]);
    await apply(patient, `SELECT pg_terminate_backend(${String(pid)}, 10000)`);
    expect(await mine()).toEqual([]);
  });
});
