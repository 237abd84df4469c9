import { beforeEach, expect, test } from 'vitest';
import { proposeMapping } from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import { emptyDatabase, proposed } from './support.js';

/** Columns and tables that look like a part, and whose coins a repair would overwrite. */

const db = await createDatabase('empty');

beforeEach(() => emptyDatabase(db));

test.each(['credit - debit', 'credit'])(
  'a balance generated as %s is the balance, and what it is made of is not',
  async (expression) => {
    await db.run(`
      CREATE TABLE wallet (id int PRIMARY KEY, credit bigint NOT NULL DEFAULT 0, debit bigint NOT NULL DEFAULT 0,
        balance bigint GENERATED ALWAYS AS (${expression}) STORED);
      CREATE TABLE entry (id int PRIMARY KEY, wallet_id int REFERENCES wallet, amount bigint, reason text)`);
    await expect(proposeMapping({ databaseUrl: db.url })).rejects.toMatchObject({
      code: 'nothing_to_adopt',
      message: expect.stringContaining('"balance" is a generated column') as string,
    });
  },
);

test('a profile whose balance is generated is not written through what the balance is made of', async () => {
  const { mapping } = await proposed(
    db,
    `
    CREATE TABLE profile (id int PRIMARY KEY, user_id int UNIQUE, coins bigint, bonus bigint,
      coin_balance bigint GENERATED ALWAYS AS (coins + bonus) STORED);
    CREATE TABLE wallet (id int PRIMARY KEY, profile_id int UNIQUE REFERENCES profile, balance bigint);
    CREATE TABLE entry (id int PRIMARY KEY, wallet_id int REFERENCES wallet, amount bigint, reason text);`,
  );
  expect(mapping.profile).toBeUndefined();
});

test('the wallets of another currency are no profile, and it is said why', async () => {
  const currency = (name: string): string => `
    CREATE TABLE ${name}_wallets (id bigint PRIMARY KEY, user_id bigint UNIQUE, balance bigint NOT NULL DEFAULT 0);
    CREATE TABLE ${name}_entries (id bigint PRIMARY KEY, wallet_id bigint REFERENCES ${name}_wallets, amount bigint);`;
  const { mapping, ...found } = await proposed(db, currency('gem') + currency('gold'));
  expect(mapping.profile).toBeUndefined();
  expect(found.proposals.map((one) => one.mapping.profile)).not.toContainEqual(
    expect.objectContaining({ table: expect.stringContaining('wallets') as string }),
  );
  const other = mapping.wallet.table === 'gem_wallets' ? 'gold' : 'gem';
  expect(
    found.runnersUp.find(({ part, table }) => part === 'profile' && table === `${other}_wallets`)
      ?.against,
  ).toEqual([expect.stringContaining(`"${other}_entries"`) as string]);
});

test('orders of users do not keep a table of users from being the profile', async () => {
  const { mapping } = await proposed(
    db,
    `
    CREATE TABLE players (id int PRIMARY KEY, coins bigint NOT NULL);
    CREATE TABLE orders (id int PRIMARY KEY, player_id int REFERENCES players, amount bigint, reason text,
      created_at timestamptz, idempotency_key text UNIQUE);
    CREATE TABLE wallets (id int PRIMARY KEY, player_id int UNIQUE REFERENCES players, balance bigint NOT NULL);
    CREATE TABLE entries (id int PRIMARY KEY, wallet_id int REFERENCES wallets, player_id int REFERENCES players,
      amount bigint, reason text, created_at timestamptz);`,
  );
  expect(mapping.wallet.table).toBe('wallets');
  expect(mapping.profile?.table).toBe('players');
});
