import { beforeEach, describe, expect, test } from 'vitest';
import { proposeMapping, TrueupError } from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import { against, emptyDatabase, proposed } from './support.js';

/** Economies of other shapes, tables that are none, and roles that may not see everything. */

const db = await createDatabase('empty');

beforeEach(() => emptyDatabase(db));

const refusal = (message: string): object => ({
  code: 'nothing_to_adopt',
  message: expect.stringContaining(message) as string,
});

describe('shapes', () => {
  test('wallet, profile and entries that name the same user', async () => {
    const { mapping } = await proposed(
      db,
      `CREATE TABLE auth_user (id int PRIMARY KEY, username text);
       CREATE TABLE shop_profile (id int PRIMARY KEY, user_id int NOT NULL UNIQUE REFERENCES auth_user, coins int);
       CREATE TABLE shop_wallet (id int PRIMARY KEY, user_id int NOT NULL UNIQUE REFERENCES auth_user, balance int);
       CREATE TABLE shop_coinentry (id int PRIMARY KEY, user_id int NOT NULL REFERENCES auth_user, delta int, reason text,
         created_by_id int REFERENCES auth_user);`,
    );
    expect(mapping).toEqual({
      ledger: {
        table: 'shop_coinentry',
        id: 'id',
        wallet: 'user_id',
        amount: 'delta',
        reason: 'reason',
      },
      wallet: { table: 'shop_wallet', id: 'user_id', profile: 'user_id', balance: 'balance' },
      profile: { table: 'shop_profile', id: 'user_id', user: 'user_id', balance: 'coins' },
    });
  });

  test('users who hold their coins themselves, and no profile', async () => {
    const found = await proposed(
      db,
      `CREATE TABLE users (id bigint PRIMARY KEY, email text, coins bigint NOT NULL, updated_at timestamptz);
       CREATE TABLE coin_log (id bigint PRIMARY KEY, user_id bigint REFERENCES users, delta int, kind text, created_at timestamptz);`,
    );
    expect(found.mapping).toEqual({
      ledger: {
        table: 'coin_log',
        id: 'id',
        wallet: 'user_id',
        amount: 'delta',
        reason: 'kind',
        createdAt: 'created_at',
      },
      wallet: { table: 'users', id: 'id', balance: 'coins', updatedAt: 'updated_at' },
    });
    expect(found.proposals[0]?.notes.join()).toContain('no profile');
  });

  test('several wallets of a profile, of which one is the primary', async () => {
    const { mapping } = await proposed(
      db,
      `CREATE TABLE profile (id int PRIMARY KEY, user_id int UNIQUE, coin_balance int);
       CREATE TABLE wallet (id int PRIMARY KEY, profile_id int REFERENCES profile, currency text, is_primary boolean, balance int);
       CREATE UNIQUE INDEX ON wallet (profile_id) WHERE is_primary;
       CREATE TABLE entry (id int PRIMARY KEY, wallet_id int REFERENCES wallet, amount int, reason text);
       INSERT INTO profile VALUES (1, 1, 0);
       INSERT INTO wallet VALUES (1, 1, 'coins', true, 0), (2, 1, 'gems', false, 0);`,
    );
    expect(mapping.wallet).toEqual({
      table: 'wallet',
      id: 'id',
      profile: 'profile_id',
      balance: 'balance',
      currency: 'currency',
      primary: 'is_primary',
    });
  });

  test('a profile with two wallets and nothing that tells them apart is left out', async () => {
    const found = await proposed(
      db,
      `CREATE TABLE profile (id int PRIMARY KEY, user_id int UNIQUE, coin_balance int);
       CREATE TABLE wallet (id int PRIMARY KEY, profile_id int REFERENCES profile, balance int);
       CREATE TABLE entry (id int PRIMARY KEY, wallet_id int REFERENCES wallet, amount int, reason text);
       INSERT INTO profile VALUES (1, 1, 0); INSERT INTO wallet VALUES (1, 1, 0), (2, 1, 0);`,
    );
    expect(found.mapping.profile).toBeUndefined();
    expect(found.mapping.wallet).toEqual({ table: 'wallet', id: 'id', balance: 'balance' });
    expect(found.proposals[0]?.notes[0]).toContain('profile 1 has 2 wallets');
  });

  test("a game's points on the profile are not taken for its coins", async () => {
    const { mapping } = await proposed(
      db,
      `CREATE TABLE player (id int PRIMARY KEY, points int, credits_spent int, xp_earned int, likes_received int);
       CREATE TABLE wallet (id int PRIMARY KEY, player_id int UNIQUE REFERENCES player, balance int);
       CREATE TABLE entry (id int PRIMARY KEY, wallet_id int REFERENCES wallet, amount int, reason text);`,
    );
    expect(mapping.profile).toBeUndefined();
  });

  test('domains count as the types behind them', async () => {
    const { mapping } = await proposed(
      db,
      `CREATE DOMAIN coins AS numeric(10, 2); CREATE DOMAIN more_coins AS coins;
       CREATE TABLE wallet (id int PRIMARY KEY, balance more_coins NOT NULL);
       CREATE TABLE entry (id int PRIMARY KEY, wallet_id int REFERENCES wallet, amount coins, reason text);`,
    );
    expect(mapping.wallet.balance).toBe('balance');
  });
});

