import { beforeEach, describe, expect, test } from 'vitest';
import { openTrueup, proposeMapping } from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import { against, emptyDatabase, proposed } from './support.js';

/** Schemas that an application might really have, each with the mapping that is sensible for it. */

const db = await createDatabase('empty');

beforeEach(() => emptyDatabase(db));

describe.each(['uuid', 'text', 'varchar(40)', 'smallint'])('%s ids', (type) => {
  test('are ids like any other', async () => {
    const { mapping } = await proposed(
      db,
      `
      CREATE TABLE players (id ${type} PRIMARY KEY, nickname text, coins bigint NOT NULL DEFAULT 0);
      CREATE TABLE wallets (id ${type} PRIMARY KEY, player_id ${type} UNIQUE REFERENCES players, balance bigint NOT NULL DEFAULT 0);
      CREATE TABLE transactions (id ${type} PRIMARY KEY, wallet_id ${type} NOT NULL REFERENCES wallets,
        amount bigint NOT NULL, type text NOT NULL, reference text UNIQUE, inserted_at timestamp NOT NULL);`,
    );
    expect(mapping).toEqual({
      ledger: {
        table: 'transactions',
        id: 'id',
        wallet: 'wallet_id',
        amount: 'amount',
        reason: 'type',
        idempotencyKey: 'reference',
        createdAt: 'inserted_at',
      },
      wallet: { table: 'wallets', id: 'id', profile: 'player_id', balance: 'balance' },
      profile: { table: 'players', id: 'id', user: 'id', balance: 'coins' },
    });
  });
});

test('schema-qualified names, over several schemas', async () => {
  const { mapping } = await proposed(
    db,
    `
    CREATE SCHEMA economy; CREATE SCHEMA "people.v2";
    CREATE TABLE "people.v2".profile (id int PRIMARY KEY, user_id int NOT NULL UNIQUE, coin_balance int);
    CREATE TABLE economy.wallet (id int PRIMARY KEY, profile_id int UNIQUE REFERENCES "people.v2".profile, balance int);
    CREATE TABLE economy.entry (id int PRIMARY KEY, wallet_id int REFERENCES economy.wallet, amount int);`,
  );
  expect(mapping).toEqual({
    ledger: { table: 'economy.entry', id: 'id', wallet: 'wallet_id', amount: 'amount' },
    wallet: { table: 'economy.wallet', id: 'id', profile: 'profile_id', balance: 'balance' },
    profile: { table: '"people.v2".profile', id: 'id', user: 'user_id', balance: 'coin_balance' },
  });
});

test('mixed case, reserved words, quotes and blanks as names', async () => {
  const { mapping } = await proposed(
    db,
    `
    CREATE SCHEMA "Select";
    CREATE TABLE "Select"."User" ("order" uuid PRIMARY KEY, "Coin Balance" numeric, "LifetimeEarnings" numeric);
    CREATE TABLE "Select"."Wallet""s" ("WalletID" uuid PRIMARY KEY, "user" uuid UNIQUE REFERENCES "Select"."User",
      "currentBalance" bigint, "isFrozen" boolean, "lastUpdated" timestamptz);
    CREATE TABLE "Select"."Ledger.Entries" ("from" bigint PRIMARY KEY, "walletId" uuid REFERENCES "Select"."Wallet""s",
      "Amount" bigint, "Reason" text, "createdAt" timestamptz);`,
  );
  expect(mapping).toEqual({
    ledger: {
      table: 'Select."Ledger.Entries"',
      id: 'from',
      wallet: 'walletId',
      amount: 'Amount',
      reason: 'Reason',
      createdAt: 'createdAt',
    },
    wallet: {
      table: 'Select."Wallet""s"',
      id: 'WalletID',
      profile: 'user',
      balance: 'currentBalance',
      updatedAt: 'lastUpdated',
    },
    profile: {
      table: 'Select.User',
      id: 'order',
      user: 'order',
      balance: 'Coin Balance',
      lifetimeEarnings: 'LifetimeEarnings',
    },
  });
});

