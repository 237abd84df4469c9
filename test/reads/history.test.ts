import { beforeAll, describe, expect, test } from 'vitest';
import type { HistoryRequest } from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import { adopt, allEntries, held, ID_TYPES, NUMERIC, posted } from './support.js';

/** history: what an entry tells, filters, and cursors. */

const own = await createDatabase('own');
const db = await createDatabase('empty');
const trueup = await own.trueup();

describe('an entry', () => {
  test('tells everything that was said of it', async () => {
    const walletId = await trueup.openWallet({ userId: 'ada' });
    const other = await trueup.openWallet({ userId: 'bob' });
    const before = Date.now() - 60_000;
    const credit = posted(
      await trueup.credit({
        walletId,
        amount: 50n,
        reason: 'winner',
        note: 'finals; "quoted"',
        metadata: { match: 7, tags: ['x'] },
        actor: 'referee',
        idempotencyKey: 'final',
      }),
    );
    const transfer = posted(
      await trueup.transfer({ from: { walletId }, to: { walletId: other }, amount: 20n }),
    );
    const hold = held(await trueup.hold({ walletId, amount: 10n, reason: 'purchase' }));
    posted(await trueup.capture({ holdId: hold.holdId }));
    posted(await trueup.reverse({ entryId: credit.entryId, amount: 5n }));
    const { entries, nextCursor } = await trueup.history({ userId: 'ada' });
    expect(nextCursor).toBeNull();
    const [reversal, capture, sent, won] = entries;
    expect(won).toEqual({
      entryId: credit.entryId,
      transactionId: expect.stringMatching(/^[0-9]+$/) as string,
      walletId,
      amount: 50n,
      balanceAfter: 50n,
      reason: 'winner',
      note: 'finals; "quoted"',
      metadata: { match: 7, tags: ['x'] },
      actor: 'referee',
      counterpartyWalletId: null,
      idempotencyKey: 'final',
      reversesEntryId: null,
      holdId: null,
      sequence: 1n,
      createdAt: expect.any(Date) as Date,
    });
    expect(Math.abs((won?.createdAt?.getTime() ?? 0) - before)).toBeLessThan(120_000);
    expect(sent).toMatchObject({
      entryId: transfer.entryId,
      amount: -20n,
      counterpartyWalletId: other,
      metadata: null,
    });
    expect(capture).toMatchObject({ amount: -10n, holdId: hold.holdId, reason: 'purchase' });
    expect(reversal).toMatchObject({
      amount: -5n,
      balanceAfter: 15n,
      sequence: 4n,
      reversesEntryId: credit.entryId,
    });
  });

  test.each(ID_TYPES)('of adopted tables with ids of type %s', async (idType) => {
    const { economy, trueup: adopted } = await adopt(db, 2, { idType, ...NUMERIC });
    const walletId = economy.id(1);
    await db.run(
      `INSERT INTO app.ledger (id, wallet_id, amount, created_at) VALUES
         (1, $1, 50, '2024-03-01 12:00Z'), (2, $2, 1, now()), (3, $1, -7, '2024-03-02Z')`,
      [walletId, economy.id(2)],
    );
    const { entries } = await adopted.history({ userId: '1' });
    expect(entries.map(({ entryId, amount }) => [entryId, amount])).toEqual([
      ['3', -7n],
      ['1', 50n],
    ]);
    expect(entries[1]).toEqual({
      entryId: '1',
      transactionId: null,
      walletId,
      amount: 50n,
      balanceAfter: null,
      reason: 'winner',
      note: null,
      metadata: null,
      actor: null,
      counterpartyWalletId: null,
      idempotencyKey: null,
      reversesEntryId: null,
      holdId: null,
      sequence: null,
      createdAt: new Date('2024-03-01T12:00Z'),
    });
    const paged = await allEntries(adopted, { walletId, limit: 1, order: 'oldest' });
    expect(paged).toEqual([...entries].reverse());
  });
});

