import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Trueup } from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import { all, endsOf, everything, FIELDLESS, HOSTILE, NO_NAME } from '../support/hostile.js';

/**
 * Whatever is handed to whichever method: it is taken as meant, or it is a TrueupError with a stable
 * code, before anything is sent; nothing hangs, nothing is posted.
 */

const db = await createDatabase('own');
const trueup = await db.trueup();
const client = await db.connect();
let walletId = '';
let before = '';
beforeAll(async () => {
  walletId = await trueup.openWallet({ userId: 'ada' });
  await trueup.credit({ walletId, amount: 1_000n, reason: 'winner' });
  before = await everything(db);
});

afterAll(async () => {
  expect(await everything(db)).toBe(before);
});

type Loose = Record<string, (...given: unknown[]) => unknown>;
const loose = trueup as unknown as Loose;
const within = trueup.within(client) as unknown as Loose;

/** Methods whose first argument is an object or a list, and with which calls it is right. */
const TAKES_OBJECT: Readonly<Record<string, readonly string[]>> = {
  post: ['an empty list'],
  credit: [],
  debit: [],
  transfer: [],
  reverse: [],
  hold: [],
  capture: [],
  release: [],
  balance: [],
  balanceAt: [],
  history: [],
  statement: [],
  holds: [],
  reconcile: [],
  setSpendingLimit: [],
  explain: [],
  activity: [],
  postOpeningBalances: [],
  writeReport: [],
  applyPlan: [],
  steer: [],
  approve: [],
  undo: [],
};

/** Methods whose first argument is the name of something. */
const TAKES_NAME = [
  ...['balanceAfter', 'freeze', 'unfreeze', 'removeSpendingLimit', 'syncWalletToProfile'],
  ...['syncProfileByUserId', 'getBalanceDrift', 'recomputeLifetimeEarnings', 'run'],
];

const ELSEWHERE = [
  ...['openWallet', 'heal', 'setWalletLimits', 'within', 'runs'], // below
  ...['doctor', 'findOpeningBalances', 'planSync', 'installSync', 'backfillActivity'], // below
  ...['alerts', 'deliverAlerts', 'operate'], // below
  ...['circulation', 'spendingLimits', 'expireHolds', 'removeSync', 'syncStatus', 'carry'],
  'hasSync',
  ...['status', 'metrics'], // test/operations/status.test.ts
  'wakeCarrier',
  ...['endOperations', 'workFailed', 'raising', 'tellAlert', 'reviver'],
  ...[
    'close',
    'ask',
    'change',
    'tell',
    'endStatements',
    'constructor',
    'mapping',
    'connectionString',
  ],
];

test('no method is left out', () => {
  const methods = new Set<string>();
  let level = Trueup.prototype as object;
  while (
    Object.getPrototypeOf(level) !== Object.prototype &&
    !Object.hasOwn(level, 'addListener')
  ) {
    for (const name of Object.getOwnPropertyNames(level)) methods.add(name);
    level = Object.getPrototypeOf(level) as object;
  }
  const known = [...Object.keys(TAKES_OBJECT), ...TAKES_NAME, ...ELSEWHERE];
  expect([...methods].filter((name) => !known.includes(name))).toEqual([]);
});

describe('the first argument', () => {
  test.each(Object.entries(TAKES_OBJECT))('of %s', async (method, right) => {
    const values = { ...HOSTILE, ...NO_NAME, undefined };
    expect(await endsOf(values, (value) => loose[method]?.(value))).toEqual({
      ...all(values, 'invalid_argument'),
      ...Object.fromEntries(right.map((name) => [name, 'done'])),
    });
  });

  test.each(['post', 'credit', 'transfer', 'capture', 'reverse'])(
    'of %s within',
    async (method) => {
      const right = method === 'post' ? { 'an empty list': 'done' } : {};
      const ends = await endsOf({ ...HOSTILE, undefined }, (value) => within[method]?.(value));
      expect(ends).toEqual({ ...all({ ...HOSTILE, undefined }, 'invalid_argument'), ...right });
    },
  );

  test.each(TAKES_NAME)('of %s', async (method) => {
    const values = { ...HOSTILE, ...NO_NAME, undefined };
    expect(await endsOf(values, (value) => loose[method]?.(value))).toEqual(
      all(values, 'invalid_argument'),
    );
  });

  test('of heal', async () => {
    const ends = await endsOf(HOSTILE, (value) => loose['heal']?.(value));
    expect(ends).toEqual({
      ...all(HOSTILE, 'invalid_argument'),
      ...Object.fromEntries(FIELDLESS.map((name) => [name, 'done'])),
    });
  });

  test.each([
    ...['doctor', 'findOpeningBalances', 'planSync', 'installSync', 'backfillActivity', 'runs'],
    ...['alerts', 'deliverAlerts', 'operate'],
  ])('of %s', async (method) => {
    const values = Object.fromEntries(
      Object.entries(HOSTILE).filter(([name]) => !FIELDLESS.includes(name)),
    );
    expect(await endsOf(values, (value) => loose[method]?.(value))).toEqual(
      all(values, 'invalid_argument'),
    );
  });

  test('of within', async () => {
    const values = { ...HOSTILE, undefined, 'a query that is none': { query: 'SELECT 1' } };
    expect(await endsOf(values, (value) => loose['within']?.(value))).toEqual(
      all(values, 'invalid_argument'),
    );
  });

  test('of openWallet', async () => {
    const values = Object.fromEntries(
      Object.entries({ ...HOSTILE, undefined }).filter(([name]) => !FIELDLESS.includes(name)),
    );
    expect(await endsOf(values, (value) => loose['openWallet']?.(value))).toEqual(
      all(values, 'invalid_argument'),
    );
  });

  test('of setWalletLimits, and the second', async () => {
    const values = { ...HOSTILE, ...NO_NAME, undefined };
    expect(
      await endsOf(values, (value) => loose['setWalletLimits']?.(value, { allowOverdraft: false })),
    ).toEqual(all(values, 'invalid_argument'));
    expect(await endsOf(values, (value) => loose['setWalletLimits']?.(walletId, value))).toEqual(
      all(values, 'invalid_argument'),
    );
  });

  test('of freeze, the second', async () => {
    const values = { ...HOSTILE, 'a null character': 'a\0', 'far too long': 'x'.repeat(100_001) };
    expect(await endsOf(values, (value) => loose['freeze']?.(walletId, value))).toEqual(
      all(values, 'invalid_argument'),
    );
  });
});
