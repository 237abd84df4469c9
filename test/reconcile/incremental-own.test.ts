import { beforeEach, describe, expect, test } from 'vitest';
import type { ReconcileOptions, Trueup } from '../../src/index.js';
import { entriesByWriter } from '../../src/reconcile/touched-statements.js';
import { privateServer } from '../support/private-server.js';
import { checkSince, type Outcome } from '../support/verified.js';

/** A check since the verified point of Trueup's own tables: entries by their writers, and holds. */

const server = await privateServer({ autovacuum: 'off' });
const db = await server.database();
let trueup: Trueup;

const check = (options?: ReconcileOptions): Promise<Outcome> => checkSince(trueup, options);

/** A hundred wallets with 50 coins each, verified. */
beforeEach(async () => {
  await db.run('DROP SCHEMA IF EXISTS trueup CASCADE');
  trueup = await db.trueup();
  await db.run(`
    INSERT INTO trueup.profiles (id, user_id) SELECT n, n FROM generate_series(1, 100) AS n;
    INSERT INTO trueup.wallets (id, profile_id) SELECT n, n FROM generate_series(1, 100) AS n;
    INSERT INTO trueup.entries (wallet_id, amount, reason) SELECT n, 50, 'winner' FROM generate_series(1, 100) AS n`);
  await trueup.reconcile({ all: true });
});

/** An entry past every trigger, with what they would have filled in. */
function entryPastTriggers(walletId: number, writer: string): string {
  return `SET LOCAL session_replication_role = replica;
    INSERT INTO trueup.entries (wallet_id, seq, amount, balance_after, reason, writer, created_at)
    VALUES (${String(walletId)}, 2, 7, 57, 'winner', ${writer}, now());`;
}

describe('own tables', () => {
  test('wallets that were posted to', async () => {
    const outcome = await trueup.transfer({
      ...{ from: { walletId: '10' }, to: { walletId: '20' }, amount: 5n, reason: 'p2p_transfer' },
    });
    expect(outcome.status).not.toBe('refused');
    expect((await check()).summary).toMatchObject({ checked: 3, findings: 0, wholeBecause: null });
    expect((await check()).summary.checked).toBe(1);
  });

  test('an entry that no trigger saw, committed late', async () => {
    const late = await db.connect();
    await late.query(`BEGIN; ${entryPastTriggers(70, 'pg_current_xact_id()')}`);
    expect((await check()).found).toEqual([]);
    await late.query('COMMIT');
    expect((await check()).found).toEqual(['70']);
  });

  test('more of them than fit a page', async () => {
    await db.run('INSERT INTO trueup.wallets (id) SELECT n FROM generate_series(1000, 30000) AS n');
    await db.run('UPDATE trueup.checkpoints SET watermark = pg_current_xact_id()');
    await db.run(`BEGIN; SET LOCAL session_replication_role = replica;
      INSERT INTO trueup.entries (wallet_id, seq, amount, balance_after, reason, writer, created_at)
      SELECT n, 1, 7, 7, 'winner', pg_current_xact_id(), now() FROM generate_series(1000, 30000) AS n; COMMIT`);
    await db.run('UPDATE trueup.verified_ranges SET wallets = 1000000');
    const { summary } = await check({ batchSize: 10_000, limit: 29_002, dryRun: true });
    expect(summary.wholeBecause).toBeNull();
    expect(summary).toMatchObject({ checked: 29_002, drifted: 29_001 });
  });

  test('entries that name transactions of elsewhere are left to the rolling slice', async () => {
    await db.run(`BEGIN; ${entryPastTriggers(70, `'3'::xid8`)} COMMIT`);
    expect((await check()).found).toEqual([]);
    const found: (string | null)[] = [];
    for (let run = 0; run < 10; run += 1) found.push(...(await check({ batchSize: 10 })).found);
    expect(found).toContain('70');
  });

  test('a profile of which only a wallet was touched that it does not show', async () => {
    await db.run(
      `INSERT INTO trueup.wallets (id, profile_id, currency, is_primary) VALUES (200, 90, 'gems', false)`,
    );
    await check();
    await db.run(`UPDATE trueup.wallets SET updated_at = now() WHERE id = 200;
      UPDATE trueup.profiles SET balance = 1 WHERE id = 90`);
    expect((await check()).found).toEqual(['90']);
  });

  test('a hold that no wallet knows of', async () => {
    const outcome = await trueup.hold({ walletId: '60', amount: 20n, reason: 'purchase' });
    expect(outcome.status).not.toBe('refused');
    await check();
    await db.run(`BEGIN; SET LOCAL session_replication_role = replica;
      UPDATE trueup.holds SET state = 'released', closed_at = now(); COMMIT`);
    expect((await check()).found).toEqual(['60']);
  });

  test('the index of the writers serves a planner that knows nothing of them yet', async () => {
    const { text, values } = entriesByWriter(trueup.mapping, '3', { above: undefined, size: 10 });
    const client = await db.connect();
    await client.query('SET enable_seqscan = off');
    const plan = await client.query({ text: `EXPLAIN ${text}`, values: [...(values ?? [])] });
    expect(JSON.stringify(plan.rows)).toContain('entries_writer');
  });
});
