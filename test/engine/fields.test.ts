import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PostItem, ReconcileOptions } from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import { all, endOf, endsOf, everything, HOSTILE, NO_NAME } from '../support/hostile.js';
import { held, posted } from '../reads/support.js';

/** Every field of every request takes what it is for, and no other thing; no other field is known. */

const db = await createDatabase('own');
const trueup = await db.trueup();
let walletId = '';
let holdId = '';
let entryId = '';
let before = '';
beforeAll(async () => {
  walletId = await trueup.openWallet({ userId: 'ada' });
  entryId = posted(await trueup.credit({ walletId, amount: 1_000n, reason: 'winner' })).entryId;
  holdId = held(await trueup.hold({ walletId, amount: 10n, reason: 'purchase' })).holdId;
  before = await everything(db);
});

afterAll(async () => {
  expect(await everything(db)).toBe(before);
});

type Call = (value: unknown) => unknown;
type Loose = Record<string, (...given: unknown[]) => unknown>;
const loose = trueup as unknown as Loose;

const wallet = (): object => ({ walletId });
const DETAILS = { note: 'note', actor: 'text', idempotencyKey: 'text', link: 'text' };
const REFERENCE = { walletId: 'text', userId: 'text', currency: 'text' };
interface Request {
  readonly call: Call;
  readonly right: () => object;
  readonly fields: Readonly<Record<string, string>>;
}
const item =
  (type: PostItem['type']): Call =>
  (value) =>
    loose[type]?.(value);
const REQUESTS: Readonly<Record<string, Request>> = {
  credit: {
    call: item('credit'),
    right: () => ({ ...wallet(), amount: 0, reason: 'winner' }),
    fields: { ...REFERENCE, ...DETAILS, reason: 'text', type: 'word' },
  },
  debit: {
    call: item('debit'),
    right: () => ({ ...wallet(), amount: 0, reason: 'purchase' }),
    fields: { ...REFERENCE, ...DETAILS, reason: 'text', type: 'word' },
  },
  transfer: {
    call: item('transfer'),
    right: () => ({ from: wallet(), to: { userId: 'ada' }, amount: 0 }),
    fields: { from: 'object', to: 'object', ...DETAILS, reason: 'text', type: 'word' },
  },
  reverse: {
    call: item('reverse'),
    right: () => ({ entryId, amount: 0 }),
    fields: { entryId: 'text', transactionId: 'text', ...DETAILS, reason: 'text', type: 'word' },
  },
  hold: {
    call: item('hold'),
    right: () => ({ ...wallet(), amount: 0, reason: 'purchase' }),
    fields: { ...REFERENCE, ...DETAILS, reason: 'text', expiresInSeconds: 'seconds' },
  },
  capture: {
    call: item('capture'),
    right: () => ({ holdId, amount: 0 }),
    fields: { holdId: 'text', to: 'object', releaseRest: 'flag', ...DETAILS, type: 'word' },
  },
  release: {
    call: item('release'),
    right: () => ({ holdId: '00000000-0000-4000-8000-000000000000' }),
    fields: { holdId: 'text', idempotencyKey: 'text', link: 'text', type: 'word' },
  },
  balance: { call: (value) => loose['balance']?.(value), right: wallet, fields: REFERENCE },
  balanceAt: {
    call: (value) => loose['balanceAt']?.(value),
    right: () => ({ ...wallet(), at: new Date() }),
    fields: { ...REFERENCE, at: 'date' },
  },
  history: {
    call: (value) => loose['history']?.(value),
    right: wallet,
    fields: {
      ...REFERENCE,
      ...{ from: 'date', to: 'date', limit: 'count', order: 'word', sign: 'word' },
      ...{ cursor: 'cursor', reasons: 'list' },
    },
  },
  holds: {
    call: (value) => loose['holds']?.(value),
    right: wallet,
    fields: { ...REFERENCE, state: 'word', limit: 'count', cursor: 'cursor' },
  },
  statement: {
    call: (value) => loose['statement']?.(value),
    right: () => ({ ...wallet(), format: 'csv' }),
    fields: { ...REFERENCE, from: 'date', to: 'date', format: 'word' },
  },
  openWallet: {
    call: (value) => loose['openWallet']?.(value),
    right: () => ({ userId: 'ada' }),
    fields: { userId: 'text', currency: 'text', allowOverdraft: 'flag', user: 'nothing' },
  },
  setWalletLimits: {
    call: (value) => loose['setWalletLimits']?.(walletId, value),
    right: () => ({ allowOverdraft: false }),
    fields: { allowOverdraft: 'flag', minBalance: 'floor', maxBalance: 'ceiling' },
  },
  setSpendingLimit: {
    call: (value) => loose['setSpendingLimit']?.(value),
    right: () => ({ walletId: '987654321', amount: 5n, windowSeconds: 60 }),
    fields: { walletId: 'text', reason: 'text', amount: 'coins', windowSeconds: 'count' },
  },
  reconcile: {
    call: (value) => loose['reconcile']?.(value),
    right: () => ({ all: true, dryRun: true }) satisfies ReconcileOptions,
    fields: {
      ...{ all: 'flag', dryRun: 'flag', failOnDrift: 'flag', userIds: 'users', batchSize: 'count' },
      ...{ limit: 'count', signal: 'object', onFinding: 'function', onProgress: 'function' },
    },
  },
  heal: {
    call: (value) => loose['heal']?.(value),
    right: () => ({}),
    fields: { everything: 'flag', signal: 'object' },
  },
};

/** What a field of a kind takes of what is hostile to others. */
const TAKEN: Readonly<Record<string, readonly string[]>> = {
  flag: ['true'],
  seconds: ['a number', 'a fraction'],
  count: ['a number'],
  date: ['a date'],
  cursor: ['null'],
  coins: ['a number', 'a bigint'],
  floor: ['null'],
  ceiling: ['null', 'a number', 'a bigint'],
  function: ['a function'],
  users: ['an empty list'],
};

describe.each(Object.entries(REQUESTS))('the fields of %s', (_, { call, right, fields }) => {
  test('are right as they are', async () => {
    expect(await endOf(() => call(right()))).not.toBe('invalid_argument');
  });

  test.each(Object.entries(fields))('%s takes no other thing than %s', async (field, kind) => {
    const names = kind === 'text' || kind === 'word' ? NO_NAME : {};
    const values = Object.fromEntries(
      Object.entries({ ...HOSTILE, ...names }).filter(
        ([name]) => !(TAKEN[kind] ?? []).includes(name),
      ),
    );
    expect(await endsOf(values, (value) => call({ ...right(), [field]: value }))).toEqual(
      all(values, 'invalid_argument'),
    );
  });

  test('no other is known', async () => {
    expect(await endOf(() => call({ ...right(), unheard: undefined }))).toBe('invalid_argument');
    expect(await endOf(() => call({ ...right(), idempotencykey: 'k' }))).toBe('invalid_argument');
  });
});
