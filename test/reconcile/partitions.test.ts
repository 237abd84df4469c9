import { describe, expect, test } from 'vitest';
import { createDatabase } from '../support/database.js';
import { caches, createEconomy, findings, truth, type Economy } from '../support/economy.js';

/**
 * Wallets and profiles in a tree of tables: a place in a table (a ctid) names a row of each of them, so
 * a repair that knew nothing but the place would write one user's coins into the row of another.
 */

const db = await createDatabase('empty');
const USERS = 40;

/** Makes a table anew, with the rows of the plain one spread over several tables. */
const TREES: Readonly<Record<string, (table: string) => string>> = {
  'hash partitions': (table) => `
    CREATE TABLE app.${table} (LIKE app.${table}_plain, PRIMARY KEY (id)) PARTITION BY HASH (id);
    CREATE TABLE app.${table}_a PARTITION OF app.${table} FOR VALUES WITH (MODULUS 3, REMAINDER 0);
    CREATE TABLE app.${table}_b PARTITION OF app.${table} FOR VALUES WITH (MODULUS 3, REMAINDER 1);
    CREATE TABLE app.${table}_c PARTITION OF app.${table} FOR VALUES WITH (MODULUS 3, REMAINDER 2);
    INSERT INTO app.${table} SELECT * FROM app.${table}_plain`,
  'tables that inherit': (table) => `
    CREATE TABLE app.${table} (LIKE app.${table}_plain, PRIMARY KEY (id));
    CREATE TABLE app.${table}_b (PRIMARY KEY (id)) INHERITS (app.${table});
    INSERT INTO app.${table} SELECT * FROM app.${table}_plain WHERE id % 2 = 0;
    INSERT INTO app.${table}_b SELECT * FROM app.${table}_plain WHERE id % 2 = 1`,
};

const entryOf = (user: string): string => `1000 + 7 * (${user})`;

/** Every user has one entry, no two of the same amount; the caches of those in sync know of it. */
async function treeOf(spread: (table: string) => string, inSync = 'false'): Promise<Economy> {
  await db.run('DROP SCHEMA IF EXISTS trueup CASCADE; DROP SCHEMA IF EXISTS app CASCADE');
  const economy = await createEconomy(db, USERS, { foreignKeys: false });
  await db.run(`
    INSERT INTO app.ledger (wallet_id, amount) SELECT n, ${entryOf('n')} FROM generate_series(1, ${String(USERS)}) AS n;
    UPDATE app.wallet SET (balance, earned) = (${entryOf('id')}, ${entryOf('id')}) WHERE ${inSync};
    UPDATE app.profile SET (shown, earned) = (${entryOf('user_id')}, ${entryOf('user_id')})
     WHERE ${inSync.replaceAll('id', 'user_id')}`);
  for (const table of ['wallet', 'profile']) {
    await db.run(`ALTER TABLE app.${table} RENAME TO ${table}_plain; ${spread(table)}`);
  }
  return economy;
}

describe.each(Object.entries(TREES))('%s', (_, spread) => {
  test('places are shared', async () => {
    await treeOf(spread);
    for (const table of ['wallet', 'profile']) {
      const shared = `SELECT count(*)::int - count(DISTINCT ctid)::int FROM app.${table}`;
      expect(await db.value<number>(shared)).toBeGreaterThan(USERS / 4);
    }
  });

  test('every drifted wallet gets what is its own', async () => {
    const economy = await treeOf(spread);
    const trueup = await db.trueup({ config: economy.mapping });
    const summary = await trueup.reconcile({ all: true });
    expect(summary).toMatchObject({ drifted: USERS, repaired: 4 * USERS, exitStatus: 0 });
    expect(await caches(db, economy)).toEqual(await truth(db, economy));
    expect(await findings(trueup)).toEqual([]);
  });

  test('a row in sync at the place of a drifted one is not touched', async () => {
    const economy = await treeOf(spread, 'id % 3 <> 0');
    const versions = `SELECT id, xmin::text FROM app.wallet WHERE id % 3 <> 0
        UNION ALL SELECT id, xmin::text FROM app.profile WHERE user_id % 3 <> 0 ORDER BY 1`;
    const before = await db.rows(versions);
    const trueup = await db.trueup({ config: economy.mapping });
    const summary = await trueup.reconcile({ all: true });
    expect(summary.drifted).toBe(Math.floor(USERS / 3));
    expect(await caches(db, economy)).toEqual(await truth(db, economy));
    expect(await db.rows(versions)).toEqual(before);
  });

  test('the service for one wallet writes that wallet alone', async () => {
    const economy = await treeOf(spread);
    const trueup = await db.trueup({ config: economy.mapping });
    await trueup.syncWalletToProfile('5');
    const written = (await caches(db, economy)).filter((line) => !line.endsWith(' 0 0 | 0 0'));
    expect(written).toEqual(['5 1035 1035 | 1035 1035']);
  });
});

test('a profile table may have a column of any name', async () => {
  await db.run('DROP SCHEMA IF EXISTS trueup CASCADE; DROP SCHEMA IF EXISTS app CASCADE');
  const economy = await createEconomy(db, 1, { foreignKeys: false });
  await db.run(`ALTER TABLE app.profile ADD COLUMN "row" text;
                INSERT INTO app.ledger (wallet_id, amount) VALUES (1, 5)`);
  await (await db.trueup({ config: economy.mapping })).reconcile({ all: true });
  expect(await caches(db, economy)).toEqual(['1 5 5 | 5 5']);
});
