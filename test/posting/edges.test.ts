import { beforeEach, describe, expect, test, vi } from 'vitest';
import type { PostItem } from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import { brokenPromises } from '../support/promises.js';

/** What is easily forgotten: the end of a hold's time, order within one transaction, odd text. */

const db = await createDatabase('own');
const trueup = await db.trueup();
let wallet = '';
beforeEach(async () => {
  wallet = await funded(100n);
});

async function funded(amount: bigint): Promise<string> {
  const walletId = await trueup.openWallet({});
  if (amount > 0n) await trueup.credit({ walletId, amount, reason: 'top_up' });
  return walletId;
}

async function heldCoins(amount: bigint, more: object = {}): Promise<string> {
  const outcome = await trueup.hold({ walletId: wallet, amount, reason: 'purchase', ...more });
  return outcome.status === 'held' ? outcome.hold.holdId : '';
}

async function pending(): Promise<string> {
  return db.value('SELECT pending_balance::text FROM trueup.wallets WHERE id = $1', [wallet]);
}

describe('a hold whose time is over', () => {
  async function overdue(amount: bigint): Promise<string> {
    const holdId = await heldCoins(amount, { expiresInSeconds: 0.05 });
    await vi.waitUntil(
      () =>
        db.value<boolean>('SELECT expires_at < clock_timestamp() FROM trueup.holds WHERE id = $1', [
          holdId,
        ]),
      { interval: 5 },
    );
    return holdId;
  }

  test('keeps nothing any more, and is closed by the posting that finds it', async () => {
    const holdId = await overdue(80n);
    expect(await pending()).toBe('80');
    expect(
      await trueup.post([
        { type: 'capture', holdId },
        { type: 'release', holdId },
        { type: 'debit', walletId: wallet, amount: 100n, reason: 'purchase' },
      ]),
    ).toMatchObject([{ code: 'hold_expired' }, { code: 'hold_expired' }, { balanceAfter: 0n }]);
    expect(await pending()).toBe('0');
    expect(await db.rows('SELECT state FROM trueup.holds WHERE id = $1', [holdId])).toEqual([
      { state: 'expired' },
    ]);
  });

  test('is closed also by a posting that is refused, and by the worker', async () => {
    await overdue(80n);
    expect(
      await trueup.debit({ walletId: wallet, amount: 101n, reason: 'purchase' }),
    ).toMatchObject({ code: 'insufficient_funds' });
    expect(await pending()).toBe('0');
    await overdue(70n);
    expect(await trueup.expireHolds()).toBe(1);
    expect(await pending()).toBe('0');
    expect(await trueup.expireHolds()).toBe(0);
  });

  test('beside one that goes on: only that is kept', async () => {
    await heldCoins(30n);
    await overdue(50n);
    expect(
      await trueup.post([
        { type: 'hold', walletId: wallet, amount: 71n, reason: 'purchase' },
        { type: 'hold', walletId: wallet, amount: 70n, reason: 'purchase' },
      ]),
    ).toMatchObject([{ code: 'insufficient_funds' }, { status: 'held' }]);
    expect(await pending()).toBe('100');
  });
});

