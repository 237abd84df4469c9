import { beforeEach, describe, expect, test } from 'vitest';
import type { ItemOutcome, PostItem } from '../../src/index.js';
import { Counted } from '../support/ahead.js';
import { createDatabase } from '../support/database.js';
import { brokenPromises } from '../support/promises.js';

/**
 * A program remembers the wallets that it posts to. Then somebody else changes one behind its back:
 * its next posting is right all the same.
 */

const db = await createDatabase('own');
const counted = await Counted.on(db);
const program = counted.trueup;
const rival = await db.trueup();
const client = await db.connect();
const LONG = 2_000_000_000;

let alice = '';
let bob = '';
let holdId = '';
beforeEach(async () => {
  [alice, bob] = await Promise.all([funded(), funded()]);
});

async function funded(): Promise<string> {
  const walletId = await rival.openWallet({});
  await rival.credit({ walletId, amount: 100n, reason: 'top_up' });
  return walletId;
}

const credit = (amount: bigint, more: object = {}): PostItem => ({
  ...{ type: 'credit', walletId: alice, amount, reason: 'winner' },
  ...more,
});
const debit = (amount: bigint, more: object = {}): PostItem => ({
  ...{ type: 'debit', walletId: alice, amount, reason: 'purchase' },
  ...more,
});
const transfer = (amount: bigint): PostItem => ({
  ...{ type: 'transfer', from: { walletId: bob }, to: { walletId: alice }, amount },
});
const rivalPosts = (item: () => PostItem) => (): Promise<unknown> => rival.post([item()]);
const set = (change: string) => (): Promise<unknown> =>
  db.run(`UPDATE trueup.wallets SET ${change} WHERE id = $1`, [alice]);
const plain = (amount: number): Promise<unknown> =>
  db.run(`INSERT INTO trueup.entries (wallet_id, amount, reason) VALUES ($1, $2, 'plain')`, [
    alice,
    amount,
  ]);

async function rivalHolds(more: object = {}): Promise<void> {
  const outcome = await rival.hold({ walletId: alice, amount: 40n, reason: 'purchase', ...more });
  holdId = outcome.status === 'held' ? outcome.hold.holdId : '';
}

async function within(work: () => Promise<unknown>): Promise<void> {
  await client.query('BEGIN');
  await work();
  await client.query('COMMIT');
}

async function outside(work: () => Promise<unknown>): Promise<void> {
  await db.run('ALTER TABLE trueup.entries DISABLE TRIGGER trueup_sync');
  await work();
  await db.run('ALTER TABLE trueup.entries ENABLE TRIGGER trueup_sync');
}

const asItIs = (): Promise<void> => Promise.resolve();

/** What the wallet is like when it is remembered, what changes then, and the next posting. */
type Case = readonly [
  name: string,
  before: () => Promise<unknown>,
  change: () => Promise<unknown>,
  item: () => PostItem,
  expected: string | bigint,
];

