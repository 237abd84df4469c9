import { beforeEach, describe, expect, test } from 'vitest';
import type { Mapping, Trueup } from '../../src/index.js';
import { ACTIVITY, createActivity, events, expected } from '../support/activity.js';
import { createDatabase } from '../support/database.js';

/** Whatever keeps an event from being written: the coins move, it is recorded, and healed exactly once. */

const db = await createDatabase('empty');
let mapping: Mapping;
let trueup: Trueup;

beforeEach(async () => {
  ({ mapping } = await createActivity(db, 6));
  trueup = await db.trueup({ config: mapping });
  await trueup.installSync();
  await db.run('TRUNCATE trueup.activity_failures, trueup.sync_failures');
});

const credit = (...wallets: number[]): Promise<void> =>
  db.run('INSERT INTO app.ledger (wallet_id, amount) SELECT w, 5 FROM unnest($1::bigint[]) AS w', [
    wallets,
  ]);
const states = async (): Promise<string[]> =>
  (await db.rows('SELECT sqlstate FROM trueup.activity_failures ORDER BY id')).map(
    ({ sqlstate }) => sqlstate ?? '',
  );
const heal = (): Promise<{ healed: number; failed: number }> => trueup.heal({ everything: true });

async function expectMoved(): Promise<void> {
  expect(
    await db.value(
      'SELECT sum(balance) = sum(l.coins) FROM (SELECT sum(balance) AS balance FROM app.wallet) w, (SELECT sum(amount) AS coins FROM app.ledger) l',
    ),
  ).toBe(true);
  expect((await trueup.reconcile({ all: true, dryRun: true })).findings).toBe(0);
}

test('the table is dropped: everything is recorded, and healed once it is back', async () => {
  await db.run('ALTER TABLE app.activity RENAME TO gone');
  await credit(1);
  await credit(1, 2, 3, 4);
  await expectMoved();
  expect(await states()).toEqual(Array.from({ length: 5 }, () => '42P01'));
  expect(await trueup.syncStatus()).toMatchObject({ waitingActivity: 5, waitingFailures: 0 });
  expect(await heal()).toEqual({ healed: 0, failed: 5 });
  await db.run('ALTER TABLE app.gone RENAME TO activity');
  expect(await trueup.heal()).toEqual({ healed: 0, failed: 0 }); // not due yet
  expect(await heal()).toEqual({ healed: 5, failed: 0 });
  expect(await events(db)).toEqual(await expected(db));
  expect(await trueup.syncStatus()).toMatchObject({ waitingActivity: 0 });
});

test('a column is too short', async () => {
  await db.run('ALTER TABLE app.activity ALTER event_type TYPE varchar(11)');
  await credit(1);
  await db.run('INSERT INTO app.ledger (wallet_id, amount) VALUES (1, 5), (1, -2), (2, 3)');
  await expectMoved();
  expect(await states()).toEqual(['22001', '22001', '22001']); // coins_spent fits
  expect(await events(db)).toHaveLength(1);
  expect(await heal()).toEqual({ healed: 0, failed: 3 });
  await db.run('ALTER TABLE app.activity ALTER event_type TYPE varchar(50)');
  expect(await heal()).toEqual({ healed: 3, failed: 0 });
  expect(await events(db)).toEqual(await expected(db));
});

test('the table is locked: nobody waits for long', async () => {
  const other = await db.connect();
  await other.query('BEGIN; LOCK TABLE app.activity');
  const before = performance.now();
  await credit(1, 2, 3, 4, 5);
  expect(performance.now() - before).toBeLessThan(2_000);
  expect(await states()).toEqual(Array.from({ length: 5 }, () => '55P03'));
  expect(await heal()).toMatchObject({ failed: 5 });
  await other.query('ROLLBACK');
  await heal();
  expect(await events(db)).toEqual(await expected(db));
});

test('a row that the event refers to is locked', async () => {
  const other = await db.connect();
  await other.query('BEGIN');
  await other.query('SELECT 1 FROM app.account WHERE id = 2 FOR UPDATE');
  await credit(2);
  await credit(1, 2, 3);
  await expectMoved();
  expect((await states())[0]).toBe('55P03');
  await other.query('ROLLBACK');
  await heal();
  expect(await events(db)).toEqual(await expected(db));
});

test('a user whom the table does not know: checked in the commit, and caught all the same', async () => {
  await db.run('DELETE FROM app.account WHERE id = 2');
  await credit(2);
  await credit(1, 2, 3);
  await expectMoved();
  expect(await states()).toEqual(['23503', '23503']);
  expect(await events(db)).toHaveLength(2);
  expect(await heal()).toEqual({ healed: 0, failed: 2 });
  await db.run('INSERT INTO app.account VALUES (2)');
  await heal();
  expect(await events(db)).toEqual(await expected(db));
});

test('a unique index of the application: another event in the way is a failure, never silence', async () => {
  await db.run('CREATE UNIQUE INDEX in_the_way ON app.activity (user_id, event_type)');
  await credit(1);
  await credit(1);
  await credit(1, 2, 3);
  await expectMoved();
  expect(await states()).toEqual(['23505', '23505']);
  await db.run('DROP INDEX app.in_the_way');
  await heal();
  expect(await events(db)).toEqual(await expected(db));
});