describe('pending balances and entries of one transaction', () => {
  test('captured, credited and held anew: at no moment more is on hold than there is', async () => {
    const holdId = await heldCoins(80n);
    const outcomes = await trueup.post([
      { type: 'capture', holdId },
      { type: 'credit', walletId: wallet, amount: 1_000n, reason: 'winner' },
      { type: 'hold', walletId: wallet, amount: 1_020n, reason: 'purchase' },
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(['posted', 'posted', 'held']);
    expect(await pending()).toBe('1020');
  });

  test('one wallet gives its hold back while another makes one', async () => {
    const holdId = await heldCoins(80n);
    const other = await funded(50n);
    const fresh = await db.trueup(); // Its connection has prepared nothing yet.
    const outcomes = await fresh.post([
      { type: 'release', holdId },
      { type: 'hold', walletId: other, amount: 50n, reason: 'purchase' },
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(['released', 'held']);
  });

  test('a credit and a debit of the same coins', async () => {
    const empty = await funded(0n);
    const item = { walletId: empty, amount: 10n, reason: 'correction' };
    const outcomes = await trueup.post([
      { type: 'credit', ...item },
      { type: 'debit', ...item },
    ]);
    expect(outcomes).toMatchObject([{ balanceAfter: 10n }, { balanceAfter: 0n }]);
  });
});

describe('text', () => {
  const credit = (more: object): Promise<unknown> =>
    trueup.credit({ walletId: wallet, amount: 1n, reason: 'winner', ...more });

  test.each([
    [{ idempotencyKey: 'a\0b' }],
    [{ idempotencyKey: 'half \ud83d' }],
    [{ note: 'a\0b' }],
    [{ note: '\udc00 half' }],
    [{ actor: '\ud800' }],
    [{ metadata: { deep: ['\ud800'] } }],
    [{ metadata: { '\0': 1 } }],
    [{ metadata: () => 1 }],
    [{ metadata: 1n }],
  ])('%o cannot be stored as it is: a wrong argument', async (more) => {
    await expect(credit(more)).rejects.toMatchObject({ code: 'invalid_argument' });
  });

  test.each([
    [{ note: '' }],
    [{ note: 'NULL' }],
    [{ note: 'null' }],
    [{ note: '{"a",b}' }],
    [{ note: `quote " apostrophe ' backslash \\ tab \t line \n end` }],
    [{ note: '\u{1f4b0} coins, \u00e4\u00df, \u202e' }],
    [{ note: ' spaces ', actor: '{}' }],
    [{ metadata: null }],
    [{ metadata: Number.NaN }],
    [{ metadata: 'C:\\udata \\u0000' }],
    [{ metadata: [1, -0, 1e21, 5e-7, 0.1, 2 ** 53, { b: null, a: '"' }] }],
    [{ metadata: { z: 1, a: { d: 1, c: [] }, 10: 'x', 9: 'y' } }],
  ])('%j is kept, and known again', async (more) => {
    const request = { ...more, idempotencyKey: `text ${wallet}` };
    expect(await credit(request)).toMatchObject({ status: 'posted', replayed: false });
    expect(await credit(request)).toMatchObject({ status: 'posted', replayed: true });
    const [row] = await db.rows(
      'SELECT note, actor, metadata FROM trueup.entries WHERE idempotency_key = $1',
      [request.idempotencyKey],
    );
    expect(row).toEqual({
      note: null,
      actor: null,
      metadata: null,
      ...(JSON.parse(JSON.stringify(more)) as object),
    });
  });

  test.each([Number.NaN, 0, -1, Number.POSITIVE_INFINITY, 1e300])(
    'a hold for %d seconds is a wrong argument',
    async (expiresInSeconds) => {
      const request = { walletId: wallet, amount: 1n, reason: 'purchase', expiresInSeconds };
      await expect(trueup.hold(request)).rejects.toMatchObject({ code: 'invalid_argument' });
    },
  );
});

describe('ids that no column could hold belong to nothing', () => {
  const wrong = ['', ' ', 'x', '1.5', '-', '01', '99999999999999999999', "1'; --", '1 OR 1=1'];

  test.each(wrong.slice(2))('%s', async (id) => {
    const credit: PostItem = { type: 'credit', walletId: id, amount: 1n, reason: 'winner' };
    expect(
      await trueup.post([
        credit,
        { type: 'reverse', entryId: id },
        { type: 'reverse', transactionId: id },
        { type: 'release', holdId: id },
        { ...credit, walletId: wallet },
      ]),
    ).toMatchObject([
      { code: 'unknown_wallet' },
      { code: 'unknown_entry' },
      { code: 'unknown_entry' },
      { code: 'unknown_hold' },
      { status: 'posted' },
    ]);
  });

  test.each(wrong.slice(0, 2))('%j is a wrong argument', async (id) => {
    await expect(
      trueup.credit({ walletId: id, amount: 1n, reason: 'winner' }),
    ).rejects.toMatchObject({ code: 'invalid_argument' });
  });
});

const BLOCKED = `
  SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'trueup'
     AND datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0)`;

test('a hold that is older than a limit gives it nothing back', async () => {
  const holdId = await heldCoins(20n);
  await trueup.setSpendingLimit({ walletId: wallet, amount: 30n, windowSeconds: 2_000_000_000 });
  await trueup.debit({ walletId: wallet, amount: 30n, reason: 'purchase' });
  await trueup.release({ holdId });
  expect(await trueup.debit({ walletId: wallet, amount: 20n, reason: 'purchase' })).toMatchObject({
    code: 'limit_exceeded',
  });
});

describe('known faults', () => {
  test.fails(
    'a hold and an entry with one key, at once on two wallets: one of them wins',
    async () => {
      const other = await funded(100n);
      const client = await db.connect();
      const key = { idempotencyKey: `both ${wallet}` };
      await client.query('BEGIN');
      await trueup
        .within(client)
        .hold({ walletId: wallet, amount: 5n, reason: 'purchase', ...key });
      const credit = trueup.credit({ walletId: other, amount: 5n, reason: 'winner', ...key });
      let answered = false;
      const done = credit.finally(() => {
        answered = true;
      });
      // Where the two exclude each other, the credit waits for the hold.
      await vi.waitUntil(async () => answered || (await db.value<boolean>(BLOCKED)), {
        interval: 5,
      });
      await client.query('COMMIT');
      expect(await done).toMatchObject({ code: 'idempotency_conflict' });
    },
  );
});

test('and after all of this every promise holds, but for the key of the known fault', async () => {
  const broken = await brokenPromises(db, trueup);
  expect(broken.filter((promise) => !promise.startsWith('a key was used twice'))).toEqual([]);
});
