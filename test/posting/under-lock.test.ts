import type pg from 'pg';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import type { ItemOutcome, PostItem } from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import { brokenPromises } from '../support/promises.js';

/**
 * A posting that had to wait for a lock decides on what is there afterwards. While it waits, somebody
 * else changes the wallet under that lock, and commits.
 */

const db = await createDatabase('own');
const trueup = await db.trueup();
const posting = await db.trueup({ applicationName: 'posting' });
const somebody = await db.connect();
let wallet = '';
let other = '';
beforeEach(async () => {
  [wallet, other] = await Promise.all([funded(), funded()]);
});

async function funded(): Promise<string> {
  const walletId = await trueup.openWallet({});
  await trueup.credit({ walletId, amount: 100n, reason: 'top_up' });
  return walletId;
}

/** Hands items in while somebody holds the wallet's lock, who then does something and commits. */
async function meanwhile(
  items: readonly PostItem[],
  work: (client: pg.Client) => Promise<unknown>,
): Promise<ItemOutcome[]> {
  await somebody.query('BEGIN');
  await somebody.query('SELECT FROM trueup.wallets WHERE id = $1 FOR NO KEY UPDATE', [wallet]);
  const answer = posting.post(items);
  await vi.waitUntil(
    async () =>
      db.value<boolean>(
        `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'posting'
            AND datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0)`,
      ),
    { timeout: 20_000, interval: 2 },
  );
  await work(somebody);
  await somebody.query('COMMIT');
  return answer;
}

const plain = (amount: number) => (client: pg.Client) =>
  client.query(`INSERT INTO trueup.entries (wallet_id, amount, reason) VALUES ($1, $2, 'plain')`, [
    wallet,
    amount,
  ]);
const debit = (amount: bigint): PostItem => ({
  type: 'debit',
  walletId: wallet,
  amount,
  reason: 'purchase',
});
const put = (amount: bigint): PostItem => ({
  type: 'hold',
  walletId: wallet,
  amount,
  reason: 'purchase',
});

