import type { EventEmitter } from 'node:events';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Amount, HoldRequest, PostItem, PostRequest } from '../../src/index.js';
import { MAX_NOTE_LENGTH, MAX_TEXT_LENGTH } from '../../src/index.js';
import { createDatabase } from '../support/database.js';

/** What a call does with what it was given: the verb counts, the items are copied, texts have a length. */

const db = await createDatabase('own');
const trueup = await db.trueup();
let walletId = '';
beforeEach(async () => {
  walletId = await trueup.openWallet({});
});

function balance(): Promise<string> {
  return db.value('SELECT balance::text FROM trueup.wallets WHERE id = $1', [walletId]);
}

const credit = (more: object = {}): PostItem => ({
  type: 'credit',
  walletId,
  amount: 1n,
  reason: 'winner',
  ...more,
});

describe('the verb', () => {
  const request = (more: object): PostRequest => ({
    walletId,
    amount: 5n,
    reason: 'correction',
    ...more,
  });

  test('is not changed by the request', async () => {
    await trueup.credit(request({}));
    for (const type of ['debit', 'hold', 'release', 'toString', '', null, 5]) {
      await expect(trueup.credit(request({ type }))).rejects.toMatchObject({
        code: 'invalid_argument',
        message: expect.stringContaining('type') as string,
      });
    }
    await expect(trueup.debit(request({ type: 'credit' }))).rejects.toMatchObject({
      code: 'invalid_argument',
    });
    expect(await balance()).toBe('5');
  });

  test('may be said in the request as well', async () => {
    expect(await trueup.credit(request({ type: 'credit' }))).toMatchObject({ balanceAfter: 5n });
    expect(await trueup.debit(request({ type: 'debit' }))).toMatchObject({ balanceAfter: 0n });
    expect(await trueup.credit(request({ type: undefined }))).toMatchObject({ balanceAfter: 5n });
  });

  test('a type that changes while it is read is none', async () => {
    const types = ['credit', 'debit'];
    const item = Object.defineProperty(credit(), 'type', {
      enumerable: true,
      get: () => types.shift(),
    });
    await expect(trueup.post([item])).rejects.toMatchObject({ code: 'invalid_argument' });
  });
});

describe('a list with a wrong item', () => {
  const lists: readonly (readonly [string, unknown[]])[] = [
    ['an empty item', [{}]],
    ['an unknown type', [{ type: 'zzz' }]],
    ['a type of Object', [{ type: 'constructor' }]],
    ['a list', [[]]],
    ['a hole', [, {}]],
  ];

  test.each(lists)('%s: refused, and the next calls are answered', async (_, items) => {
    const wrong = trueup.post(items as PostItem[]);
    const right = trueup.post([credit(), credit()]);
    await expect(wrong).rejects.toMatchObject({ code: 'invalid_argument' });
    expect(await right).toMatchObject([{ status: 'posted' }, { status: 'posted' }]);
  });

  test('says which item it is; nothing of the call is posted', async () => {
    await expect(trueup.post([credit(), credit({ note: 5 })])).rejects.toMatchObject({
      code: 'invalid_argument',
      message: 'item 1: note of a credit has to be text, not 5',
    });
    expect(await balance()).toBe('0');
  });

  test('says what it may have', async () => {
    await expect(trueup.post([credit({ idempotencykey: 'k' })])).rejects.toMatchObject({
      message: 'a credit has no field "idempotencykey"',
      hint: expect.stringContaining('idempotencyKey') as string,
    });
  });
});

describe('items are copied', () => {
  test('what their owner does to them afterwards changes nothing', async () => {
    const other = await trueup.openWallet({});
    const to = { walletId };
    const metadata = { match: [1] };
    const transfer = { type: 'transfer', from: { walletId: other }, to, amount: 30 } as const;
    const items = [credit({ walletId: other, amount: 40, metadata }), transfer];
    const posting = trueup.post(items);
    Object.assign(items[0] ?? {}, { amount: 9_000, walletId });
    to.walletId = other;
    metadata.match.push(2);
    items.length = 0;
    expect(await posting).toMatchObject([
      { amount: 40n, walletId: other },
      { entries: [{ amount: -30n }, { walletId, amount: 30n }] },
    ]);
    expect(
      await db.value('SELECT metadata::text FROM trueup.entries WHERE wallet_id = $1 AND seq = 1', [
        other,
      ]),
    ).toBe('{"match": [1]}');
  });

  test('also where they wait for a lock, and within', async () => {
    const client = await db.connect();
    await client.query('BEGIN');
    const items = [credit({ amount: 3 })];
    const posting = trueup.within(client).post(items);
    Object.assign(items[0] ?? {}, { amount: 9_000 });
    expect(await posting).toMatchObject([{ balanceAfter: 3n }]);
    await client.query('COMMIT');
  });
});