describe('what is no economy', () => {
  test.each<[string, string, string]>([
    ['an empty database', '', 'among 0 tables'],
    [
      'a shop with orders and points',
      `CREATE TABLE users (id int PRIMARY KEY, email text, points int);
       CREATE TABLE orders (id int PRIMARY KEY, user_id int REFERENCES users, amount int, status text, created_at timestamptz)`,
      'no ledger with wallets was found',
    ],
    [
      'debits and credits in two columns',
      `CREATE TABLE wallet (id int PRIMARY KEY, balance int);
       CREATE TABLE entry (id int PRIMARY KEY, wallet_id int REFERENCES wallet, debit int, credit int, reason text)`,
      'two columns',
    ],
    [
      'amounts without a sign',
      `CREATE TABLE wallet (id int PRIMARY KEY, balance int);
       CREATE TABLE entry (id int PRIMARY KEY, wallet_id int REFERENCES wallet, amount int CHECK (amount > 0), direction text)`,
      'no sign',
    ],
    [
      'transfers from one wallet to another in one row',
      `CREATE TABLE wallet (id int PRIMARY KEY, balance int);
       CREATE TABLE transaction (id int PRIMARY KEY, from_wallet_id int REFERENCES wallet, to_wallet_id int REFERENCES wallet, amount int)`,
      'an entry is on one wallet',
    ],
    [
      'one row a wallet',
      `CREATE TABLE wallet (id int PRIMARY KEY, balance int);
       CREATE TABLE movement (id int PRIMARY KEY, wallet_id int UNIQUE REFERENCES wallet, amount int)`,
      'is unique',
    ],
    [
      'a wallet without a key',
      `CREATE TABLE wallet (id int, balance int);
       CREATE TABLE movement (id int PRIMARY KEY, wallet_id int, amount int, reason text)`,
      'no unique index',
    ],
  ])('%s', async (_, sql, message) => {
    await db.run(sql);
    const refused = proposeMapping({ databaseUrl: db.url });
    await expect(refused).rejects.toMatchObject(refusal(message));
    await expect(refused).rejects.toMatchObject({
      hint: expect.stringContaining('Looked for') as string,
    });
  });

  test("Trueup's own tables are not those of an application", async () => {
    const own = await db.trueup();
    expect(own.mapping.ledger.table.quoted).toBe('"trueup"."entries"');
    await expect(proposeMapping({ databaseUrl: db.url })).rejects.toMatchObject(
      refusal('among 0 tables'),
    );
  });
});

