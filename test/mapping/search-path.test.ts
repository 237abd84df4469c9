import { beforeEach, expect, test } from 'vitest';
import {
  migrateDatabase,
  openTrueup,
  OWN_MAPPING,
  proposeMapping,
  type Mapping,
} from '../../src/index.js';
import { createDatabase } from '../support/database.js';

/**
 * Names without a schema, where the search_path has Trueup's own tables before those of the application:
 * as for the role `trueup` of the embedded server, whose `"$user"` is the schema `trueup`.
 */

const db = await createDatabase('empty');
const MAPPING: Mapping = {
  ledger: { table: 'entries', id: 'id', wallet: 'wallet_id', amount: 'amount' },
  wallet: { table: 'wallets', id: 'id', balance: 'balance' },
};
const on = (path: string): string =>
  `${db.url}${db.url.includes('?') ? '&' : '?'}options=${encodeURIComponent(`-c search_path=${path}`)}`;
const url = on('trueup,public');

beforeEach(async () => {
  await db.run(`
    DROP SCHEMA IF EXISTS trueup CASCADE; DROP SCHEMA public CASCADE; CREATE SCHEMA public;
    CREATE TABLE wallets (id int PRIMARY KEY, balance int NOT NULL DEFAULT 0);
    CREATE TABLE entries (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, wallet_id int REFERENCES wallets, amount int);
    INSERT INTO wallets (id) VALUES (1)`);
});

test('mean the same tables before Trueup has tables of its own and after', async () => {
  const trueup = await openTrueup({ databaseUrl: url, config: MAPPING, healer: false });
  const before = trueup.mapping;
  expect(before.wallet.table.quoted).toBe('"public"."wallets"');
  await trueup.installSync();
  await trueup.close();
  await migrateDatabase({ databaseUrl: db.url, config: OWN_MAPPING });
  expect(await db.value(`SELECT to_regclass('trueup.wallets') IS NOT NULL`)).toBe(true);
  const again = await openTrueup({ databaseUrl: url, config: MAPPING, healer: false });
  expect(again.mapping.ledger.table).toEqual(before.ledger.table);
  expect(again.mapping.wallet.table).toEqual(before.wallet.table);
  await db.run('INSERT INTO public.entries (wallet_id, amount) VALUES (1, 7)');
  const summary = await again.reconcile({ all: true, dryRun: true });
  expect(summary).toMatchObject({ checked: 1, drifted: 0 });
  await again.close();
});

test('are followed by name through the rest of the search_path', async () => {
  await db.run(
    `CREATE SCHEMA "Mine"; CREATE TABLE "Mine".wallets (LIKE public.wallets INCLUDING ALL)`,
  );
  const trueup = await openTrueup({
    databaseUrl: on('nowhere,"Mine",public'),
    config: MAPPING,
    readOnly: true,
  });
  expect(trueup.mapping.ledger.table.quoted).toBe('"public"."entries"');
  expect(trueup.mapping.wallet.table.quoted).toBe('"Mine"."wallets"');
  await trueup.close();
  await db.run('DROP SCHEMA "Mine" CASCADE');
});

test('what adopt proposes there names the schema, and is what is found', async () => {
  await migrateDatabase({ databaseUrl: db.url, config: OWN_MAPPING });
  const { proposals } = await proposeMapping({ databaseUrl: url });
  expect(proposals[0]?.mapping.wallet.table).toBe('public.wallets');
});