test('names that attack survive the proposal and the dry run', async () => {
  const evil = `x"; DROP TABLE w; -- '\\$$ {wallet}`;
  const q = (name: string): string => `"${name.replaceAll('"', '""')}"`;
  const { mapping } = await proposed(
    db,
    `
    CREATE TABLE w (kept int);
    CREATE TABLE ${q(`wallet ${evil}`)} (${q(`id ${evil}`)} int PRIMARY KEY, ${q(`balance ${evil}`)} int);
    CREATE TABLE ${q(`ledger ${evil}`)} (id int PRIMARY KEY, ${q(`wallet ${evil} id`)} int REFERENCES ${q(`wallet ${evil}`)},
      ${q(`amount'); DROP TABLE w`)} int, reason text, created_at timestamptz);
    INSERT INTO ${q(`wallet ${evil}`)} VALUES (1, 5);
    INSERT INTO ${q(`ledger ${evil}`)} VALUES (1, 1, 7, 'x', now());`,
  );
  expect(mapping.wallet.balance).toBe(`balance ${evil}`);
  expect(await db.value(`SELECT to_regclass('w') IS NOT NULL`)).toBe(true);
  const trueup = await openTrueup({ databaseUrl: db.url, config: mapping, readOnly: true });
  try {
    expect(await trueup.reconcile({ all: true, dryRun: true })).toMatchObject({ findings: 1 });
    expect(await trueup.findOpeningBalances()).toMatchObject({ wallets: [] });
  } finally {
    await trueup.close();
  }
});

test('leftovers with composite keys are no wallets and no ledger', async () => {
  const { mapping, ...found } = await proposed(
    db,
    `
    CREATE TABLE old_wallet (tenant_id int, id int, balance bigint, PRIMARY KEY (tenant_id, id));
    CREATE TABLE old_transaction (tenant_id int, id int, wallet_id int, amount bigint, reason text, created_at timestamptz,
      PRIMARY KEY (tenant_id, id), FOREIGN KEY (tenant_id, wallet_id) REFERENCES old_wallet);
    CREATE TABLE wallet (id int PRIMARY KEY, balance bigint NOT NULL);
    CREATE TABLE transaction (id int PRIMARY KEY, wallet_id int NOT NULL, amount bigint NOT NULL, reason text);`,
  );
  expect(mapping).toMatchObject({
    ledger: { table: 'transaction', wallet: 'wallet_id' },
    wallet: { table: 'wallet' },
  });
  expect(mapping.profile).toBeUndefined();
  expect(against(found, 'old_wallet')).toContain('unique index');
});

test('a view that looks like the wallet is not chosen, and it is said why', async () => {
  const { mapping, ...found } = await proposed(
    db,
    `
    CREATE TABLE wallet_data (id int PRIMARY KEY, balance bigint NOT NULL, hidden boolean);
    CREATE VIEW wallet AS SELECT id, balance FROM wallet_data WHERE NOT hidden;
    CREATE MATERIALIZED VIEW wallet_totals AS SELECT id, balance FROM wallet_data;
    CREATE TABLE ledger (id int PRIMARY KEY, wallet_id int NOT NULL, amount bigint NOT NULL, reason text);
    CREATE VIEW ledger_entries AS SELECT * FROM ledger;`,
  );
  expect(mapping.wallet.table).toBe('wallet_data');
  expect(mapping.ledger.table).toBe('ledger');
  expect(against(found, 'wallet')).toContain('a view');
  expect(against(found, 'wallet_totals')).toContain('a materialized view');
  expect(against(found, 'ledger_entries')).toContain('a view');
});

test('a partitioned ledger is one table, and its id is a part of the key', async () => {
  const { mapping, looked, ...found } = await proposed(
    db,
    `
    CREATE TABLE wallet (id bigint PRIMARY KEY, balance bigint NOT NULL);
    CREATE TABLE coin_entry (id bigint GENERATED ALWAYS AS IDENTITY, wallet_id bigint NOT NULL REFERENCES wallet,
      amount bigint NOT NULL, idempotency_key text, created_at timestamptz NOT NULL,
      PRIMARY KEY (id, created_at), UNIQUE (idempotency_key, created_at)) PARTITION BY RANGE (created_at);
    CREATE TABLE coin_entry_2025 PARTITION OF coin_entry FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
    CREATE TABLE coin_entry_rest PARTITION OF coin_entry DEFAULT;`,
  );
  expect(looked).toBe(2);
  expect(mapping.ledger).toEqual({
    table: 'coin_entry',
    id: 'id',
    wallet: 'wallet_id',
    amount: 'amount',
    createdAt: 'created_at',
  });
  const lacks = found.proposals[0]?.parts[0]?.lacks ?? [];
  expect(lacks.find(({ role }) => role === 'idempotencyKey')?.because.join()).toContain(
    'no unique index',
  );
});

test('a generated column that is optional is left out, with the reason', async () => {
  const { mapping, ...found } = await proposed(
    db,
    `
    CREATE TABLE wallet (id int PRIMARY KEY, coins bigint NOT NULL DEFAULT 0, held bigint NOT NULL DEFAULT 0,
      updated_at timestamp GENERATED ALWAYS AS (timestamp '2025-01-01') STORED);
    CREATE TABLE entry (id int PRIMARY KEY, wallet_id int REFERENCES wallet, amount bigint, reason text);`,
  );
  expect(mapping.wallet).toEqual({
    table: 'wallet',
    id: 'id',
    balance: 'coins',
    pendingBalance: 'held',
  });
  const lacks = found.proposals[0]?.parts[1]?.lacks ?? [];
  expect(lacks.find(({ role }) => role === 'updatedAt')?.because.join()).toContain('generated');
});

test('where nothing but a generated balance is there, it is refused with this reason', async () => {
  await db.run(`
    CREATE TABLE wallet (id int PRIMARY KEY, a int, balance int GENERATED ALWAYS AS (a) STORED);
    CREATE TABLE entry (id int PRIMARY KEY, wallet_id int REFERENCES wallet, amount int, reason text)`);
  await expect(proposeMapping({ databaseUrl: db.url })).rejects.toMatchObject({
    code: 'nothing_to_adopt',
    message: expect.stringContaining('generated') as string,
  });
});

test('without any foreign key the names have to do', async () => {
  const { mapping, ...found } = await proposed(
    db,
    `
    CREATE TABLE app_users (id int PRIMARY KEY, username text, coin_balance bigint);
    CREATE TABLE app_wallets (id int PRIMARY KEY, userid int UNIQUE, currentbalance bigint, totalearned bigint, updatedat timestamptz);
    CREATE TABLE app_entries (id int PRIMARY KEY, walletid int, amount bigint, idempotencykey text UNIQUE, createdat timestamptz);`,
  );
  expect(mapping).toEqual({
    ledger: {
      table: 'app_entries',
      id: 'id',
      wallet: 'walletid',
      amount: 'amount',
      idempotencyKey: 'idempotencykey',
      createdAt: 'createdat',
    },
    wallet: {
      table: 'app_wallets',
      id: 'id',
      profile: 'userid',
      balance: 'currentbalance',
      lifetimeEarnings: 'totalearned',
      updatedAt: 'updatedat',
    },
    profile: { table: 'app_users', id: 'id', user: 'id', balance: 'coin_balance' },
  });
  expect(found.proposals[0]?.parts[0]?.because.join()).toContain('there is no foreign key');
});

test('two ledgers: always the same is chosen, and the other is told', async () => {
  const ledger = (name: string): string => `
    CREATE TABLE ${name} (id int PRIMARY KEY, wallet_id int REFERENCES wallet, amount bigint, reason text, created_at timestamptz)`;
  const tables = `CREATE TABLE wallet (id int PRIMARY KEY, balance bigint);`;
  const { mapping, ...found } = await proposed(
    db,
    `${tables} ${ledger('entry_b')}; ${ledger('entry_a')};`,
  );
  expect(mapping.ledger.table).toBe('entry_a');
  expect(against(found, 'entry_b')).toContain('just as likely');
  expect(found.proposals.map((one) => one.mapping.ledger.table)).toEqual(['entry_a', 'entry_b']);
});

test('an archive of the ledger is not the ledger, though it comes first by name', async () => {
  const { mapping, ...found } = await proposed(
    db,
    `
    CREATE TABLE wallet (id int PRIMARY KEY, balance bigint);
    CREATE TABLE entry_archive (id int PRIMARY KEY, wallet_id int REFERENCES wallet, amount bigint, reason text);
    CREATE TABLE entry_live (id int PRIMARY KEY, wallet_id int REFERENCES wallet, amount bigint, reason text);`,
  );
  expect(mapping.ledger.table).toBe('entry_live');
  expect(against(found, 'entry_archive')).toContain('archive');
});

test('amounts in numeric(12,2); a whole-numbered cache of them is left out, or refused', async () => {
  const { mapping, ...found } = await proposed(
    db,
    `
    CREATE TABLE profile (id int PRIMARY KEY, user_id int UNIQUE, balance integer, total_earned numeric(14,2));
    CREATE TABLE wallet (id int PRIMARY KEY, profile_id int UNIQUE REFERENCES profile, balance numeric(12,2));
    CREATE TABLE entry (id int PRIMARY KEY, wallet_id int REFERENCES wallet, amount numeric(12,2), reason text);`,
  );
  expect(mapping.wallet.balance).toBe('balance');
  expect(mapping.profile).toEqual({
    table: 'profile',
    id: 'id',
    user: 'user_id',
    lifetimeEarnings: 'total_earned',
  });
  const [proposal] = found.proposals;
  expect(proposal?.notes.join()).toContain('whole coins only');
  expect(proposal?.parts[2]?.lacks.map(({ because }) => because.join()).join()).toContain(
    'cannot hold every sum',
  );
  await db.run('ALTER TABLE wallet ALTER balance TYPE integer');
  await expect(proposeMapping({ databaseUrl: db.url })).rejects.toMatchObject({
    code: 'nothing_to_adopt',
    message: expect.stringContaining('cannot hold every sum') as string,
  });
});
