import { beforeAll, expect, test } from 'vitest';
import type { Finding, Trueup } from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import { createEconomy, findings, type Economy } from '../support/economy.js';

/** What can be said without Trueup's records: where it has never been, and where they cannot be read. */

const virgin = await createDatabase('empty');
const closed = await createDatabase('empty');

const FAULT = `
  INSERT INTO app.ledger (wallet_id, amount, after) VALUES (1, 500, 500), (1, 44, 544), (2, 300, 300), (2, 7, 307), (3, 90, 90);
  UPDATE app.wallet w SET (balance, earned) = (SELECT sum(amount), sum(amount) FROM app.ledger WHERE wallet_id = w.id) WHERE id < 4;
  UPDATE app.profile p SET (shown, earned) = (SELECT balance, earned FROM app.wallet WHERE profile_id = p.id) WHERE id < 104;
  UPDATE app.wallet SET balance = balance - 44, earned = earned - 44 WHERE id = 1;
  UPDATE app.profile SET shown = shown - 44, earned = earned - 44 WHERE id = 101;
  UPDATE app.profile SET shown = shown + 7, earned = earned + 7 WHERE id = 102;
  UPDATE app.ledger SET amount = 80 WHERE wallet_id = 3;
  UPDATE app.wallet SET balance = 5 WHERE id = 4;
  INSERT INTO app.ledger (wallet_id, amount, after) VALUES (5, 100, 100);
  UPDATE app.wallet SET (balance, earned) = (61, 100) WHERE id = 5;
  UPDATE app.profile SET (shown, earned) = (100, 100) WHERE id = 105`;

const EXPECTED = [
  ...Array<string>(4).fill('1 entry_missed'),
  ...Array<string>(2).fill('2 entry_applied_twice'),
  ...Array<string>(5).fill('3 ledger_changed'),
  '4 no_history',
  '5 unknown',
];

const named = (all: readonly Record<string, unknown>[]): string[] =>
  all.map((one) => `${String(one['walletId'])} ${String(one['cause'])}`);

let economy: Economy;

beforeAll(async () => {
  economy = await createEconomy(virgin, 5, { foreignKeys: false, balanceAfter: true });
  await virgin.run(FAULT);
});

async function readOnly(db: typeof virgin, mapping: Economy['mapping']): Promise<Trueup> {
  const role = await db.role();
  await db.run(
    `GRANT USAGE ON SCHEMA app TO ${role.name}; GRANT SELECT ON ALL TABLES IN SCHEMA app TO ${role.name}`,
  );
  return db.trueup({ databaseUrl: role.url, config: mapping, readOnly: true });
}

test('with SELECT alone, where Trueup has never been, the ledger speaks for itself', async () => {
  const trueup = await readOnly(virgin, economy.mapping);
  expect(named(await findings(trueup))).toEqual(EXPECTED);
  expect(await virgin.value(`SELECT to_regnamespace('trueup')::text`)).toBeNull();
  const story = await trueup.explain({ userId: '3' });
  expect(story).toMatchObject({
    installation: null,
    wallets: [{ walletId: '3', writes: [], failures: [], gaps: [], repairs: [] }],
  });
});

test('without an index that gives the order of entries, and without times, the same is found', async () => {
  await virgin.run('DROP INDEX app.ledger_wallet_id_id_idx');
  const { createdAt, ...ledger } = economy.mapping.ledger;
  expect(createdAt).toBe('created_at');
  const trueup = await readOnly(virgin, { ...economy.mapping, ledger });
  expect(named(await findings(trueup))).toEqual(EXPECTED);
});

test('records that the role cannot read count as none', async () => {
  const { mapping } = await createEconomy(closed, 5, { foreignKeys: false, balanceAfter: true });
  await closed.run(FAULT);
  const owner = await closed.trueup({ config: mapping });
  await owner.installSync();
  expect(named(await findings(owner)).filter((one) => one.startsWith('1 '))).toEqual(
    Array(4).fill('1 before_adoption'),
  );
  const trueup = await readOnly(closed, mapping);
  const seen: Finding[] = [];
  await trueup.reconcile({ all: true, dryRun: true, onFinding: (one) => seen.push(one) });
  expect(named(seen.map((one) => ({ ...one })))).toEqual(EXPECTED);
  expect((await trueup.explain({ walletId: '1' })).installation).toBeNull();
});

test('a role that may read the records says the same as the owner', async () => {
  const role = await closed.role();
  await closed.run(
    `GRANT USAGE ON SCHEMA app, trueup TO ${role.name}; GRANT SELECT ON ALL TABLES IN SCHEMA app, trueup TO ${role.name}`,
  );
  const { mapping } = economy;
  const owner = await closed.trueup({ config: mapping });
  const reader = await closed.trueup({ databaseUrl: role.url, config: mapping, readOnly: true });
  expect(await findings(reader)).toEqual(await findings(owner));
});
