import { expect, test } from 'vitest';
import { areAtWork, watchWriters } from '../../src/reconcile/other-writers.js';
import type { Queryable, Statement } from '../../src/postgres/database.js';
import { createDatabase } from '../support/database.js';

/** Whether others write, told by the numbers of their transactions. */

test.each([
  { transactions: 0, seconds: 0, work: false, who: 'nobody' },
  { transactions: 5, seconds: 0, work: false, who: 'the run itself: a checkpoint, a beat' },
  { transactions: 14, seconds: 1, work: false, who: 'hardly anybody' },
  { transactions: 16, seconds: 1, work: true, who: 'somebody' },
  { transactions: 100, seconds: 10, work: false, who: 'hardly anybody for long' },
  { transactions: 2_000, seconds: 10, work: true, who: 'a platform' },
])('$transactions in $seconds s are $who', ({ transactions, seconds, work }) => {
  expect(areAtWork(transactions, seconds)).toBe(work);
});

/** A server on which so many transactions have been. */
function server(numbers: readonly number[]): Queryable {
  const left = [...numbers];
  return {
    query: <Row>() => Promise.resolve([{ next: String(left.shift()) }] as Row[]),
  };
}

test('what the run has written itself is not taken for others, and counts once', async () => {
  const others = await watchWriters(server([1_000, 1_400, 1_800]), () => 0);
  others.took(400);
  expect(await others.write()).toBe(false);
  expect(await others.write()).toBe(true);
});

const db = await createDatabase('own');

test('the numbers of a server tell that somebody writes', async () => {
  const asked: Queryable = {
    query: <Row>({ text }: Statement) => db.rows(text) as Promise<Row[]>,
  };
  const others = await watchWriters(asked, () => 0);
  for (let n = 0; n < 10; n += 1) await db.run('SELECT pg_current_xact_id()');
  expect(await others.write()).toBe(true);
});

test('beside somebody who writes, no repair locks more than 250 wallets', async () => {
  await db.run('INSERT INTO trueup.wallets (balance) SELECT 0 FROM generate_series(1, 1100)');
  await db.run(
    `INSERT INTO trueup.entries (wallet_id, amount, reason) SELECT id, 5, 'winner' FROM trueup.wallets`,
  );
  await db.run('UPDATE trueup.wallets SET balance = 7');
  const trueup = await db.trueup();
  const over = new AbortController();
  const somebody = (async () => {
    while (!over.signal.aborted) await db.run('SELECT pg_current_xact_id()');
  })();
  const summary = await trueup.reconcile({ all: true }).finally(() => {
    over.abort();
  });
  await somebody;
  expect(summary.repaired).toBe(1100);
  const largest = `SELECT max(n) FROM (SELECT count(*) AS n FROM trueup.repairs GROUP BY xmin) AS each`;
  expect(Number(await db.value(largest))).toBeLessThanOrEqual(250);
});
