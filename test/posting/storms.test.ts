import { beforeEach, describe, expect, test } from 'vitest';
import type { ItemOutcome, PostItem, Trueup } from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import { brokenPromises } from '../support/promises.js';

/** Many at once: one key, one wallet, two directions. Several Trueups, as several processes have. */

const db = await createDatabase('own');
/** The second and third take few items at a time, so that many transactions meet. */
const trueups: readonly Trueup[] = [
  await db.trueup(),
  await db.trueup({ posting: { batchLimit: 7 } }),
  await db.trueup({ posting: { batchLimit: 3, lanes: 4 } }),
];
const CALLS = 200;

function nth(index: number): Trueup {
  const one = trueups[index % trueups.length];
  if (one === undefined) throw new Error('no Trueup');
  return one;
}
const trueup = nth(0);

let alice = '';
let bob = '';
beforeEach(async () => {
  alice = await fundedWallet(100n);
  bob = await fundedWallet(100n);
});

async function fundedWallet(amount: bigint, allowOverdraft = false): Promise<string> {
  const walletId = await trueup.openWallet({ allowOverdraft });
  if (amount > 0n) await trueup.credit({ walletId, amount, reason: 'top_up' });
  return walletId;
}

async function heldCoins(amount: bigint): Promise<string> {
  const outcome = await trueup.hold({ walletId: alice, amount, reason: 'purchase' });
  if (outcome.status !== 'held') throw new Error(`not held: ${outcome.code}`);
  return outcome.hold.holdId;
}

/** Calls at once, one Trueup after the other. */
async function atOnce(calls: number, make: (index: number) => PostItem): Promise<ItemOutcome[]> {
  const answers = Array.from({ length: calls }, async (_, index) => {
    const [outcome] = await nth(index).post([make(index)]);
    if (outcome === undefined) throw new Error('no outcome');
    return outcome;
  });
  return Promise.all(answers);
}

