import { expect, inject, test } from 'vitest';
import { BareBook } from '../../src/bench/post-load.js';
import * as statements from '../../src/bench/post-statements.js';
import type { Figure } from '../../src/bench/report.js';
import { runBench } from '../../src/bench/run.js';
import { createDatabase, type TestDatabase } from '../support/database.js';

/** The benchmarks of the group `post` are fair only if their tables and their baselines are right. */

async function filled(wallets: number, full: number, each: number): Promise<TestDatabase> {
  const db = await createDatabase('own');
  for (const { text, values } of statements.fillPosting(wallets, full, each)) {
    await db.run(text, [...(values ?? [])]);
  }
  return db;
}

/** Four wallets, and the copies of their tables. */
async function withCopies(): Promise<TestDatabase> {
  const db = await filled(4, 4, 1);
  for (const text of [...statements.createBare, statements.createTransfer]) await db.run(text);
  return db;
}

const fills = [
  { wallets: 10, full: 10, each: 1, db: await filled(10, 10, 1) },
  { wallets: 20, full: 20, each: 7, db: await filled(20, 20, 7) },
  { wallets: 6, full: 2, each: 50, db: await filled(6, 2, 50) },
];
const empty = await createDatabase('own');
const batches = await withCopies();
const functions = await withCopies();

test.each(fills)(
  'of $wallets wallets, $full filled with $each entries: nothing has drifted',
  async ({ wallets, full, each, db }) => {
    const trueup = await db.trueup();
    expect(await trueup.reconcile({ all: true, dryRun: true })).toMatchObject({
      checked: wallets,
      drifted: 0,
      findings: 0,
      errors: 0,
    });
    expect(await db.value('SELECT count(*) FROM trueup.entries')).toBe(
      String(wallets + full * (each - 1)),
    );
    // Every transfer has two sides that name each other, and ids of its own.
    expect(
      await db.rows(
        `SELECT transaction_id FROM trueup.entries GROUP BY transaction_id
        HAVING sum(amount) FILTER (WHERE reason = 'p2p_transfer') <> 0 OR count(DISTINCT reason) <> 1
            OR count(*) <> CASE min(reason) WHEN 'p2p_transfer' THEN 2 ELSE 1 END
            OR min(wallet_id) <> coalesce(min(counterparty_wallet_id), min(wallet_id))`,
      ),
    ).toEqual([]);
    // What is posted now goes on from there.
    await trueup.transfer({ from: { walletId: '1' }, to: { walletId: '2' }, amount: 1n });
    expect(await trueup.getBalanceDrift('1')).toMatchObject({ hasDrift: false });
  },
);

test('every trigger stands as before', async () => {
  const triggers = (db: TestDatabase): Promise<unknown[]> =>
    db.rows(
      `SELECT tgname, tgenabled::text FROM pg_trigger WHERE NOT tgisinternal ORDER BY tgname`,
    );
  const untouched = await triggers(empty);
  expect(untouched).toContainEqual({ tgname: 'trueup_append_only', tgenabled: 'A' });
  expect(await triggers(batches)).toEqual(untouched);
});

const TRANSFERS = Array.from({ length: 30 }, (_, index) => ({
  payer: 1 + (index % 4),
  payee: 1 + ((index + 1 + (index % 3)) % 4),
  coins: 1 + index,
  key: `order:${String(index)}`,
})).filter(({ payer, payee }) => payer !== payee);

/** All that is written, but for the ids, the transaction of the writer, and the time. */
async function written(db: TestDatabase, schema: string): Promise<unknown> {
  const transaction = `dense_rank() OVER (ORDER BY transaction_id)`;
  return {
    entries: await db.rows(
      `SELECT wallet_id, seq, amount, balance_after, ${transaction} AS transaction, counterparty_wallet_id, reason,
              idempotency_key, note, metadata, actor, writer IS NULL AS unmarked, created_at IS NULL AS timeless
         FROM ${schema}.entries ORDER BY wallet_id, seq`,
    ),
    wallets: await db.rows(
      `SELECT id, balance, lifetime_earnings, pending_balance FROM ${schema}.wallets ORDER BY id`,
    ),
    profiles: await db.rows(
      `SELECT id, balance, lifetime_earnings FROM ${schema}.profiles ORDER BY id`,
    ),
  };
}