describe('the length of texts', () => {
  const longest = '\u4e16'.repeat(MAX_TEXT_LENGTH); // Three bytes each, and nothing to compress.
  const random = (length: number): string =>
    Array.from({ length }, () => String.fromCharCode(0x4e00 + Math.random() * 0x5000)).join('');

  test('a key is as long as it may be, and known again; a longer one is refused', async () => {
    const key = random(MAX_TEXT_LENGTH);
    const item = credit({ idempotencyKey: key });
    expect(await trueup.post([item])).toMatchObject([{ status: 'posted', replayed: false }]);
    expect(await trueup.post([item])).toMatchObject([{ replayed: true }]);
    await expect(trueup.post([credit({ idempotencyKey: `${key}x` })])).rejects.toMatchObject({
      code: 'invalid_argument',
      message: expect.stringContaining('500') as string,
    });
    const hold: HoldRequest = {
      walletId,
      amount: 1n,
      reason: 'purchase',
      idempotencyKey: random(500),
    };
    const held = await trueup.hold(hold);
    expect(held).toMatchObject({ status: 'held' });
    const holdId = held.status === 'held' ? held.hold.holdId : '';
    const release = { holdId, idempotencyKey: random(500) };
    expect(await trueup.release(release)).toMatchObject({ status: 'released' });
  });

  test('so is a user, with a currency', async () => {
    const opened = { userId: random(500), currency: random(500) };
    const wallet = await trueup.openWallet(opened);
    expect(await trueup.openWallet(opened)).toBe(wallet);
    expect(await trueup.balance(opened)).toMatchObject({ walletId: wallet, balance: 0n });
    const posting = { ...opened, amount: 1n, reason: 'winner', actor: longest, link: longest };
    expect(await trueup.credit(posting)).toMatchObject({ status: 'posted' });
  });

  test('notes and metadata are longer, and end somewhere too', async () => {
    const long = { note: random(MAX_NOTE_LENGTH), metadata: random(MAX_NOTE_LENGTH - 2) };
    expect(await trueup.post([credit(long)])).toMatchObject([{ status: 'posted' }]);
    for (const more of [{ note: `${long.note}x` }, { metadata: `${long.metadata}x` }]) {
      await expect(trueup.post([credit(more)])).rejects.toMatchObject({
        code: 'invalid_argument',
        message: expect.stringContaining('too long') as string,
      });
    }
  });
});

describe('metadata that goes deep', () => {
  const deep = (levels: number): unknown => {
    let value: unknown = 1;
    for (let level = 0; level < levels; level += 1)
      value = level % 2 === 0 ? [value] : { a: value };
    return value;
  };

  test('200 levels are kept, and known again', async () => {
    const item = credit({ metadata: deep(200), idempotencyKey: `deep ${walletId}` });
    expect(await trueup.post([item])).toMatchObject([{ replayed: false }]);
    expect(await trueup.post([item])).toMatchObject([{ replayed: true }]);
  });

  test.each([201, 1_000, 4_000, 5_000, 20_000])('%d are a wrong argument', async (levels) => {
    await expect(trueup.post([credit({ metadata: deep(levels) })])).rejects.toMatchObject({
      code: 'invalid_argument',
      message: expect.stringContaining('metadata') as string,
    });
  });
});

describe('a listener that fails', () => {
  afterEach(() => {
    trueup.removeAllListeners();
  });
  const fail = (): never => {
    throw new Error('listener');
  };

  test('changes nothing: the posting is answered, the others are told, and it is told itself', async () => {
    const told: unknown[] = [];
    trueup.on('entry', fail);
    const failLater = (): unknown => Promise.reject(new Error('later'));
    (trueup as EventEmitter).on('entry', failLater);
    trueup.once('entry', () => told.push('once'));
    trueup.on('entry', ({ amount }) => told.push(amount));
    trueup.on('listenerError', ({ event, error }) => told.push(`${event}: ${String(error)}`));
    trueup.on('listenerError', fail);
    const warnings = await warned(2, async () => {
      expect(await trueup.post([credit(), credit({ amount: 2n })])).toMatchObject([
        { status: 'posted' },
        { status: 'posted' },
      ]);
    });
    expect(told.filter((one) => typeof one === 'bigint')).toEqual([1n, 2n]);
    expect(told.filter((one) => one === 'once')).toEqual(['once']);
    expect(told.filter((one) => one === 'entry: Error: listener')).toHaveLength(2);
    expect(told.filter((one) => one === 'entry: Error: later')).toHaveLength(2);
    expect(warnings[0]).toContain(`'listenerError'`);
  });

  test('is a warning of the process where nobody listens to that', async () => {
    trueup.on('entry', fail);
    const warnings = await warned(1, async () => {
      expect(await trueup.post([credit()])).toMatchObject([{ status: 'posted' }]);
    });
    expect(warnings).toEqual([`a listener to 'entry' failed: listener`]);
  });

  test('does not end a run of reconcile', async () => {
    await trueup.post([credit()]);
    await db.run('UPDATE trueup.wallets SET balance = 77 WHERE id = $1', [walletId]);
    trueup.on('drift', fail);
    trueup.on('listenerError', () => undefined);
    expect(await trueup.reconcile({ all: true })).toMatchObject({ repaired: 1 });
  });

  /** What the process warns of while work goes on, once there are so many warnings. */
  async function warned(least: number, work: () => Promise<void>): Promise<string[]> {
    const warnings: string[] = [];
    const listen = (warning: Error): void => {
      if (warning.name === 'TrueupListenerWarning') warnings.push(warning.message);
    };
    process.on('warning', listen);
    await work();
    await vi.waitUntil(() => warnings.length >= least, { interval: 2 });
    process.off('warning', listen);
    return warnings;
  }
});

test('an amount that is no number of coins does not compile', () => {
  const amounts: readonly Amount[] = [1, 1n, '1'];
  // @ts-expect-error An object is no amount.
  const wrong: Amount = {};
  expect([...amounts, wrong]).toHaveLength(4);
});
