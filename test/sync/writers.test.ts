import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { beforeEach, describe, expect, test } from 'vitest';
import { createDatabase } from '../support/database.js';
import {
  caches,
  createEconomy,
  truth,
  type Economy,
  type EconomyOptions,
} from '../support/economy.js';

/** Writers of every kind: whoever inserts entries, and however, the caches follow in the same commit. */

const db = await createDatabase('empty');

const KINDS: readonly (readonly [string, EconomyOptions])[] = [
  ['integers and numeric(10,2), as UP-M3 has them', {}],
  [
    'uuid ids and bigint',
    { idType: 'uuid', amountType: 'bigint', walletType: 'bigint', profileType: 'bigint' },
  ],
  [
    'text ids and numeric',
    {
      idType: 'text',
      amountType: 'numeric(12,2)',
      walletType: 'numeric',
      profileType: 'numeric(14,2)',
    },
  ],
  ['smallint amounts without foreign keys', { amountType: 'smallint', foreignKeys: false }],
];

describe.each(KINDS)('%s', (_, options) => {
  const schema = `kind_${String(KINDS.findIndex(([name]) => name === _))}`;
  let economy: Economy;
  let writer: pg.Client;

  beforeEach(async () => {
    await db.run(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
    economy = await createEconomy(db, 6, { ...options, schema });
    const trueup = await db.trueup({ config: economy.mapping });
    await trueup.installSync();
    writer = await db.connect();
  });

  const insert = (n: number, amount: number): Promise<unknown> =>
    writer.query(`INSERT INTO ${economy.ledger} (wallet_id, amount) VALUES ($1, $2)`, [
      economy.id(n),
      amount,
    ]);

  async function expectSync(lines?: readonly string[]): Promise<void> {
    const cached = await caches(db, economy);
    expect(cached).toEqual(await truth(db, economy));
    if (lines !== undefined) expect(cached.slice(0, lines.length)).toEqual(lines);
  }

  test('single rows, credits and debits', async () => {
    await insert(1, 100);
    await insert(1, -30);
    await insert(2, 5);
    await expectSync([`${economy.id(1)} 70 100 | 70 100`, `${economy.id(2)} 5 5 | 5 5`]);
  });

  test('many rows in one statement, several for one wallet', async () => {
    await writer.query(
      `INSERT INTO ${economy.ledger} (wallet_id, amount) VALUES ($1, 10), ($2, 20), ($1, -3), ($1, 4), ($3, 1)`,
      [economy.id(3), economy.id(1), economy.id(2)],
    );
    await expectSync([
      `${economy.id(1)} 20 20 | 20 20`,
      `${economy.id(2)} 1 1 | 1 1`,
      `${economy.id(3)} 11 14 | 11 14`,
    ]);
  });

  test('INSERT ... SELECT, also one that inserts nothing', async () => {
    await writer.query(
      `INSERT INTO ${economy.ledger} (wallet_id, amount) SELECT id, 7 FROM ${economy.wallet}, generate_series(1, 50)`,
    );
    await writer.query(
      `INSERT INTO ${economy.ledger} (wallet_id, amount) SELECT id, 7 FROM ${economy.wallet} WHERE false`,
    );
    await expectSync([`${economy.id(1)} 350 350 | 350 350`]);
  });

  test('COPY', async () => {
    const lines = Array.from(
      { length: 500 },
      (_line, n) => `${economy.id(1 + (n % 6))}\t${String(n % 2 === 0 ? 3 : -1)}\n`,
    );
    await pipeline(
      Readable.from(lines),
      writer.query(copyFrom(`COPY ${economy.ledger} (wallet_id, amount) FROM STDIN`)),
    );
    await expectSync();
    expect(await db.value(`SELECT count(*) FROM ${economy.ledger}`)).toBe('500');
  });

  test('MERGE, and INSERT ... ON CONFLICT that leaves some rows out', async () => {
    await writer.query(
      `INSERT INTO ${economy.ledger} (wallet_id, amount, key) VALUES ($1, 5, 'a'), ($2, 6, 'b')`,
      [economy.id(1), economy.id(2)],
    );
    await writer.query(
      `INSERT INTO ${economy.ledger} (wallet_id, amount, key) VALUES ($1, 50, 'a'), ($1, 7, 'c') ON CONFLICT DO NOTHING`,
      [economy.id(1)],
    );
    await writer.query(
      `MERGE INTO ${economy.ledger} l USING (VALUES ('b'), ('d')) AS v (key) ON l.key = v.key
        WHEN NOT MATCHED THEN INSERT (wallet_id, amount, key) VALUES ($1, 9, v.key)`,
      [economy.id(3)],
    );
    await expectSync([
      `${economy.id(1)} 12 12 | 12 12`,
      `${economy.id(2)} 6 6 | 6 6`,
      `${economy.id(3)} 9 9 | 9 9`,
    ]);
  });

  test('several statements in one transaction', async () => {
    await writer.query('BEGIN');
    await insert(1, 10);
    await insert(2, 10);
    await insert(1, 1);
    await writer.query('COMMIT');
    await expectSync([`${economy.id(1)} 11 11 | 11 11`, `${economy.id(2)} 10 10 | 10 10`]);
  });

  test('a rollback leaves no trace', async () => {
    await insert(1, 1);
    await writer.query('BEGIN');
    await insert(1, 1000);
    await writer.query('ROLLBACK');
    await expectSync([`${economy.id(1)} 1 1 | 1 1`]);
  });

  test('a savepoint takes back only what came after it', async () => {
    await writer.query('BEGIN');
    await insert(1, 1);
    await writer.query('SAVEPOINT here');
    await insert(1, 20);
    await insert(2, 20);
    await writer.query('ROLLBACK TO here');
    await insert(2, 3);
    await writer.query('COMMIT');
    await expectSync([`${economy.id(1)} 1 1 | 1 1`, `${economy.id(2)} 3 3 | 3 3`]);
  });

  test('a wallet that nobody is shown', async () => {
    await db.run(`UPDATE ${economy.wallet} SET profile_id = NULL WHERE id = $1`, [economy.id(1)]);
    await insert(1, 4);
    await writer.query(
      `INSERT INTO ${economy.ledger} (wallet_id, amount) VALUES ($1, 1), ($1, 2), ($2, 3)`,
      [economy.id(1), economy.id(2)],
    );
    expect((await caches(db, economy)).slice(0, 2)).toEqual([
      `${economy.id(1)} 7 7 |`,
      `${economy.id(2)} 3 3 | 3 3`,
    ]);
  });

  test('entries of no wallet are nobody’s', async () => {
    await db.run(`ALTER TABLE ${economy.ledger} ALTER wallet_id DROP NOT NULL`);
    await writer.query(`INSERT INTO ${economy.ledger} (amount) VALUES (5)`);
    await writer.query(
      `INSERT INTO ${economy.ledger} (wallet_id, amount) VALUES (NULL, 5), ($1, 6), (NULL, 7)`,
      [economy.id(1)],
    );
    await expectSync([`${economy.id(1)} 6 6 | 6 6`]);
  });
});

describe('many writers at once', () => {
  test('eight writers, ten rows a statement in any order: no deadlock, and all in sync', async () => {
    await db.run('DROP SCHEMA IF EXISTS crowd CASCADE');
    const economy = await createEconomy(db, 20, { schema: 'crowd' });
    const trueup = await db.trueup({ config: economy.mapping });
    await trueup.installSync();
    const writers = await Promise.all(Array.from({ length: 8 }, () => db.connect()));
    await Promise.all(
      writers.map(async (client, seed) => {
        for (let round = 0; round < 40; round += 1) {
          const wallets = Array.from(
            { length: 10 },
            (_, n) => 1 + ((seed * 7 + round * 13 + n * 11) % 20),
          );
          await client.query(
            `INSERT INTO ${economy.ledger} (wallet_id, amount)
             SELECT w, CASE WHEN n % 3 = 0 THEN -1 ELSE 2 END FROM unnest($1::bigint[]) WITH ORDINALITY AS u (w, n)`,
            [wallets],
          );
        }
      }),
    );
    expect(await caches(db, economy)).toEqual(await truth(db, economy));
    expect(await db.value(`SELECT count(*) FROM ${economy.ledger}`)).toBe('3200');
    expect(await db.value('SELECT count(*) FROM trueup.sync_failures')).toBe('0');
  });
});