describe('while it waited', () => {
  test.each([
    ['coins were spent', 'debit', -95, 'insufficient_funds'],
    ['coins were spent', 'hold', -95, 'insufficient_funds'],
    ['coins came in', 'debit', 5, 'posted'],
    ['coins came in', 'hold', 5, 'held'],
  ] as const)('%s: a %s', async (_, verb, amount, expected) => {
    const wanted = amount > 0 ? 104n : 6n;
    const [outcome] = await meanwhile(
      [verb === 'debit' ? debit(wanted) : put(wanted)],
      plain(amount),
    );
    expect(outcome?.status === 'refused' ? outcome.code : outcome?.status).toBe(expected);
  });

  test('an entry was made: numbers and running balance go on behind it', async () => {
    await meanwhile([debit(1n), debit(1n)], plain(7));
    const rows = await db.rows(
      `SELECT seq::text, balance_after::text AS after FROM trueup.entries WHERE wallet_id = $1 ORDER BY entries.seq`,
      [wallet],
    );
    expect(rows.map(({ seq, after }) => [seq, after])).toEqual([
      ['1', '100'],
      ['2', '107'],
      ['3', '106'],
      ['4', '105'],
    ]);
  });

  test('the wallet was frozen, its ceiling and its floor were set', async () => {
    const set = (change: string) => (client: pg.Client) =>
      client.query(`UPDATE trueup.wallets SET ${change} WHERE id = $1`, [wallet]);
    const credit: PostItem = { type: 'credit', walletId: wallet, amount: 5n, reason: 'winner' };
    expect(await meanwhile([credit], set('max_balance = 104'))).toMatchObject([
      { code: 'ceiling_exceeded' },
    ]);
    expect(
      await meanwhile([debit(150n), debit(1n)], set('allow_overdraft = true, min_balance = -50')),
    ).toMatchObject([{ status: 'posted' }, { code: 'insufficient_funds' }]);
    expect(await meanwhile([credit], set('frozen = true'))).toMatchObject([
      { code: 'wallet_frozen' },
    ]);
  });

  test('coins were put on hold, and a hold was released', async () => {
    const within = trueup.within(somebody);
    let holdId = '';
    const [refused] = await meanwhile([debit(61n)], async () => {
      const held = await within.hold({ walletId: wallet, amount: 40n, reason: 'purchase' });
      holdId = held.status === 'held' ? held.hold.holdId : '';
    });
    expect(refused).toMatchObject({ code: 'insufficient_funds' });
    const [posted] = await meanwhile([debit(100n)], () => within.release({ holdId }));
    expect(posted).toMatchObject({ status: 'posted', balanceAfter: 0n });
  });

  test('the hold was captured, and the entry was reversed', async () => {
    const within = trueup.within(somebody);
    const held = await trueup.hold({ walletId: wallet, amount: 40n, reason: 'purchase' });
    const holdId = held.status === 'held' ? held.hold.holdId : '';
    expect(
      await meanwhile([{ type: 'capture', holdId, amount: 30n }], () =>
        within.capture({ holdId, amount: 20n }),
      ),
    ).toMatchObject([{ code: 'exceeds_hold' }]);
    const sent = await trueup.credit({ walletId: wallet, amount: 9n, reason: 'winner' });
    const entryId = sent.status === 'posted' ? sent.entryId : '';
    expect(
      await meanwhile([{ type: 'reverse', entryId }], () => within.reverse({ entryId })),
    ).toMatchObject([{ code: 'already_reversed' }]);
  });

  test('the key was used: the same is a repeat, another is a conflict', async () => {
    const item = (amount: bigint): PostItem => ({ ...debit(amount), idempotencyKey: `k${wallet}` });
    const use = (): Promise<unknown> => trueup.within(somebody).post([item(3n)]);
    expect(await meanwhile([item(3n)], use)).toMatchObject([{ status: 'posted', replayed: true }]);
    expect(await meanwhile([item(4n)], use)).toMatchObject([{ code: 'idempotency_conflict' }]);
  });

  test('the key was used for another wallet: the insert meets it, and it is looked up again', async () => {
    const key = { idempotencyKey: `k${wallet}` };
    const within = trueup.within(somebody);
    await somebody.query('BEGIN');
    await within.credit({ walletId: other, amount: 3n, reason: 'winner', ...key });
    const answer = posting.post([
      { type: 'credit', walletId: wallet, amount: 3n, reason: 'winner', ...key },
      { type: 'credit', walletId: wallet, amount: 1n, reason: 'winner' },
    ]);
    await vi.waitUntil(
      async () =>
        db.value<boolean>(
          `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'posting'
              AND datname = current_database() AND wait_event_type = 'Lock')`,
        ),
      { timeout: 20_000, interval: 2 },
    );
    await somebody.query('COMMIT');
    expect(await answer).toMatchObject([{ code: 'idempotency_conflict' }, { status: 'posted' }]);
  });

  test('a limit was used up', async () => {
    await trueup.setSpendingLimit({ walletId: wallet, amount: 50n, windowSeconds: 2_000_000_000 });
    const within = trueup.within(somebody);
    expect(
      await meanwhile([debit(11n), debit(10n)], () =>
        within.debit({ walletId: wallet, amount: 40n, reason: 'purchase' }),
      ),
    ).toMatchObject([{ code: 'limit_exceeded' }, { status: 'posted' }]);
  });
});