/** How many of each: `posted`, `posted again`, or the code. */
function tally(outcomes: readonly ItemOutcome[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const outcome of outcomes) {
    const word = outcome.status === 'refused' ? outcome.code : outcome.status;
    const name = outcome.status !== 'refused' && outcome.replayed ? `${word} again` : word;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

function entriesOf(...wallets: string[]): Promise<string> {
  return db.value('SELECT count(*) FROM trueup.entries WHERE wallet_id = ANY ($1::bigint[])', [
    wallets,
  ]);
}

/** Each verb with something to work on, and how many entries its one posting makes. */
const VERBS: readonly {
  readonly verb: string;
  readonly prepare: () => Promise<Record<string, unknown>>;
  readonly entries: number;
  readonly word: string;
}[] = [
  {
    verb: 'credit',
    prepare: () => Promise.resolve({ walletId: alice, amount: 7, reason: 'winner' }),
    entries: 1,
    word: 'posted',
  },
  {
    verb: 'debit',
    prepare: () => Promise.resolve({ walletId: alice, amount: 7, reason: 'purchase' }),
    entries: 1,
    word: 'posted',
  },
  {
    verb: 'transfer',
    prepare: () => Promise.resolve({ from: { walletId: alice }, to: { walletId: bob }, amount: 7 }),
    entries: 2,
    word: 'posted',
  },
  {
    verb: 'hold',
    prepare: () => Promise.resolve({ walletId: alice, amount: 7, reason: 'purchase' }),
    entries: 0,
    word: 'held',
  },
  {
    verb: 'capture',
    prepare: async () => ({ holdId: await heldCoins(30n), amount: 7, to: { walletId: bob } }),
    entries: 2,
    word: 'posted',
  },
  {
    verb: 'reverse',
    prepare: async () => {
      const from = { walletId: alice };
      const sent = await trueup.transfer({ from, to: { walletId: bob }, amount: 20n });
      return { transactionId: sent.status === 'posted' && sent.transactionId, amount: 7 };
    },
    entries: 2,
    word: 'posted',
  },
  {
    verb: 'release',
    prepare: async () => ({ holdId: await heldCoins(30n) }),
    entries: 0,
    word: 'released',
  },
];

describe(`${String(CALLS)} calls with one key`, () => {
  test.each(VERBS)('$verb: one is done, and all are told the same', async (one) => {
    const request = await one.prepare();
    const before = Number(await entriesOf(alice, bob));
    const item = { type: one.verb, ...request, idempotencyKey: `key ${alice}` } as PostItem;
    const outcomes = await atOnce(CALLS, () => item);
    expect(tally(outcomes)).toEqual({ [one.word]: 1, [`${one.word} again`]: CALLS - 1 });
    const told = outcomes.map((outcome) => JSON.stringify({ ...outcome, replayed: 0 }, asText));
    expect(new Set(told).size).toBe(1);
    expect(Number(await entriesOf(alice, bob)) - before).toBe(one.entries);
    expect(await brokenPromises(db, trueup)).toEqual([]);
  });

  test.each(VERBS.filter(({ verb }) => verb !== 'release'))(
    '$verb with two amounts: one amount wins, the other is a conflict',
    async ({ verb, prepare, entries, word }) => {
      const request = await prepare();
      const before = Number(await entriesOf(alice, bob));
      const outcomes = await atOnce(CALLS, (index) => {
        const amount = index % 4 === 0 ? 8 : 7;
        return { type: verb, ...request, amount, idempotencyKey: `key ${alice}` } as PostItem;
      });
      const counts = tally(outcomes);
      expect(counts[word]).toBe(1);
      const eights = CALLS / 4;
      expect([eights, CALLS - eights]).toContain(counts['idempotency_conflict']);
      // Who asked for the amount that won was never told of a conflict.
      const won = outcomes.findIndex((outcome) => tally([outcome])[word] === 1) % 4;
      for (const [index, { status }] of outcomes.entries()) {
        expect(status === 'refused').toBe((index % 4 === 0) !== (won === 0));
      }
      expect(Number(await entriesOf(alice, bob)) - before).toBe(entries);
    },
  );

  test('linked items: posted together once, and repeated together', async () => {
    const items: PostItem[] = [
      { type: 'debit', walletId: alice, amount: 7n, reason: 'purchase' },
      { type: 'credit', walletId: bob, amount: 7n, reason: 'winner' },
    ];
    const answers = await Promise.all(
      Array.from({ length: CALLS }, (_, index) =>
        nth(index).post(
          items.map((item, n) => ({ ...item, idempotencyKey: `${alice} ${String(n)}`, link: 'x' })),
        ),
      ),
    );
    const each = answers.map((outcomes) => tally(outcomes));
    expect(each.filter((counts) => counts['posted'] === 2)).toHaveLength(1);
    expect(each.filter((counts) => counts['posted again'] === 2)).toHaveLength(CALLS - 1);
    expect(await entriesOf(alice, bob)).toBe('4');
  });

  test('for another wallet each: one posts', async () => {
    const wallets = await Promise.all(Array.from({ length: 10 }, () => fundedWallet(0n)));
    const outcomes = await atOnce(CALLS, (index) => ({
      type: 'credit',
      walletId: wallets[index % 10] ?? '',
      amount: 7n,
      reason: 'winner',
      idempotencyKey: `key ${alice}`,
    }));
    expect(tally(outcomes)).toEqual({
      posted: 1,
      'posted again': CALLS / 10 - 1,
      idempotency_conflict: CALLS - CALLS / 10,
    });
    expect(await entriesOf(...wallets)).toBe('1');
  });
});

describe(`${String(CALLS)} calls without a key, of what can be done once`, () => {
  test('a reversal', async () => {
    const sent = await trueup.credit({ walletId: alice, amount: 20n, reason: 'winner' });
    const entryId = sent.status === 'posted' ? sent.entryId : '';
    const outcomes = await atOnce(CALLS, () => ({ type: 'reverse', entryId, amount: 5n }));
    expect(tally(outcomes)).toEqual({ posted: 1, already_reversed: CALLS - 1 });
    expect(await brokenPromises(db, trueup)).toEqual([]);
  });

  test('a capture of the whole hold, and its release, at the same time', async () => {
    const holdId = await heldCoins(40n);
    const outcomes = await atOnce(CALLS, (index) =>
      index % 2 === 0 ? { type: 'capture', holdId } : { type: 'release', holdId },
    );
    const { posted = 0, released = 0, ...rest } = tally(outcomes);
    expect(posted + released).toBe(1);
    expect(rest).toEqual(
      posted === 1
        ? { hold_closed: CALLS - 1 }
        : { hold_closed: CALLS / 2, 'released again': CALLS / 2 - 1 },
    );
    expect(await brokenPromises(db, trueup)).toEqual([]);
  });

  test('captures of parts: never more than the hold', async () => {
    const holdId = await heldCoins(40n);
    const outcomes = await atOnce(CALLS, () => ({ type: 'capture', holdId, amount: 3n }));
    expect(tally(outcomes)).toEqual({ posted: 13, exceeds_hold: CALLS - 13 });
    expect(await brokenPromises(db, trueup)).toEqual([]);
  });
});

describe('more is asked for than is there', () => {
  const spend = (walletId: string, index: number): PostItem => {
    const from = { walletId };
    if (index % 3 === 0) return { type: 'debit', ...from, amount: 3n, reason: 'purchase' };
    if (index % 3 === 1) return { type: 'hold', ...from, amount: 3n, reason: 'purchase' };
    return { type: 'transfer', from, to: { walletId: bob }, amount: 3n };
  };
  const done = ({ status }: ItemOutcome): boolean => status !== 'refused';

  test('debits, holds and transfers go down to the last coins, and no further', async () => {
    const outcomes = await atOnce(180, (index) => spend(alice, Math.floor(index / 3)));
    expect(outcomes.filter(done)).toHaveLength(33);
    expect(tally(outcomes)['insufficient_funds']).toBe(147);
    const left = await db.value(
      'SELECT (balance - pending_balance)::text FROM trueup.wallets WHERE id = $1',
      [alice],
    );
    expect(left).toBe('1');
    expect(await brokenPromises(db, trueup)).toEqual([]);
  });

  test('down to the floor of an overdraft', async () => {
    const wallet = await fundedWallet(100n, true);
    await db.run('UPDATE trueup.wallets SET min_balance = -50 WHERE id = $1', [wallet]);
    const outcomes = await atOnce(180, (index) => spend(wallet, Math.floor(index / 3)));
    expect(outcomes.filter(done)).toHaveLength(50);
    expect(await brokenPromises(db, trueup)).toEqual([]);
  });

  test('up to a spending limit', async () => {
    await db.run(
      `INSERT INTO trueup.spending_limits (ledger, wallet_id, amount, window_seconds)
       VALUES ('"trueup"."entries"', $1, 31, 2000000000)`,
      [alice],
    );
    const outcomes = await atOnce(90, (index) => spend(alice, Math.floor(index / 3)));
    expect(outcomes.filter(done)).toHaveLength(10);
    expect(tally(outcomes)['limit_exceeded']).toBe(80);
  });

  test('up to a ceiling', async () => {
    await db.run('UPDATE trueup.wallets SET max_balance = 131 WHERE id = $1', [bob]);
    const outcomes = await atOnce(90, (index) =>
      index % 2 === 0
        ? { type: 'credit', walletId: bob, amount: 3n, reason: 'winner' }
        : { type: 'transfer', from: { walletId: alice }, to: { walletId: bob }, amount: 3n },
    );
    expect(tally(outcomes)).toEqual({ posted: 10, ceiling_exceeded: 80 });
  });
});

function asText(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}
