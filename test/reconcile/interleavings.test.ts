import type pg from 'pg';
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import type { Statement } from '../../src/postgres/database.js';
import { createDatabase, WRITER } from '../support/database.js';
import { clientQueryable } from '../../src/postgres/database.js';
import { Investigator } from '../../src/reconcile/evidence.js';
import { repairHeld } from '../../src/reconcile/repair.js';
import { lockUsers } from '../../src/reconcile/repair-statements.js';
import { caches, createEconomy, truth } from '../support/economy.js';
import { interleave, orders } from '../support/interleave.js';

/**
 * Two writers and a reconciler on one wallet, in every order in which their steps can come. After
 * each of them the caches are right, the fault was repaired once, and nothing else was "repaired".
 */

const db = await createDatabase('empty');
const economy = await createEconomy(db, 1);
const trueup = await db.trueup({ config: economy.mapping });
await trueup.installSync();
const [first, second, reconciler, observer] = await Promise.all([
  db.connect(),
  db.connect(),
  db.connect(WRITER), // It repairs as Trueup does.
  db.connect(),
]);

const send = (client: pg.Client, { text, values }: Statement): Promise<unknown> =>
  client.query(text, values === undefined ? [] : [...values]);

function writer(client: pg.Client, amount: number): (() => Promise<unknown>)[] {
  return [
    () =>
      client.query(
        `BEGIN; INSERT INTO app.ledger (wallet_id, amount) VALUES (1, ${String(amount)})`,
      ),
    () => client.query('COMMIT'),
  ];
}

/** Lock in one statement, recompute and repair in the next: what reconcile does. */
function careful(runId: string): (() => Promise<unknown>)[] {
  return [
    () =>
      reconciler
        .query('BEGIN')
        .then(() => send(reconciler, lockUsers(trueup.mapping, ['1'], 'wait'))),
    () =>
      repairHeld(clientQueryable(reconciler), trueup.mapping, ['1'], {
        runId,
        investigator: new Investigator(trueup.mapping),
      }),
    () => reconciler.query('COMMIT'),
  ];
}

type Steps = () => (() => Promise<unknown>)[];

/** What many a tool does in place of it. Each of them is a repair that loses what a writer commits meanwhile. */
const CARELESS: Readonly<Record<string, Steps>> = {
  // counter_culture: reads the sums, and writes them as they were.
  'reads first and writes later': () => {
    let balance = '';
    return [
      async () => {
        await reconciler.query('BEGIN');
        balance = await sumOf(reconciler);
      },
      () => reconciler.query('UPDATE app.wallet SET balance = $1 WHERE id = 1', [balance]),
      () => reconciler.query('COMMIT'),
    ];
  },
  // Discourse, and many a blog post.
  'aggregates and updates in one statement': () => [
    () =>
      reconciler.query(`BEGIN; UPDATE app.wallet w SET balance = t.balance
        FROM (SELECT wallet_id, sum(amount) AS balance FROM app.ledger GROUP BY wallet_id) t
       WHERE w.id = t.wallet_id AND w.balance <> t.balance`),
    () => Promise.resolve(),
    () => reconciler.query('COMMIT'),
  ],
  'locks in the statement that aggregates': () => [
    () =>
      reconciler.query(`BEGIN; WITH locked AS MATERIALIZED (
          SELECT id FROM app.wallet WHERE id = 1 ORDER BY id FOR NO KEY UPDATE
        ) UPDATE app.wallet w SET balance = t.balance
        FROM locked, (SELECT wallet_id, sum(amount) AS balance FROM app.ledger GROUP BY wallet_id) t
       WHERE w.id = locked.id AND w.id = t.wallet_id AND w.balance <> t.balance`),
    () => Promise.resolve(),
    () => reconciler.query('COMMIT'),
  ],
};

async function sumOf(client: pg.Client): Promise<string> {
  const { rows } = await client.query<{ sum: string }>('SELECT sum(amount) FROM app.ledger');
  return rows[0]?.sum ?? '0';
}

const ORDERS = orders([2, 2, 3]);
const FAULTS: readonly (readonly [string, object])[] = [
  ['SELECT 1', {}],
  ['UPDATE app.wallet SET balance = balance + 7', { 'wallet.balance': -7 }],
  [
    'UPDATE app.profile SET shown = shown + 7, earned = earned - 2',
    { 'profile.balance': -7, 'profile.lifetimeEarnings': 2 },
  ],
];

async function play(
  order: readonly number[],
  fault: string,
  steps: (runId: string) => (() => Promise<unknown>)[],
): Promise<string> {
  await db.run(`TRUNCATE app.ledger; UPDATE app.wallet SET balance = 0, earned = 0; UPDATE app.profile SET shown = 0, earned = 0;
                INSERT INTO app.ledger (wallet_id, amount) VALUES (1, 100); ${fault}`);
  const runId = randomUUID();
  await interleave(
    [
      { client: first, steps: writer(first, 50) },
      { client: second, steps: writer(second, -3) },
      { client: reconciler, steps: steps(runId) },
    ],
    order,
    observer,
  );
  return runId;
}

test('there are 210 orders', () => {
  expect(new Set(ORDERS.map(String)).size).toBe(210);
});

test.each(FAULTS)('in every order the caches end right, after: %s', async (fault, expected) => {
  for (const order of ORDERS) {
    const runId = await play(order, fault, careful);
    const context = `${fault} in the order ${order.join('')}`;
    expect(await caches(db, economy), context).toEqual(await truth(db, economy));
    const repairs = await db.rows<{ changes: Record<string, [string, string]> }>(
      'SELECT changes FROM trueup.repairs WHERE run_id = $1',
      [runId],
    );
    const deltas = repairs.flatMap(({ changes }) =>
      Object.entries(changes).map(([cache, [before, after]]) => [
        cache,
        Number(after) - Number(before),
      ]),
    );
    expect(Object.fromEntries(deltas), context).toEqual(expected);
  }
});

// If one of these passes, the orders above prove nothing.
test.each(Object.entries(CARELESS))('the same orders catch a repair that %s', async (_, steps) => {
  let corrupted = 0;
  for (const order of ORDERS) {
    await play(order, 'UPDATE app.wallet SET balance = balance + 7', steps);
    if ((await caches(db, economy)).join() !== (await truth(db, economy)).join()) corrupted += 1;
  }
  expect(corrupted).toBeGreaterThan(0);
});
