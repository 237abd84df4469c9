import pg from 'pg';
import { expect, test, vi } from 'vitest';
import { proposeMapping } from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import { emptyDatabase } from './support.js';

/** Large schemas: the catalog is read in a fixed number of statements, and the rest is memory. */

const db = await createDatabase('empty');

/** How many statements are sent while something is looked for. */
async function counted<Result>(
  work: () => Promise<Result>,
): Promise<{ result: Result; statements: number }> {
  const query = vi.spyOn(pg.Client.prototype, 'query');
  try {
    const result = await work();
    return { result, statements: query.mock.calls.length };
  } finally {
    query.mockRestore();
  }
}

const TABLES = 2_000;

test.each<[string, (n: number) => string]>([
  [
    'of all sorts',
    (n) =>
      `CREATE TABLE t_${String(n)} (id bigint PRIMARY KEY, user_id bigint, name text NOT NULL, amount numeric(10,2),
         status text, price bigint CHECK (price > 0), created_at timestamptz, updated_at timestamptz, meta jsonb)`,
  ],
  [
    'that all look like ledgers or wallets',
    (n) =>
      n % 2 === 0
        ? `CREATE TABLE wallet_${String(n)} (id bigint PRIMARY KEY, user_id bigint UNIQUE, balance bigint, updated_at timestamptz)`
        : `CREATE TABLE entry_${String(n)} (id bigint PRIMARY KEY, wallet_id bigint, user_id bigint, amount bigint, reason text, created_at timestamptz)`,
  ],
])(
  '2,000 tables %s take a fixed number of statements',
  async (_, table) => {
    await emptyDatabase(db);
    for (let n = 0; n < TABLES; n += 200) {
      await db.run(Array.from({ length: 200 }, (_unused, m) => table(n + m)).join(';'));
    }
    await db.run(`
    CREATE TABLE coin_wallet (id bigint PRIMARY KEY, user_id bigint UNIQUE, cached_balance bigint, lifetime_earnings bigint);
    CREATE TABLE coin_transaction (id bigint PRIMARY KEY, wallet_id bigint REFERENCES coin_wallet, amount bigint,
      reason text, idempotency_key text UNIQUE, balance_after bigint, created_at timestamptz)`);
    const large = await counted(() => proposeMapping({ databaseUrl: db.url }));
    expect(large.result.looked).toBe(TABLES + 2);
    expect(large.result.proposals[0]?.mapping).toMatchObject({
      ledger: { table: 'coin_transaction' },
      wallet: { table: 'coin_wallet' },
    });
    // BEGIN and COMMIT, five of the catalog, and what confirms at most nine proposals.
    expect(large.statements).toBeLessThan(70);
  },
  120_000,
);
