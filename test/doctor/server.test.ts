import { expect, test, vi } from 'vitest';
import { createEconomy, findings } from '../support/economy.js';
import { privateServer } from '../support/private-server.js';
import { apply, complaints, expectMended, linesOf, type Patient } from './support.js';

/** What concerns a whole server: it is made to fail on one that no other test uses. */

const server = await privateServer({ wal_level: 'logical', max_prepared_transactions: '4' });

async function adopted(): Promise<Patient> {
  const db = await server.database();
  const { mapping } = await createEconomy(db, 2, { foreignKeys: false });
  await (await db.trueup({ config: mapping })).installSync();
  return { db, config: mapping };
}

const patient = await adopted();
const { db } = patient;

test('autovacuum is off', async () => {
  await db.run('ALTER SYSTEM SET autovacuum = off');
  await db.run('SELECT pg_reload_conf()');
  await vi.waitUntil(async () => (await linesOf(patient, 'autovacuum'))[0]?.level === 'warning');
  for (const { remedy } of await linesOf(patient, 'autovacuum')) await apply(patient, remedy);
  await vi.waitUntil(async () => (await linesOf(patient, 'autovacuum'))[0]?.level === 'ok');
});

test('every session begins as one of replication', async () => {
  await db.run('ALTER SYSTEM SET session_replication_role = replica');
  await db.run('SELECT pg_reload_conf()');
  await vi.waitUntil(async () => (await linesOf(patient, 'replica_setting'))[0]?.level === 'error');
  const [line] = await linesOf(patient, 'replica_setting');
  expect(line?.what).toContain('(configuration file)');
  await apply(patient, line?.remedy ?? null);
  await vi.waitUntil(async () => (await linesOf(patient, 'replica_setting'))[0]?.level === 'ok');
  expect(await complaints(patient)).toEqual([]);
});

test('sessions of a role, of a database, and of a role in a database begin as ones of replication', async () => {
  const role = await db.role();
  const replica = 'SET session_replication_role = replica';
  await db.run(`ALTER ROLE ${role.name} ${replica}; ALTER DATABASE ${db.name} ${replica};
                ALTER ROLE ${role.name} IN DATABASE ${db.name} ${replica}`);
  const whose = (await linesOf(patient, 'replica_setting')).map(({ what }) => what);
  expect(whose).toEqual(
    [
      `every role in database ${db.name}`,
      `role ${role.name}`,
      `role ${role.name} in database ${db.name}`,
    ].map((of) => `sessions of ${of} begin with session_replication_role = replica`),
  );
  await expectMended(patient, 'replica_setting', 'error', role.name);
});

test('a prepared transaction that nobody has ended', async () => {
  const other = await db.connect();
  await other.query(`BEGIN; INSERT INTO app.ledger (wallet_id, amount) VALUES (1, 5)`);
  await other.query(`PREPARE TRANSACTION 'it''s forgotten'`);
  expect(await linesOf(patient, 'prepared_transaction')).toMatchObject([{ level: 'ok' }]);
  const [line] = await linesOf(patient, 'prepared_transaction', { transactionSeconds: 0 });
  expect(line).toMatchObject({
    level: 'warning',
    what: expect.stringContaining(`transaction it's forgotten of database ${db.name}`) as string,
  });
  await apply(patient, line?.remedy ?? null);
  expect(await linesOf(patient, 'prepared_transaction', { transactionSeconds: 0 })).toMatchObject([
    { level: 'ok' },
  ]);
});

test('logical replication brings entries that nobody follows: told by doctor, found by the scan', async () => {
  const source = await server.database();
  const { ledger } = await createEconomy(source, 2, { foreignKeys: false });
  await source.run(`CREATE PUBLICATION feed FOR TABLE ${ledger}`);
  await source.run(`SELECT pg_create_logical_replication_slot('feed', 'pgoutput')`);
  await db.run(
    `CREATE SUBSCRIPTION feed CONNECTION 'host=${server.host} user=trueup dbname=${source.name}' PUBLICATION feed
       WITH (create_slot = false, slot_name = 'feed', copy_data = false)`,
  );
  try {
    await source.run(`INSERT INTO ${ledger} (wallet_id, amount) VALUES (2, 8)`);
    await vi.waitUntil(
      async () => (await db.value('SELECT count(*) FROM app.ledger')) === '1',
      30_000,
    );
    const trueup = await db.trueup({ config: patient.config });
    expect(await findings(trueup)).toMatchObject([
      { walletId: '2', part: 'wallet', field: 'balance', cached: '0', expected: '8' },
      { part: 'wallet' },
      { part: 'profile' },
      { part: 'profile' },
    ]);
    expect(await linesOf(patient, 'subscription')).toMatchObject([
      { level: 'error', what: 'subscription feed brings rows into app.ledger' },
    ]);
    await apply(patient, (await linesOf(patient, 'subscription'))[0]?.remedy ?? null);
    expect(await linesOf(patient, 'subscription')).toMatchObject([{ level: 'info' }]);
    await trueup.reconcile({ all: true });
    expect(await findings(trueup)).toEqual([]);
  } finally {
    await db.run('ALTER SUBSCRIPTION feed DISABLE');
    await db.run('ALTER SUBSCRIPTION feed SET (slot_name = NONE)');
    await db.run('DROP SUBSCRIPTION feed');
    await source.run(
      `SELECT pg_terminate_backend(active_pid, 10000) FROM pg_replication_slots WHERE slot_name = 'feed' AND active`,
    );
    await source.run(`SELECT pg_drop_replication_slot('feed')`);
  }
  await expectNothing();
});

test('a subscription of the wallets is a warning', async () => {
  await db.run(
    `CREATE SUBSCRIPTION later CONNECTION 'host=/nowhere' PUBLICATION later WITH (connect = false, slot_name = NONE)`,
  );
  await db.run(
    `INSERT INTO pg_subscription_rel (srsubid, srrelid, srsubstate)
     SELECT oid, 'app.wallet'::regclass, 'r' FROM pg_subscription WHERE subname = 'later'`,
  );
  expect(await linesOf(patient, 'subscription')).toMatchObject([{ level: 'info' }]);
  await db.run(`UPDATE pg_subscription SET subenabled = true WHERE subname = 'later'`);
  await expectWarning();
  await db.run(`UPDATE pg_subscription SET subenabled = false WHERE subname = 'later'`);
  await db.run('DROP SUBSCRIPTION later');
  await expectNothing();
});

async function expectWarning(): Promise<void> {
  expect(await linesOf(patient, 'subscription')).toMatchObject([
    { level: 'warning', what: 'subscription later brings rows into app.wallet' },
  ]);
}

async function expectNothing(): Promise<void> {
  expect(await linesOf(patient, 'subscription')).toMatchObject([{ level: 'ok' }]);
}
