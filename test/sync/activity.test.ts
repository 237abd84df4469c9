import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import fc from 'fast-check';
import { from as copyFrom } from 'pg-copy-streams';
import type pg from 'pg';
import { describe, expect, test } from 'vitest';
import type { Mapping, Trueup } from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import { createActivity, events, expected, type ActivityOptions } from '../support/activity.js';

/** Every entry of a user is one event in the application's activity table, in the entry's commit. */

const db = await createDatabase('empty');
let mapping: Mapping;

async function adopt(options: ActivityOptions = {}, deferred = false): Promise<Trueup> {
  ({ mapping } = await createActivity(db, 6, options));
  const trueup = await db.trueup({ config: mapping });
  await trueup.installSync({ deferred });
  await db.run('TRUNCATE trueup.activity_failures, trueup.sync_failures, trueup.profile_marks');
  return trueup;
}

function adoptAgain(): Promise<Trueup> {
  return db.trueup({ config: mapping });
}

const KINDS: readonly (readonly [string, ActivityOptions, boolean])[] = [
  ['as UP-M3 has it, with its unique index', { unique: true }, false],
  ['deferred', {}, true],
  ['text source ids and json', { sourceIdType: 'varchar(40)', metadataType: 'json' }, false],
  [
    'integer source ids, numeric amounts',
    {
      sourceIdType: 'integer',
      amountType: 'numeric(12,2)',
      walletType: 'numeric',
      profileType: 'numeric',
    },
    false,
  ],
  ['uuid wallets', { idType: 'uuid' }, false],
];

describe.each(KINDS)('%s', (_, options, deferred) => {
  test('one row, two, many, COPY, and none: exactly one event each', async () => {
    await adopt(options, deferred);
    const wallets = await db.rows<{ id: string }>('SELECT id FROM app.wallet ORDER BY id');
    const id = (n: number): string => wallets[n - 1]?.id ?? '';
    const into = 'INSERT INTO app.ledger (wallet_id, amount, after, reason) VALUES';
    await db.run(`${into} ($1, 10, 10, 'winner')`, [id(1)]);
    await db.run(`${into} ($1, -4, 6, 'purchase'), ($2, 3, NULL, 'top4')`, [id(1), id(2)]);
    await db.run(
      `${into} ($1, 1, NULL, 'a'), ($2, 2, NULL, 'b'), ($3, 3, NULL, 'c'), ($1, -1, NULL, 'd')`,
      [id(1), id(2), id(3)],
    );
    await db.run(
      'INSERT INTO app.ledger (wallet_id, amount) SELECT id, 5 FROM app.wallet WHERE false',
    );
    const client = await db.connect();
    await pipeline(
      Readable.from(Array.from({ length: 300 }, (_line, n) => `${id(1 + (n % 6))}\t2\n`)),
      client.query(copyFrom('COPY app.ledger (wallet_id, amount) FROM STDIN')),
    );
    const written = await events(db);
    expect(written).toEqual(await expected(db));
    expect(written).toHaveLength(307);
    expect(await db.value('SELECT count(*) FROM trueup.activity_failures')).toBe('0');
    const [first] = await db.rows(
      `SELECT metadata, "timestamp" = (SELECT created_at FROM app.ledger ORDER BY id LIMIT 1) AS timely FROM app.activity ORDER BY id LIMIT 1`,
    );
    expect(first).toEqual({
      metadata: {
        amount: 10,
        reason: 'winner',
        wallet_id: options.idType === undefined ? 1 : id(1),
        balance_after: 10,
      },
      timely: true,
    });
  });
});

test('a wallet without user makes no event, a rollback leaves none, and roles need no right', async () => {
  await adopt();
  await db.run('UPDATE app.wallet SET profile_id = NULL WHERE id = 2');
  const { name } = await db.role();
  await db.run(`GRANT USAGE ON SCHEMA app TO ${name}; GRANT INSERT ON app.ledger TO ${name}`);
  const client = await db.connect();
  await client.query(`SET ROLE ${name}`);
  await client.query('INSERT INTO app.ledger (wallet_id, amount) VALUES (1, 5), (2, 5), (2, 6)');
  await client.query('INSERT INTO app.ledger (wallet_id, amount) VALUES (2, 5)');
  await client.query('BEGIN');
  await client.query('INSERT INTO app.ledger (wallet_id, amount) VALUES (1, 7)');
  await client.query('ROLLBACK');
  expect(await events(db)).toEqual(await expected(db));
  expect(await events(db)).toHaveLength(1);
});

