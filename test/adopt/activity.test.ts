import { beforeEach, describe, expect, test } from 'vitest';
import { proposeMapping } from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import { against, emptyDatabase, proposed } from './support.js';

/** The activity table of an application: Trueup would write into it, so it is proposed only where nothing is open. */

const db = await createDatabase('empty');

beforeEach(() => emptyDatabase(db));

const ECONOMY = `
  CREATE TABLE accounts_user (id bigint PRIMARY KEY, username text);
  CREATE TABLE player_profile (id bigint PRIMARY KEY, user_id bigint NOT NULL UNIQUE REFERENCES accounts_user, coin_balance int);
  CREATE TABLE coin_wallet (id bigint PRIMARY KEY, profile_id bigint UNIQUE REFERENCES player_profile, balance int);
  CREATE TABLE coin_entry (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, wallet_id bigint REFERENCES coin_wallet,
    amount int, reason text, created_at timestamptz DEFAULT now());`;

const ID = 'id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY';
const USER = 'user_id bigint NOT NULL REFERENCES accounts_user';
const SOURCE = 'source_model varchar(50) NOT NULL, source_id bigint NOT NULL';

const table = (name: string, ...columns: readonly string[]): string =>
  `${ECONOMY} CREATE TABLE ${name} (${columns.join(', ')});`;

describe('it is proposed', () => {
  test.each<[string, string, object]>([
    [
      'as the platform of UP-M3 keeps it',
      table(
        'useractivity',
        ...[ID, USER, 'event_type varchar(50) NOT NULL', SOURCE, 'metadata jsonb NOT NULL'],
        ...['"timestamp" timestamptz NOT NULL', 'created_at timestamptz NOT NULL'],
      ),
      {
        table: 'useractivity',
        ...{ user: 'user_id', type: 'event_type', sourceModel: 'source_model' },
        ...{ sourceId: 'source_id', metadata: 'metadata' },
        ...{ occurredAt: 'timestamp', createdAt: 'created_at' },
      },
    ],
    [
      'with an id that nobody fills, other words, and columns that need not be filled',
      table(
        '"PlayerEvents"',
        ...['id uuid PRIMARY KEY', '"playerId" bigint REFERENCES accounts_user'],
        ...['"actorId" bigint REFERENCES accounts_user', 'kind text', '"objectType" text'],
        ...['"objectId" text', 'payload json', '"createdAt" timestamptz', 'ip inet'],
        "lang text NOT NULL DEFAULT 'en'",
      ),
      {
        ...{ table: 'PlayerEvents', id: 'id', user: 'playerId', type: 'kind' },
        ...{ sourceModel: 'objectType', sourceId: 'objectId', metadata: 'payload' },
        createdAt: 'createdAt',
      },
    ],
    [
      'without foreign keys, under a key that every event can have',
      `CREATE TABLE player_profile (id bigint PRIMARY KEY, user_id bigint NOT NULL UNIQUE, coin_balance int);
       CREATE TABLE coin_wallet (id bigint PRIMARY KEY, profile_id bigint UNIQUE, balance int);
       CREATE TABLE coin_entry (id bigint PRIMARY KEY, wallet_id bigint, amount int, reason text);
       CREATE TABLE activity (${ID}, user_id bigint, event_type text, ${SOURCE},
         CHECK (event_type IN ('login', 'coins_earned', 'coins_spent')), UNIQUE (user_id, event_type, source_model, source_id))`,
      {
        ...{ table: 'activity', user: 'user_id', type: 'event_type' },
        ...{ sourceModel: 'source_model', sourceId: 'source_id' },
      },
    ],
    [
      'whose users are the profiles themselves',
      `CREATE TABLE players (id bigint PRIMARY KEY, coins bigint);
       CREATE TABLE wallets (id bigint PRIMARY KEY, player_id bigint UNIQUE REFERENCES players, balance bigint);
       CREATE TABLE wallet_entries (id bigint PRIMARY KEY, wallet_id bigint REFERENCES wallets, amount bigint);
       CREATE TABLE feed (${ID}, player_id bigint REFERENCES players, verb text, object_id bigint)`,
      { table: 'feed', user: 'player_id', type: 'verb', sourceId: 'object_id' },
    ],
  ])('%s', async (_, sql, activity) => {
    const { mapping, proposals } = await proposed(db, sql);
    expect(mapping.activity).toEqual(activity);
    expect(Object.keys(mapping)).toEqual(['ledger', 'wallet', 'profile', 'activity']);
    const part = proposals[0]?.parts.find((one) => one.part === 'activity');
    expect(part?.because.join()).toMatch(/its name says/);
    expect(part?.columns.find(({ role }) => role === 'user')?.because).toContain('same user');
    expect(proposals[0]?.notes.join()).toContain('activity.source');
  });

  test('and what is proposed works: an entry becomes its event', async () => {
    const { mapping } = await proposed(
      db,
      table('activity', ID, USER, 'event_type text NOT NULL', SOURCE, 'metadata jsonb NOT NULL'),
    );
    await db.run(`INSERT INTO accounts_user VALUES (7, 'ada'); INSERT INTO player_profile VALUES (70, 7, 0);
                  INSERT INTO coin_wallet VALUES (1, 70, 0)`);
    await (await db.trueup({ config: mapping })).installSync();
    await db.run(`INSERT INTO coin_entry (wallet_id, amount, reason) VALUES (1, 5, 'winner')`);
    expect(
      await db.rows('SELECT user_id, event_type, source_model, source_id, metadata FROM activity'),
    ).toEqual([
      {
        ...{ user_id: '7', event_type: 'coins_earned', source_model: 'coin_entry', source_id: '1' },
        metadata: { amount: 5, reason: 'winner', wallet_id: 1 },
      },
    ]);
    expect(await db.value('SELECT count(*) FROM trueup.activity_failures')).toBe('0');
  });

  test('the likelier of two, by their names', async () => {
    const { mapping } = await proposed(
      db,
      `${table('user_event', ID, USER, 'event_type text', SOURCE)}
       CREATE TABLE user_activity (${ID}, ${USER}, event_type text, ${SOURCE})`,
    );
    expect(mapping.activity?.table).toBe('user_activity');
  });
});