test('both baselines write what Trueup writes', async () => {
  const trueup = await batches.trueup();
  for (const { payer, payee, coins, key } of TRANSFERS) {
    const [from, to] = [{ walletId: String(payer) }, { walletId: String(payee) }];
    await trueup.transfer({ from, to, amount: coins, idempotencyKey: key });
  }
  const expected = await written(batches, 'trueup');

  const next = TRANSFERS.values();
  const client = await batches.connect();
  for (const statement of statements.writeBare(
    new BareBook(4).batch(TRANSFERS.length, () => next.next().value ?? raise()),
  )) {
    await client.query({ ...statement, values: [...(statement.values ?? [])] });
  }
  expect(await written(batches, 'bare')).toEqual(expected);

  for (const { payer, payee, coins, key } of TRANSFERS) {
    const { text, values } = statements.callTransfer(payer, payee, coins, key);
    const outcome = await functions.value(text, [...(values ?? [])]);
    expect(await functions.value(text, [...(values ?? [])])).toBe(outcome); // The key was used.
  }
  expect(await written(functions, 'bare')).toEqual(expected);
});

test('the stored function refuses what cannot be paid', async () => {
  const { text, values } = statements.callTransfer(1, 2, statements.OPENING * 2, 'dear');
  expect(await functions.value(text, [...(values ?? [])])).toBe('insufficient_funds');
});

test('the copies have the columns, indexes, checks and fill factors of the originals', async () => {
  const shape = async (schema: string): Promise<unknown> =>
    batches.rows(
      `SELECT c.relname, c.reloptions,
              (SELECT array_agg(format('%s %s %s %s', attname, atttypid::regtype, attnotnull, attstorage) ORDER BY attnum)
                 FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped) AS columns,
              (SELECT array_agg(replace(regexp_replace(pg_get_indexdef(indexrelid), '^.* ON ', ''), $1, '') ORDER BY 1)
                 FROM (SELECT indexrelid, regexp_replace(pg_get_indexdef(indexrelid), '^.* ON ', '') FROM pg_index
                        WHERE indrelid = c.oid) AS i) AS indexes,
              (SELECT array_agg(pg_get_constraintdef(oid) ORDER BY conname) FROM pg_constraint
                WHERE conrelid = c.oid AND contype = 'c') AS checks
         FROM pg_class AS c WHERE c.relnamespace = $1::regnamespace AND c.relname IN ('entries', 'wallets', 'profiles')
        ORDER BY 1`,
      [schema],
    );
  expect(await shape('bare')).toEqual(await shape('trueup'));
  expect(
    await batches.value(`SELECT count(*) FROM pg_trigger WHERE tgrelid::regclass::text ~ 'bare'`),
  ).toBe('0');
});

test('a scenario reports its figure beside its baseline', async () => {
  const figures: Figure[] = [];
  await runBench('post', {
    options: { scenario: 'single', seconds: 0.1, scale: 0.01, databaseUrl: inject('serverUrl') },
    say: () => undefined,
    report: (figure) => figures.push(figure),
  });
  const positive = expect.toSatisfy((value: number) => value > 0) as number;
  expect(figures).toMatchObject([
    { group: 'post', scenario: 'single', unit: 'ms', value: positive, ratio: positive },
  ]);
  expect(figures[0]?.baseline?.value).toBeGreaterThan(0);
  expect(figures[0]?.bytesPerPosting).toBeGreaterThan(100);
});

function raise(): never {
  throw new Error('there are no more transfers');
}