test('the verbs of the library make one each, and a replay makes none', async () => {
  const trueup = await adopt();
  const award = { walletId: '1', amount: 50n, reason: 'winner', idempotencyKey: 'a' };
  await trueup.credit(award);
  await trueup.credit(award);
  await trueup.transfer({
    from: { walletId: '1' },
    to: { walletId: '2' },
    amount: 20n,
    reason: 'p2p_transfer',
  });
  expect(await events(db)).toEqual(await expected(db));
  expect(await events(db)).toHaveLength(3);
});

test('lock_timeout and the constraints of the caller are left as they were', async () => {
  await adopt();
  const client = await db.connect();
  await client.query("BEGIN; SET LOCAL lock_timeout = '7s'");
  await client.query('INSERT INTO app.ledger (wallet_id, amount) VALUES (1, 5)');
  expect((await client.query('SHOW lock_timeout')).rows).toEqual([{ lock_timeout: '7s' }]);
  await client.query(
    `INSERT INTO app.activity (user_id, event_type, source_model, source_id, metadata, "timestamp", created_at)
     VALUES (99, 'login', 'session', 1, '{}', now(), now())`,
  );
  await client.query('INSERT INTO app.account VALUES (99)'); // its own order is still allowed
  await client.query('COMMIT');
  expect(await db.value('SELECT count(*) FROM app.activity')).toBe('2');
});

test('random writers, faults and healers: as many events as entries of users, and none twice', async () => {
  const trueup = await adopt();
  await db.run(`
    UPDATE app.wallet SET profile_id = NULL WHERE id = 6;
    CREATE FUNCTION app.picky() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN IF NEW.metadata ->> 'reason' = 'angry' AND random() < 0.7 THEN RAISE EXCEPTION 'not today'; END IF; RETURN NEW; END $$;
    CREATE TRIGGER picky BEFORE INSERT ON app.activity FOR EACH ROW EXECUTE FUNCTION app.picky()`);
  const healers = [trueup, await adoptAgain()];
  const writers = await Promise.all([1, 2, 3].map(() => db.connect()));
  const statement = fc.record({
    wallets: fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 5 }),
    amount: fc.integer({ min: -50, max: 50 }).filter((n) => n !== 0),
    reason: fc.constantFrom('winner', 'angry'),
    end: fc.constantFrom('COMMIT', 'COMMIT', 'ROLLBACK'),
    heal: fc.boolean(),
  });
  type Written = typeof statement extends fc.Arbitrary<infer Value> ? Value : never;
  const write = async (client: pg.Client, list: readonly Written[]): Promise<void> => {
    for (const { wallets, amount, reason, end, heal } of list) {
      await client.query('BEGIN');
      await client.query(
        'INSERT INTO app.ledger (wallet_id, amount, reason) SELECT w, $2, $3 FROM unnest($1::bigint[]) AS w',
        [wallets, amount, reason],
      );
      await client.query(end);
      if (heal) await Promise.all(healers.map((healer) => healer.heal({ everything: true })));
    }
  };
  await fc.assert(
    fc.asyncProperty(fc.array(statement, { minLength: 3, maxLength: 12 }), async (list) => {
      await Promise.all(
        writers.map((client, n) =>
          write(
            client,
            list.filter((_, i) => i % writers.length === n),
          ),
        ),
      );
      const [counts] = await db.rows(`
        SELECT (SELECT count(*) FROM app.activity) + (SELECT count(*) FROM trueup.activity_failures WHERE healed_at IS NULL)
               = (SELECT count(*) FROM app.ledger WHERE wallet_id <> 6) AS complete,
               (SELECT count(*) = count(DISTINCT source_id) FROM app.activity) AS once`);
      expect(counts).toEqual({ complete: true, once: true });
    }),
    { numRuns: 20 },
  );
  expect(await db.value<boolean>('SELECT count(*) > 0 FROM trueup.activity_failures')).toBe(true);
  await db.run('DROP TRIGGER picky ON app.activity');
  await Promise.all(healers.map((healer) => healer.heal({ everything: true })));
  expect(await events(db)).toEqual(await expected(db));
});
