import { beforeEach, expect, test } from 'vitest';
import type { Trueup } from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import { createTiers } from '../support/tiers.js';

/** Undoing while others write: nothing that they wrote is lost, and nothing is taken back twice. */

const db = await createDatabase('empty');
const WALLETS = 40;
let trueup: Trueup;
let runId: string;

/** Every wallet had 7 coins too many, which a run has repaired; the triggers stand. */
beforeEach(async () => {
  await db.run('DROP SCHEMA IF EXISTS app CASCADE');
  const economy = await createTiers(db, WALLETS);
  trueup = await db.trueup({ config: economy.mapping });
  await trueup.installSync({ guard: 'off' });
  await db.run('UPDATE app.wallet SET balance = balance + 7');
  ({ runId } = await trueup.reconcile({ all: true }));
});

/** By how much every wallet's cache is more than its entries. */
const surplus = (): Promise<Record<string, string>[]> =>
  db.rows(`SELECT w.id::text, (w.balance - (SELECT sum(amount) FROM app.ledger WHERE wallet_id = w.id))::text AS coins
             FROM app.wallet w ORDER BY w.id`);

const undone = async (): Promise<Set<string | undefined>> =>
  new Set(
    (
      await db.rows(
        `SELECT p.wallet_id FROM trueup.repairs p JOIN trueup.runs r ON r.id = p.run_id
          WHERE r.kind = 'undo' AND r.options ->> 'run' = $1`,
        [runId],
      )
    ).map(({ wallet_id: id }) => id),
  );

test('under writers: what was undone has its 7 coins again, whatever came after; all else is in sync', async () => {
  const writers = Array.from({ length: 6 }, async (_, writer) => {
    const client = await db.connect();
    for (let n = 0; n < 80; n += 1) {
      await client.query('INSERT INTO app.ledger (wallet_id, amount) VALUES ($1, $2)', [
        1 + ((writer * 7 + n * 3) % WALLETS),
        1 + n,
      ]);
    }
  });
  const { undone: count, left } = await trueup.undo({ run: runId });
  await Promise.all(writers);
  const back = await undone();
  expect(back.size).toBe(count);
  expect(count + left).toBe(WALLETS);
  for (const { id, coins } of await surplus()) {
    expect([id, coins]).toEqual([id, back.has(id) ? '7' : '0']);
  }
});

test('twice at once: each wallet is taken back once', async () => {
  const results = await Promise.all([1, 2, 3].map(() => trueup.undo({ run: runId })));
  expect(results.reduce((sum, one) => sum + one.undone, 0)).toBe(WALLETS);
  expect((await surplus()).every(({ coins }) => coins === '7')).toBe(true);
  expect(
    await db.value(
      `SELECT count(*)::text FROM trueup.repairs p JOIN trueup.runs r ON r.id = p.run_id WHERE r.kind = 'undo' AND r.options ->> 'run' = $1`,
      [runId],
    ),
  ).toBe(String(WALLETS));
});

test('what another undo has taken back and a run has repaired again meanwhile is left', async () => {
  const other = await db.connect();
  await other.query('BEGIN');
  await other.query('SELECT FROM app.wallet WHERE id = 9 FOR UPDATE');
  const left: string[] = [];
  const undoing = trueup.undo({ run: runId, onLeft: ({ message }) => left.push(message) });
  for (let waiting = '0'; waiting === '0';) {
    waiting = await db.value(
      `SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    );
  }
  await other.query(
    `WITH undo AS (INSERT INTO trueup.runs (id, kind, ledger, options, version)
       VALUES (gen_random_uuid(), 'undo', '"app"."ledger"', jsonb_build_object('run', $1::text), '1') RETURNING id)
     INSERT INTO trueup.repairs (run_id, wallet_id, cause, changes) SELECT id, '9', 'undone', '{}' FROM undo`,
    [runId],
  );
  await other.query('COMMIT');
  expect(await undoing).toMatchObject({ undone: WALLETS - 1, left: 1, exitStatus: 2 });
  expect(left).toEqual(['another undo has taken it back meanwhile']);
  expect((await surplus())[8]).toEqual({ id: '9', coins: '0' });
});