test('an event that is there already is no failure, and not written again', async () => {
  await db.run('CREATE UNIQUE INDEX ON app.activity (source_model, source_id, event_type)');
  const next = Number(await db.value("SELECT nextval(pg_get_serial_sequence('app.ledger', 'id'))"));
  await db.run(
    `INSERT INTO app.activity (user_id, event_type, source_model, source_id, metadata, "timestamp", created_at)
     SELECT 1, 'coins_earned', 'economy', n, '{"amount": 5, "reason": "winner"}', now(), now()
       FROM unnest($1::bigint[]) AS n`,
    [[next + 1, next + 3]],
  );
  await credit(1);
  await credit(2, 1, 3, 4);
  expect(await states()).toEqual([]);
  expect(await events(db)).toEqual(await expected(db));
});

test('concurrent healers write each event once, without any unique index', async () => {
  await db.run('ALTER TABLE app.activity RENAME TO gone');
  for (let n = 0; n < 20; n += 1) await credit(1 + (n % 6));
  await db.run('ALTER TABLE app.gone RENAME TO activity');
  const healers = await Promise.all([1, 2, 3].map(() => db.trueup({ config: mapping })));
  await Promise.all([trueup, ...healers].map((one) => one.heal({ everything: true })));
  expect(await events(db)).toEqual(await expected(db));
});

test('one event at fault among many stops no other healing', async () => {
  await db.run('DELETE FROM app.account WHERE id = 2');
  await db.run('ALTER TABLE app.activity RENAME TO gone');
  for (let n = 0; n < 12; n += 1) await credit(1 + (n % 6));
  await db.run('ALTER TABLE app.gone RENAME TO activity');
  expect(await heal()).toEqual({ healed: 10, failed: 2 });
  const [failure] = await db.rows(
    'SELECT last_error FROM trueup.activity_failures WHERE healed_at IS NULL',
  );
  expect(failure?.['last_error']).toContain('foreign key');
});

test('a failure of an entry whose wallet has no user is closed without an event', async () => {
  await db.run('UPDATE app.wallet SET profile_id = NULL WHERE id = 2');
  await db.run('ALTER TABLE app.activity RENAME TO gone');
  await credit(1, 2, 3);
  await db.run('ALTER TABLE app.gone RENAME TO activity');
  await heal();
  expect(await events(db)).toEqual(await expected(db));
  expect(await trueup.syncStatus()).toMatchObject({ waitingActivity: 0 });
});

describe('entries from before', () => {
  test('get their events when asked, once, also while they are healed', async () => {
    await trueup.removeSync();
    for (let n = 0; n < 30; n += 1) await credit(1 + (n % 6));
    await trueup.installSync();
    await credit(1);
    expect(await events(db)).toHaveLength(1);
    const other = await db.trueup({ config: mapping });
    await Promise.all([trueup.backfillActivity(), other.backfillActivity(), other.heal()]);
    await heal();
    expect(await events(db)).toEqual(await expected(db));
    expect(await trueup.backfillActivity()).toEqual({ missing: 0, healed: 0, failed: 0 });
    expect(await events(db)).toHaveLength(31);
  });

  test('without an activity table it is refused', async () => {
    const bare = await db.trueup({ config: { ...mapping, activity: undefined } });
    await expect(bare.backfillActivity()).rejects.toMatchObject({ code: 'feature_off' });
  });
});

describe('a mapping that does not fit is refused', () => {
  const CASES: readonly (readonly [string, Record<string, unknown>, string])[] = [
    ['a type', { type: 'user_id' }, 'activity.type: "user_id" is bigint, not text'],
    [
      'a missing column',
      { metadata: 'meta' },
      'activity.metadata: "app"."activity" has no column "meta"',
    ],
    [
      'nobody fills a column',
      { createdAt: undefined },
      '"created_at" may not be null and has no default',
    ],
    ['no such table', { table: 'app.events' }, 'activity.table: there is no table app.events'],
    ['the ledger itself', { table: 'app.ledger' }, 'activity.'],
    [
      'a source too long',
      { source: 'x'.repeat(51) },
      'activity.sourceModel: "source_model" is character varying(50), too short',
    ],
    [
      'a source id of another kind',
      { sourceId: 'timestamp', occurredAt: undefined },
      'activity.sourceId: "timestamp" is timestamp',
    ],
  ];
  test.each(CASES)('%s', async (_name, change, complaint) => {
    const config = { ...mapping, activity: { ...ACTIVITY, ...change } } as Mapping;
    await expect(db.trueup({ config })).rejects.toMatchObject({
      code: 'mapping_mismatch',
      message: expect.stringContaining(complaint) as string,
    });
  });

  test('an unknown key, and a profile that names no user', async () => {
    const config = { ...mapping, activity: { ...ACTIVITY, colour: 'red' } } as Mapping;
    await expect(db.trueup({ config })).rejects.toMatchObject({ code: 'config_invalid' });
    const nobody = { ...mapping, profile: { ...mapping.profile, user: undefined } } as Mapping;
    await expect(db.trueup({ config: nobody })).rejects.toMatchObject({
      message: expect.stringContaining('it needs profile.user') as string,
    });
  });
});