describe('rights', () => {
  const TABLES = `
    CREATE TABLE wallet (id int PRIMARY KEY, balance int);
    CREATE TABLE entry (id int PRIMARY KEY, wallet_id int REFERENCES wallet, amount int, reason text);`;

  const USAGE = 'GRANT USAGE ON SCHEMA "public" TO ROLE';
  const SELECTS = ['"entry"', '"wallet"'].map((name) => `GRANT SELECT ON "public".${name} TO ROLE`);

  test('SELECT on the tables is enough', async () => {
    await db.run(TABLES);
    const role = await db.role();
    await db.run(
      `GRANT USAGE ON SCHEMA public TO ${role.name}; GRANT SELECT ON wallet, entry TO ${role.name}`,
    );
    const { proposals } = await proposeMapping({ databaseUrl: role.url });
    expect(proposals[0]?.mapping.wallet.table).toBe('wallet');
  });

  test('a table that this role may not read is told, with the right that is missing', async () => {
    await db.run(TABLES);
    const role = await db.role();
    await db.run(
      `GRANT USAGE ON SCHEMA public TO ${role.name}; GRANT SELECT ON entry TO ${role.name}`,
    );
    await expect(proposeMapping({ databaseUrl: role.url })).rejects.toMatchObject({
      code: 'permission_denied',
      message: expect.stringContaining(
        `role ${role.name} may not read "public"."wallet":`,
      ) as string,
      hint: `GRANT SELECT ON "public"."wallet" TO ${role.name}`,
    });
  });

  test.each([
    ['no right on any table', 'USAGE', SELECTS],
    ['no right to look into the schema', 'SELECT', [USAGE]],
    ['no right at all', '', [USAGE, ...SELECTS]],
  ])('%s: the tables are named, and the GRANTs that help do help', async (_, given, grants) => {
    await db.run(TABLES);
    const role = await db.role();
    if (given === 'USAGE') await db.run(`GRANT USAGE ON SCHEMA public TO ${role.name}`);
    if (given === 'SELECT') await db.run(`GRANT SELECT ON wallet, entry TO ${role.name}`);
    const refused = await proposeMapping({ databaseUrl: role.url }).catch(
      (error: unknown) => error,
    );
    if (!(refused instanceof TrueupError)) throw new Error('nothing was refused');
    expect(refused.code).toBe('permission_denied');
    expect(refused.message).toContain('"public"."entry", "public"."wallet"');
    expect(refused.hint).toBe(grants.join('; ').replaceAll('ROLE', role.name));
    await db.run(refused.hint ?? '');
    const { proposals } = await proposeMapping({ databaseUrl: role.url });
    expect(proposals[0]?.mapping.ledger.table).toBe('entry');
  });

  test('tables that are closed and would not fit either are not blamed', async () => {
    await db.run('CREATE TABLE letter (id int PRIMARY KEY, body text)');
    const role = await db.role();
    await expect(proposeMapping({ databaseUrl: role.url })).rejects.toMatchObject({
      code: 'nothing_to_adopt',
    });
  });

  test('a column that may not be read is not used', async () => {
    await db.run(TABLES);
    const role = await db.role();
    await db.run(`GRANT USAGE ON SCHEMA public TO ${role.name}; GRANT SELECT ON wallet TO ${role.name};
                  GRANT SELECT (id, wallet_id, amount) ON entry TO ${role.name}`);
    const { proposals } = await proposeMapping({ databaseUrl: role.url });
    expect(proposals[0]?.mapping.ledger).toEqual({
      table: 'entry',
      id: 'id',
      wallet: 'wallet_id',
      amount: 'amount',
    });
  });

  test('row-level security that hides rows is told', async () => {
    await db.run(`${TABLES} ALTER TABLE entry ENABLE ROW LEVEL SECURITY`);
    const role = await db.role();
    await db.run(
      `GRANT USAGE ON SCHEMA public TO ${role.name}; GRANT SELECT ON wallet, entry TO ${role.name}`,
    );
    const { proposals } = await proposeMapping({ databaseUrl: role.url });
    expect(proposals[0]?.notes.join()).toContain('row-level security');
  });
});

test('the same database gives the same proposal, whatever was created first', async () => {
  const wallets = ['a', 'b', 'c'].map(
    (n) => `CREATE TABLE wallet_${n} (id int PRIMARY KEY, balance int);
    CREATE TABLE entry_${n} (id int PRIMARY KEY, wallet_id int REFERENCES wallet_${n}, amount int, reason text);`,
  );
  await db.run(wallets.join(''));
  const one = await proposeMapping({ databaseUrl: db.url });
  await emptyDatabase(db);
  await db.run([...wallets].reverse().join(''));
  const other = await proposeMapping({ databaseUrl: db.url });
  expect(other).toEqual(one);
  expect(one.proposals[0]?.mapping.ledger.table).toBe('entry_a');
  expect(against(one, 'wallet_b')).toContain('just as likely');
});