describe('filters', () => {
  let walletId = '';
  beforeAll(async () => {
    walletId = await trueup.openWallet({ userId: 'filters' });
    await own.run(
      `INSERT INTO trueup.entries (wallet_id, amount, reason, created_at)
       SELECT $1, CASE WHEN n % 3 = 0 THEN -1 ELSE 2 END, CASE WHEN n % 2 = 0 THEN 'winner' ELSE 'top4' END,
              '2024-03-01Z'::timestamptz + n * interval '1 hour' FROM generate_series(1, 24) AS n`,
      [walletId],
    );
  });
  const hour = (n: number): Date => new Date(Date.UTC(2024, 2, 1, n));
  const numbers = (request: HistoryRequest): Promise<number[]> =>
    allEntries(trueup, { walletId, limit: 2, order: 'oldest', ...request }).then((entries) =>
      entries.map(({ sequence }) => Number(sequence)),
    );
  const all = [...Array(24).keys()].map((n) => n + 1);

  test('by reason, sign and time, one by one and together', async () => {
    expect(await numbers({})).toEqual(all);
    expect(await numbers({ reasons: ['winner'] })).toEqual(all.filter((n) => n % 2 === 0));
    expect(await numbers({ reasons: ['winner', 'top4', 'x'] })).toEqual(all);
    expect(await numbers({ reasons: ['x'] })).toEqual([]);
    expect(await numbers({ sign: 'debit' })).toEqual(all.filter((n) => n % 3 === 0));
    expect(await numbers({ sign: 'credit' })).toEqual(all.filter((n) => n % 3 !== 0));
    expect(await numbers({ from: hour(5), to: hour(8) })).toEqual([5, 6, 7]);
    expect(await numbers({ from: hour(23) })).toEqual([23, 24]);
    expect(await numbers({ to: hour(3) })).toEqual([1, 2]);
    expect(await numbers({ from: hour(5), to: hour(5) })).toEqual([]);
    expect(
      await numbers({ reasons: ['winner'], sign: 'debit', from: hour(7), order: 'newest' }),
    ).toEqual([24, 18, 12]);
  });

  test.each([
    { limit: 0 },
    { limit: 1001 },
    { limit: 1.5 },
    { limit: Number.NaN },
    { order: 'random' },
    { sign: 'both' },
    { reasons: [] },
    { reasons: 'winner' },
    { reasons: [5] },
    { from: new Date('never') },
    { from: hour(2), to: hour(1) },
  ])('%o is a wrong argument', async (request) => {
    await expect(
      trueup.history({ walletId, ...(request as HistoryRequest) }),
    ).rejects.toMatchObject({ code: 'invalid_argument' });
  });

  test('a filter needs its column', async () => {
    const { mapping } = await adopt(db, 1);
    const { reason, ...ledger } = mapping.ledger;
    expect(reason).toBe('reason');
    const adopted = await db.trueup({ config: { ...mapping, ledger } });
    await expect(adopted.history({ walletId: '1', reasons: ['winner'] })).rejects.toMatchObject({
      code: 'feature_off',
      message: expect.stringContaining('ledger.reason') as string,
    });
  });
});

describe('cursors', () => {
  let walletId = '';
  let other = '';
  let cursor = '';
  beforeAll(async () => {
    walletId = await trueup.openWallet({ userId: 'cursors' });
    other = await trueup.openWallet({ userId: 'others' });
    for (const wallet of [walletId, other]) {
      await own.run(
        `INSERT INTO trueup.entries (wallet_id, amount, reason) SELECT $1, n, 'winner' FROM generate_series(1, 10) AS n`,
        [wallet],
      );
    }
    cursor = (await trueup.history({ walletId, limit: 4 })).nextCursor ?? '';
  });

  test('go on where the page ended, with another size or filter too, by user too', async () => {
    expect(cursor).toMatch(/^[\w-]+$/);
    const page = await trueup.history({ userId: 'cursors', cursor, limit: 5, sign: 'credit' });
    expect(page.entries.map(({ amount }) => amount)).toEqual([6n, 5n, 4n, 3n, 2n]);
    const last = await trueup.history({ walletId, cursor: page.nextCursor });
    expect(last.entries.map(({ amount }) => amount)).toEqual([1n]);
    expect(last.nextCursor).toBeNull();
  });

  test('a page that ends with the last entry is the last one', async () => {
    expect((await trueup.history({ walletId, limit: 10 })).nextCursor).toBeNull();
    expect((await trueup.history({ walletId, limit: 9 })).nextCursor).not.toBeNull();
  });

  const refused = (request: HistoryRequest): Promise<void> =>
    expect(trueup.history(request)).rejects.toMatchObject({ code: 'invalid_argument' });

  test('are refused for another wallet, another order, another list', async () => {
    await refused({ walletId: other, cursor });
    await refused({ walletId, cursor, order: 'oldest' });
    await expect(trueup.holds({ walletId, cursor })).rejects.toMatchObject({
      code: 'invalid_argument',
    });
  });

  test('are refused for another ledger', async () => {
    await adopt(db, Number(walletId));
    const config = { ...(await adopt(db, Number(walletId))).mapping };
    const adopted = await db.trueup({ config });
    await expect(adopted.history({ walletId, cursor })).rejects.toMatchObject({
      code: 'invalid_argument',
    });
  });

  test('are refused with any one character changed, left out or added', async () => {
    for (let index = 0; index < cursor.length; index += 1) {
      const [head, character, tail] = [
        cursor.slice(0, index),
        cursor.charAt(index),
        cursor.slice(index + 1),
      ];
      await refused({ walletId, cursor: `${head}${character === 'A' ? 'B' : 'A'}${tail}` });
      await refused({ walletId, cursor: head + tail });
    }
    for (const extra of ['A', '=', ' ', '!']) await refused({ walletId, cursor: cursor + extra });
  });

  test.each(['', 'x', '{}', Buffer.from('["history"]').toString('base64url'), 5])(
    '%s is none',
    async (text) => {
      await refused({ walletId, cursor: text as string });
    },
  );
});