describe('what is decided on', () => {
  test('the ledger, not the cache of it', async () => {
    await db.run('UPDATE trueup.wallets SET balance = 1000000 WHERE id = $1', [wallet]);
    expect(await posting.post([debit(101n), debit(100n)])).toMatchObject([
      { code: 'insufficient_funds' },
      { status: 'posted', balanceAfter: 0n },
    ]);
    await trueup.reconcile({ all: true });
  });

  test('of pending balance and open holds, what leaves less to spend', async () => {
    await posting.post([put(40n)]);
    await db.run('UPDATE trueup.wallets SET pending_balance = 0 WHERE id = $1', [wallet]);
    expect(await posting.post([debit(61n)])).toMatchObject([{ code: 'insufficient_funds' }]);
    await db.run('UPDATE trueup.wallets SET pending_balance = 70 WHERE id = $1', [wallet]);
    expect(await posting.post([debit(31n)])).toMatchObject([{ code: 'insufficient_funds' }]);
    await trueup.reconcile({ all: true });
    expect(await posting.post([debit(60n)])).toMatchObject([{ status: 'posted' }]);
  });

  test('a limit for every wallet, and the one of a wallet in its place', async () => {
    const window = 2_000_000_000;
    const reason = 'withdrawal';
    const take = (walletId: string, amount: bigint): PostItem => ({
      type: 'debit',
      walletId,
      amount,
      reason,
    });
    const general = await trueup.setSpendingLimit({ reason, amount: 30n, windowSeconds: window });
    const own = { walletId: other, reason, amount: 50n, windowSeconds: window };
    const limit = await trueup.setSpendingLimit(own);
    expect(
      await posting.post([
        take(wallet, 31n),
        take(wallet, 30n),
        take(other, 51n),
        take(other, 50n),
      ]),
    ).toMatchObject([
      { code: 'limit_exceeded' },
      { status: 'posted' },
      { code: 'limit_exceeded' },
      { status: 'posted' },
    ]);
    await trueup.removeSpendingLimit(limit.limitId);
    expect(await posting.post([take(other, 31n), take(other, 30n)])).toMatchObject([
      { code: 'limit_exceeded' },
      { status: 'posted' },
    ]);
    await trueup.removeSpendingLimit(general.limitId);
    expect(await posting.post([take(wallet, 31n)])).toMatchObject([{ status: 'posted' }]);
  });
});

describe('locks are taken in the order of ids, however the wallets are named', () => {
  test.each([
    ['by their ids', (ids: string[]) => ids.map((walletId): PostItem => give({ walletId }))],
    ['by their users', (ids: string[]) => ids.map((id): PostItem => give({ userId: `u${id}` }))],
    [
      'as the two sides of transfers',
      (ids: string[]) =>
        ids.map((walletId, index): PostItem => ({
          type: 'transfer',
          from: { walletId },
          to: { userId: `u${ids[(index + 1) % ids.length] ?? ''}` },
          amount: 1n,
        })),
    ],
  ])('%s', async (_, make) => {
    const ids: string[] = [];
    for (let n = 0; n < 5; n += 1) ids.push(await trueup.openWallet({}));
    for (const id of ids) {
      await db.run(`INSERT INTO trueup.profiles (user_id) VALUES ($1)`, [`u${id}`]);
      await db.run(
        `UPDATE trueup.wallets SET profile_id = (SELECT id FROM trueup.profiles WHERE user_id = $2)
          WHERE id = $1`,
        [id, `u${id}`],
      );
    }
    await trueup.post(ids.map((walletId) => give({ walletId })));
    // Whoever waits for the second lowest holds the lowest, and none above.
    [, wallet = ''] = ids;
    const free: string[] = [];
    const outcomes = await meanwhile(make([...ids].reverse()), async () => {
      const prober = await db.connect();
      for (const id of ids.filter((one) => one !== wallet)) {
        await prober
          .query('SELECT FROM trueup.wallets WHERE id = $1 FOR NO KEY UPDATE NOWAIT', [id])
          .then(
            () => free.push(id),
            () => undefined,
          );
      }
    });
    expect(outcomes.map(({ status }) => status)).toEqual(Array(5).fill('posted'));
    expect(free).toEqual(ids.slice(2));
  });

  function give(to: { readonly walletId: string } | { readonly userId: string }): PostItem {
    return { type: 'credit', ...to, amount: 5n, reason: 'winner' };
  }
});

test('and after all of this every promise holds', async () => {
  expect(await brokenPromises(db, trueup)).toEqual([]);
});
