import { beforeEach, describe, expect, test, vi } from 'vitest';
import type { Mapping, Trueup } from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import { createEconomy, findings } from '../support/economy.js';

/** Running balances in a ledger without numbers: a break is found, and the order of ids is no break. */

const db = await createDatabase('empty');
let trueup: Trueup;
let mapping: Mapping;

beforeEach(async () => {
  await db.run('DROP SCHEMA IF EXISTS trueup CASCADE; DROP SCHEMA IF EXISTS app CASCADE');
  ({ mapping } = await createEconomy(db, 2, { balanceAfter: true }));
  trueup = await db.trueup({ config: mapping });
  await trueup.installSync();
});

describe('plain SQL beside a writer that claims balances', () => {
  test('an entry that got its id before it got the lock makes no finding', async () => {
    const [claimer, plain] = [await db.connect(), await db.connect()];
    await claimer.query('BEGIN; SELECT FROM app.wallet WHERE id = 1 FOR NO KEY UPDATE');
    const waiting = plain.query('INSERT INTO app.ledger (wallet_id, amount) VALUES (1, 5)');
    await vi.waitUntil(
      async () =>
        (await db.value(`SELECT count(*) FROM pg_stat_activity
                          WHERE datname = current_database() AND wait_event_type = 'Lock'`)) ===
        '1',
    );
    await claimer.query(
      'INSERT INTO app.ledger (wallet_id, amount, after) VALUES (1, 3, 3); COMMIT',
    );
    await waiting;
    await trueup.credit({ walletId: '1', amount: 2, reason: 'winner' });
    const entries = await db.rows('SELECT id, amount, after FROM app.ledger ORDER BY id');
    expect(entries).toEqual([
      { id: '1', amount: 5, after: null },
      { id: '2', amount: 3, after: 3 },
      { id: '3', amount: 2, after: 10 },
    ]);
    expect(await findings(trueup)).toEqual([]);
    expect(await trueup.reconcile({ all: true })).toMatchObject({ findings: 0, drifted: 0 });
  });

  test('a break before any entry without a claim is found', async () => {
    await db.run(`INSERT INTO app.ledger (wallet_id, amount, after)
                  VALUES (1, 3, 3), (1, 4, 8), (1, 1, NULL), (1, 1, 1000), (2, 1, NULL), (2, 1, 2)`);
    expect(await findings(trueup)).toMatchObject([
      { walletId: '1', field: 'balanceAfter', cached: '8', expected: '7' },
    ]);
  });
});

test('ids that say nothing of the order are no order', async () => {
  await db.run(`
    ALTER TABLE app.ledger ALTER id DROP IDENTITY;
    ALTER TABLE app.ledger ALTER id TYPE text;
    INSERT INTO app.ledger (id, wallet_id, amount, after) VALUES ('z', 1, 3, 3), ('a', 1, 4, 7)`);
  const again = await db.trueup({ config: mapping });
  expect(await findings(again)).toEqual([]);
});
