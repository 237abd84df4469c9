import { beforeEach, expect, test } from 'vitest';
import { examineDatabase, type Mapping } from '../../src/index.js';
import { createDatabase } from '../support/database.js';

/** Two ledgers and one cache: whatever one of them keeps right is wrong for the other. */

const db = await createDatabase('empty');

const wallet = { table: 'wallets', id: 'id', balance: 'balance', lifetimeEarnings: 'earned' };
const onLedger = (table: string, more: Partial<Mapping> = {}): Mapping => ({
  ledger: { table, id: 'id', wallet: 'wallet_id', amount: 'amount' },
  wallet,
  ...more,
});

beforeEach(async () => {
  await db.run(`DROP SCHEMA IF EXISTS trueup CASCADE; DROP SCHEMA public CASCADE; CREATE SCHEMA public;
    CREATE TABLE wallets (id bigint PRIMARY KEY, balance bigint NOT NULL DEFAULT 0, earned bigint NOT NULL DEFAULT 0,
      gems bigint NOT NULL DEFAULT 0);
    CREATE TABLE purses (id bigint PRIMARY KEY, wallet_id bigint UNIQUE, coins bigint NOT NULL DEFAULT 0);
    CREATE TABLE gold (id bigint PRIMARY KEY, wallet_id bigint, amount bigint);
    CREATE TABLE silver (id bigint PRIMARY KEY, wallet_id bigint, amount bigint)`);
});

const refusal = {
  code: 'mapping_mismatch',
  message: expect.stringContaining('"public"."gold"') as string,
};

test.each<[string, Mapping, string]>([
  ['the same wallets', onLedger('silver'), '"public"."wallets"."balance"'],
  [
    'the wallets of the other as the profile',
    onLedger('silver', {
      wallet: { table: 'purses', id: 'id', balance: 'coins', profile: 'wallet_id' },
      profile: { table: 'public.wallets', id: 'id', lifetimeEarnings: 'earned' },
    }),
    '"public"."wallets"."earned"',
  ],
])('%s: refused, planned or installed, and told by doctor', async (_, config, column) => {
  const first = await db.trueup({ config: onLedger('gold') });
  await first.installSync();
  const second = await db.trueup({ config });
  await expect(second.installSync()).rejects.toMatchObject(refusal);
  await expect(second.planSync()).rejects.toMatchObject(refusal);
  expect((await second.syncStatus()).state).toBe('missing');

  const { findings } = await examineDatabase({ databaseUrl: db.url, config });
  expect(findings.find(({ id }) => id === 'foreign_trigger')).toMatchObject({
    level: 'error',
    what: expect.stringContaining(column) as string,
  });

  await first.installSync({ guard: 'record' });
  await first.removeSync();
  await second.installSync();
  expect((await second.syncStatus()).state).toBe('installed');
});

test('other columns of the same wallets are nobody else’s', async () => {
  await (await db.trueup({ config: onLedger('gold') })).installSync();
  const gems = onLedger('silver', { wallet: { table: 'wallets', id: 'id', balance: 'gems' } });
  await (await db.trueup({ config: gems })).installSync();
  const { findings } = await examineDatabase({ databaseUrl: db.url, config: gems });
  expect(findings.find(({ id }) => id === 'foreign_trigger')?.level).toBe('ok');
});

test('a ledger that was renamed is no other one', async () => {
  await (await db.trueup({ config: onLedger('gold') })).installSync();
  await db.run('ALTER TABLE gold RENAME TO coins');
  const renamed = await db.trueup({ config: onLedger('coins') });
  await renamed.installSync();
  expect((await renamed.syncStatus()).state).toBe('installed');
});
