import { beforeAll, describe, expect, test } from 'vitest';
import { examineDatabase, openTrueup, type Mapping } from '../../src/index.js';
import { createDatabase } from '../support/database.js';

/** Mappings that name things which are there, and that nobody could work with. */

const db = await createDatabase('empty');

const ledger = { table: 'entries', id: 'id', wallet: 'wallet_id', amount: 'amount' };
const wallet = { table: 'wallets', id: 'id', profile: 'player_id', balance: 'balance' };
const profile = { table: 'players', id: 'id', user: 'id', balance: 'coins' };

beforeAll(() =>
  db.run(`
    CREATE TABLE players (id bigint PRIMARY KEY, coins bigint NOT NULL DEFAULT 0, since timestamptz);
    CREATE TABLE wallets (id bigint PRIMARY KEY, player_id bigint UNIQUE REFERENCES players,
      balance bigint NOT NULL DEFAULT 0, earned bigint NOT NULL DEFAULT 0);
    CREATE TABLE entries (id bigint PRIMARY KEY, wallet_id bigint REFERENCES wallets, amount bigint NOT NULL,
      balance bigint, why text, at timestamptz);
    CREATE TABLE events (id bigint GENERATED ALWAYS AS IDENTITY, player_id bigint, type text, at timestamptz)`),
);

describe.each<[string, Mapping, string]>([
  [
    'two caches in one column',
    { ledger, wallet: { ...wallet, lifetimeEarnings: 'balance' } },
    'wallet.lifetimeEarnings: "balance" is wallet.balance already',
  ],
  [
    'the id as the balance',
    { ledger, wallet: { ...wallet, balance: 'id' } },
    'wallet.balance: "id" is wallet.id already',
  ],
  [
    'the link as the balance',
    { ledger, wallet: { ...wallet, balance: 'player_id' }, profile },
    'wallet.profile: "player_id" is wallet.balance already',
  ],
  [
    'the id of a profile as its balance',
    { ledger, wallet, profile: { ...profile, balance: 'id' } },
    'profile.balance: "id" is profile.id already',
  ],
  [
    'two roles of a ledger in one column',
    { ledger: { ...ledger, reason: 'why', note: 'why' }, wallet },
    'ledger.note: "why" is ledger.reason already',
  ],
  [
    'the ledger as the wallet',
    { ledger, wallet: { table: 'entries', id: 'id', balance: 'balance' } },
    'wallet.table: it is the ledger table',
  ],
  [
    'the ledger as the profile',
    { ledger, wallet, profile: { table: 'entries', id: 'id', balance: 'balance' } },
    'profile.table: it is the ledger table',
  ],
  [
    'the wallet as the profile',
    { ledger, wallet, profile: { table: 'wallets', id: 'id', balance: 'balance' } },
    'profile.table: it is the wallet table',
  ],
  [
    'two times of an event in one column',
    {
      ledger,
      wallet,
      profile,
      activity: {
        table: 'events',
        user: 'player_id',
        type: 'type',
        sourceId: 'id',
        occurredAt: 'at',
        createdAt: 'at',
      },
    },
    'activity.createdAt: "at" is activity.occurredAt already',
  ],
])('%s', (_, config, why) => {
  test('is refused wherever a mapping is used', async () => {
    await expect(openTrueup({ databaseUrl: db.url, config })).rejects.toMatchObject({
      code: 'mapping_mismatch',
      message: expect.stringContaining(why) as string,
    });
    const { findings } = await examineDatabase({ databaseUrl: db.url, config });
    expect(findings.find(({ id }) => id === 'mapping')).toMatchObject({
      level: 'error',
      what: expect.stringContaining(why) as string,
    });
  });
});

test('a row may name its user or its profile by its own id', async () => {
  const { findings } = await examineDatabase({
    databaseUrl: db.url,
    config: { ledger, wallet: { ...wallet, profile: 'id' }, profile },
  });
  expect(findings.find(({ id }) => id === 'mapping')?.level).toBe('ok');
});
