import { expect, test } from 'vitest';
import type { Mapping } from '../../src/index.js';
import { runTrueup } from '../support/cli.js';
import { createDatabase } from '../support/database.js';

/** Foreign keys that are checked at once make entries slower: they are told, with what to do. */

const db = await createDatabase('own');

test("Trueup's own are not told: nobody is to alter its tables", async () => {
  expect(await (await db.trueup()).syncStatus()).toMatchObject({
    state: 'installed',
    immediateForeignKeys: [],
  });
  expect((await runTrueup(['sync', 'install'], { databaseUrl: db.url })).stderr).not.toContain(
    'foreign key',
  );
});

test('those of an application are, until the remedy was applied, whatever the search_path', async () => {
  await db.run(`
    CREATE SCHEMA "App ""X""";
    CREATE TABLE "App ""X"""."Wallet" (id bigint PRIMARY KEY, balance bigint NOT NULL);
    CREATE TABLE "App ""X"""."Ledger" (
      id bigint PRIMARY KEY, amount bigint NOT NULL,
      wallet_id bigint CONSTRAINT "to Wallet" REFERENCES "App ""X"""."Wallet",
      CONSTRAINT later FOREIGN KEY (wallet_id) REFERENCES "App ""X"""."Wallet" DEFERRABLE INITIALLY DEFERRED)`);
  await db.run(`ALTER DATABASE ${db.name} SET search_path = "App ""X"""`);
  const mapping: Mapping = {
    ledger: { table: '"App ""X""".Ledger', id: 'id', wallet: 'wallet_id', amount: 'amount' },
    wallet: { table: '"App ""X""".Wallet', id: 'id', balance: 'balance' },
  };
  const trueup = await db.trueup({ config: mapping });
  const { immediateForeignKeys } = await trueup.syncStatus();
  expect(immediateForeignKeys).toEqual([
    {
      name: 'to Wallet',
      remedy:
        'ALTER TABLE "App ""X"""."Ledger" ALTER CONSTRAINT "to Wallet" DEFERRABLE INITIALLY DEFERRED',
    },
  ]);
  await db.run(`SET search_path = public; ${immediateForeignKeys[0]?.remedy ?? ''}`);
  expect(await trueup.syncStatus()).toMatchObject({ immediateForeignKeys: [] });
});