describe('it is not proposed, and that is told', () => {
  test.each<[string, string, string]>([
    [
      'a column would be empty',
      table('activity', ID, USER, 'event_type text', SOURCE, 'severity int NOT NULL'),
      '"severity" may not be null and has no default',
    ],
    [
      'nothing says which entry an event is of',
      table('activity', ID, USER, 'event_type text', 'source_model text'),
      'no column says which entry',
    ],
    [
      'the ids of entries do not fit',
      table('activity', ID, USER, 'event_type text', 'source_id uuid'),
      '"source_id" is uuid, while ledger.id ("id") is bigint',
    ],
    [
      'nobody numbers the events',
      table('activity', 'id bigint PRIMARY KEY', USER, 'event_type text', SOURCE),
      '"id" has no default, and nobody else numbers the events',
    ],
    [
      'a condition lists other types',
      table(
        'activity',
        ID,
        USER,
        "event_type text CHECK (event_type IN ('login', 'logout'))",
        SOURCE,
      ),
      `"event_type" may not take 'coins_earned'`,
    ],
    [
      'a condition lists other sources',
      table(
        'activity',
        ID,
        USER,
        'event_type text',
        "source_model text CHECK (source_model <> 'x')",
        'source_id bigint',
      ),
      `"source_model" may not take 'coin_entry'`,
    ],
    [
      'a user has one event of a type',
      table('activity', ID, USER, 'event_type text', SOURCE, 'UNIQUE (user_id, event_type)'),
      'a unique index over user_id, event_type leaves no room',
    ],
    [
      'the type is too short',
      table('activity', ID, USER, 'event_type varchar(10)', SOURCE),
      `too short for 'coins_earned'`,
    ],
    [
      'it is a view',
      `${table('facts', ID, USER, 'event_type text', SOURCE).replaceAll(' REFERENCES accounts_user', '')}
       CREATE VIEW activity AS SELECT * FROM facts`,
      'it is a view',
    ],
  ])('%s', async (_, sql, why) => {
    const found = await proposed(db, sql);
    expect(found.mapping).not.toHaveProperty('activity');
    expect(found.mapping).toHaveProperty('profile');
    expect(against(found, 'activity')).toContain(why);
    expect(found.runnersUp.find(({ table: name }) => name === 'activity')?.part).toBe('activity');
    expect(found.proposals[0]?.notes.join()).not.toContain('activity');
  });
});

describe('it is nothing of the kind', () => {
  test.each<[string, string]>([
    ['an audit', table('audit_event', ID, USER, 'event_type text', SOURCE)],
    ['a notification', table('notification', ID, USER, 'type text', SOURCE)],
    [
      'events of other users',
      table('activity', ID, 'user_id bigint REFERENCES staff', 'event_type text', SOURCE).replace(
        'CREATE TABLE activity',
        'CREATE TABLE staff (id bigint PRIMARY KEY); CREATE TABLE activity',
      ),
    ],
    ['events without a type', table('activity', ID, USER, SOURCE)],
    ['events whose type is a type', table('activity', ID, USER, 'event_type "char"', SOURCE)],
  ])('%s', async (_, sql) => {
    const found = await proposed(db, sql);
    expect(found.mapping).not.toHaveProperty('activity');
    expect(found.runnersUp.filter(({ part }) => part === 'activity')).toEqual([]);
  });

  test('where no profile is kept, nobody is there whose events they would be', async () => {
    await db.run(`${table('activity', ID, USER, 'event_type text', SOURCE)}
      ALTER TABLE coin_wallet DROP CONSTRAINT coin_wallet_profile_id_key;
      INSERT INTO accounts_user VALUES (7); INSERT INTO player_profile VALUES (70, 7, 0);
      INSERT INTO coin_wallet VALUES (1, 70, 0), (2, 70, 0)`);
    const { proposals } = await proposeMapping({ databaseUrl: db.url });
    expect(Object.keys(proposals[0]?.mapping ?? {})).toEqual(['ledger', 'wallet']);
    expect(proposals[0]?.parts.map(({ part }) => part)).toEqual(['ledger', 'wallet']);
    expect(proposals[0]?.notes.join()).not.toContain('activity');
  });
});