const CASES: readonly Case[] = [
  [
    'coins were spent: too many',
    asItIs,
    rivalPosts(() => debit(60n)),
    () => debit(41n),
    'insufficient_funds',
  ],
  ['coins were spent: not too many', asItIs, rivalPosts(() => debit(60n)), () => debit(40n), 0n],
  ['coins came in, and are spent', asItIs, rivalPosts(() => credit(50n)), () => debit(150n), 0n],
  ['coins came in, and more come', asItIs, rivalPosts(() => credit(50n)), () => credit(1n), 151n],
  [
    'coins went to another wallet',
    asItIs,
    rivalPosts(() => transfer(60n)),
    () => transfer(41n),
    'insufficient_funds',
  ],
  [
    'coins came from another wallet',
    asItIs,
    rivalPosts(() => transfer(60n)),
    () => debit(160n),
    0n,
  ],
  ['an entry by plain SQL', asItIs, () => plain(50), () => debit(150n), 0n],
  [
    'an entry by plain SQL, too little',
    asItIs,
    () => plain(50),
    () => debit(151n),
    'insufficient_funds',
  ],
  [
    'an entry while the sync was off, and a credit',
    asItIs,
    () => outside(() => plain(50)),
    () => credit(1n),
    151n,
  ],
  [
    'an entry while the sync was off, and what it makes room for',
    () => rival.setWalletLimits(alice, { maxBalance: 100n }),
    () => outside(() => plain(-50)),
    () => credit(40n),
    90n,
  ],
  [
    'a transaction of the application',
    asItIs,
    () =>
      within(() =>
        rival.within(client).debit({ walletId: alice, amount: 60n, reason: 'purchase' }),
      ),
    () => debit(41n),
    'insufficient_funds',
  ],
  ['frozen', asItIs, () => rival.freeze(alice), () => credit(1n), 'wallet_frozen'],
  [
    'frozen, and a transfer',
    asItIs,
    () => rival.freeze(alice),
    () => transfer(1n),
    'wallet_frozen',
  ],
  [
    'frozen no more',
    () => rival.freeze(alice),
    () => rival.unfreeze(alice),
    () => credit(1n),
    101n,
  ],
  [
    'a ceiling',
    asItIs,
    () => rival.setWalletLimits(alice, { maxBalance: 100n }),
    () => credit(1n),
    'ceiling_exceeded',
  ],
  [
    'a ceiling no more',
    () => rival.setWalletLimits(alice, { maxBalance: 100n }),
    () => rival.setWalletLimits(alice, { maxBalance: null }),
    () => credit(1n),
    101n,
  ],
  [
    'overdraft',
    asItIs,
    () => rival.setWalletLimits(alice, { allowOverdraft: true }),
    () => debit(150n),
    -50n,
  ],
  [
    'overdraft no more',
    () => rival.setWalletLimits(alice, { allowOverdraft: true }),
    () => rival.setWalletLimits(alice, { allowOverdraft: false }),
    () => debit(101n),
    'insufficient_funds',
  ],
  [
    'a higher floor',
    () => rival.setWalletLimits(alice, { allowOverdraft: true, minBalance: -50n }),
    () => rival.setWalletLimits(alice, { minBalance: -10n }),
    () => debit(111n),
    'insufficient_funds',
  ],
  [
    'a lower floor',
    () => rival.setWalletLimits(alice, { allowOverdraft: true, minBalance: -10n }),
    () => rival.setWalletLimits(alice, { minBalance: -50n }),
    () => debit(150n),
    -50n,
  ],
  ['another currency', asItIs, set(`currency = 'gems'`), () => transfer(1n), 'currency_mismatch'],
  ['a hold', asItIs, () => rivalHolds(), () => debit(61n), 'insufficient_funds'],
  ['a hold that leaves enough', asItIs, () => rivalHolds(), () => debit(60n), 40n],
  [
    'a hold that will expire',
    asItIs,
    () => rivalHolds({ expiresInSeconds: 3600 }),
    () => debit(61n),
    'insufficient_funds',
  ],
  [
    'a hold was released',
    () => rivalHolds(),
    () => rival.release({ holdId }),
    () => debit(100n),
    0n,
  ],
  [
    'a hold was captured',
    () => rivalHolds(),
    () => rival.capture({ holdId }),
    () => debit(61n),
    'insufficient_funds',
  ],
];

function expectOutcome(outcome: ItemOutcome | undefined, expected: string | bigint): void {
  if (typeof expected === 'string') expect(outcome).toMatchObject({ code: expected });
  else {
    const entries = outcome?.status === 'posted' ? outcome.entries : [];
    expect(entries.find(({ walletId }) => walletId === alice)?.balanceAfter).toBe(expected);
  }
}

describe.each(CASES)('%s', (_, before, change, item, expected) => {
  beforeEach(async () => {
    await before();
    await counted.remember({ walletId: alice }, { walletId: bob });
    await change();
  });

  test('alone', async () => {
    const [outcome] = await program.post([item()]);
    expectOutcome(outcome, expected);
  });

  // So there is something to post, whatever becomes of the item.
  test('beside what is posted', async () => {
    const [other, outcome] = await program.post([counted.beside, item()]);
    expect(other?.status).toBe('posted');
    expectOutcome(outcome, expected);
  });
});

describe('a spending limit', () => {
  test.each([
    ['of the wallet', () => ({ walletId: alice })],
    ['of every wallet', () => ({})],
  ])('%s', async (_, whose) => {
    await counted.remember({ walletId: alice });
    const limit = await rival.setSpendingLimit({ ...whose(), amount: 10n, windowSeconds: LONG });
    try {
      const outcomes = await program.post([counted.beside, debit(11n), debit(4n), debit(7n)]);
      expect(outcomes).toMatchObject([
        { status: 'posted' },
        { code: 'limit_exceeded' },
        { status: 'posted' },
        { code: 'limit_exceeded' },
      ]);
      // What was spent is counted, by whoever looks.
      expect(await rival.post([debit(7n), debit(5n)])).toMatchObject([
        { code: 'limit_exceeded' },
        { status: 'posted' },
      ]);
      expect(await program.post([counted.beside, debit(2n)])).toMatchObject([
        { status: 'posted' },
        { code: 'limit_exceeded' },
      ]);
    } finally {
      await rival.removeSpendingLimit(limit.limitId);
    }
    expect(await program.post([counted.beside, debit(11n), debit(80n)])).toMatchObject([
      { status: 'posted' },
      { status: 'posted', balanceAfter: 80n },
      { status: 'posted', balanceAfter: 0n },
    ]);
  });
});

test('and after all of this every promise holds', async () => {
  await rival.reconcile({ all: true }); // There were entries while the sync was off.
  expect(await brokenPromises(db, rival)).toEqual([]);
});
