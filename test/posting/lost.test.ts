import { beforeEach, describe, expect, test } from 'vitest';
import type { ItemOutcome, PostItem } from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import { brokenPromises } from '../support/promises.js';
import { Proxy, type Cut } from '../support/proxy.js';

/** The connection goes at the COMMIT, before or after it: the call is answered, and posts once. */

const db = await createDatabase('own');
const proxy = await Proxy.to(db.url);
const trueup = await db.trueup({ databaseUrl: proxy.url });
const direct = await db.trueup();
const CUTS: readonly (readonly Cut[])[] = [
  ['before'],
  ['after'],
  ['race'],
  ['before', 'after', 'race'],
  // The second COMMIT is that of the look at what became of the first.
  ['after', 'before'],
];

let alice = '';
let bob = '';
beforeEach(async () => {
  [alice, bob] = await Promise.all([funded(), funded()]);
});

async function funded(): Promise<string> {
  const walletId = await direct.openWallet({});
  await direct.credit({ walletId, amount: 100n, reason: 'top_up' });
  return walletId;
}

async function heldCoins(): Promise<string> {
  const outcome = await direct.hold({ walletId: alice, amount: 40n, reason: 'purchase' });
  return outcome.status === 'held' ? outcome.hold.holdId : '';
}

/** Entries, holds and what became of them, of the two wallets. */
async function written(): Promise<string[]> {
  const rows = await db.rows<{ line: string }>(
    `SELECT concat_ws(' ', 'entry', e.wallet_id, e.amount, e.balance_after) AS line
       FROM trueup.entries AS e WHERE e.wallet_id = ANY ($1::bigint[])
     UNION ALL SELECT concat_ws(' ', 'hold', h.wallet_id, h.amount, h.captured, h.state)
       FROM trueup.holds AS h WHERE h.wallet_id = ANY ($1::text[]) ORDER BY 1`,
    [[alice, bob]],
  );
  return rows.map(({ line }) => line);
}

const key = (): string => `key ${alice}`;

/** What is sent, and what it adds to the two wallets, which hold 100 each. */
const POSTINGS: readonly {
  readonly name: string;
  readonly items: () => Promise<PostItem[]> | PostItem[];
  readonly adds: () => string[];
}[] = [
  {
    name: 'a credit',
    items: () => [{ type: 'credit', walletId: alice, amount: 7n, reason: 'winner' }],
    adds: () => [`entry ${alice} 7 107`],
  },
  {
    name: 'a transfer with a key',
    items: () => [
      {
        type: 'transfer',
        from: { walletId: alice },
        to: { walletId: bob },
        amount: 7n,
        idempotencyKey: key(),
      },
    ],
    adds: () => [`entry ${alice} -7 93`, `entry ${bob} 7 107`],
  },
  {
    name: 'two equal debits and a refusal',
    items: () => [
      { type: 'debit', walletId: alice, amount: 7n, reason: 'purchase' },
      { type: 'debit', walletId: alice, amount: 7n, reason: 'purchase' },
      { type: 'debit', walletId: alice, amount: 700n, reason: 'purchase' },
    ],
    adds: () => [`entry ${alice} -7 93`, `entry ${alice} -7 86`],
  },
  {
    name: 'nothing but a hold',
    items: () => [{ type: 'hold', walletId: alice, amount: 7n, reason: 'purchase' }],
    adds: () => [`hold ${alice} 7 0 open`],
  },
  {
    name: 'nothing but a hold with a key',
    items: () => [
      { type: 'hold', walletId: alice, amount: 7n, reason: 'purchase', idempotencyKey: key() },
    ],
    adds: () => [`hold ${alice} 7 0 open`],
  },
  {
    name: 'a release',
    items: async () => [{ type: 'release', holdId: await heldCoins() }],
    adds: () => [`hold ${alice} 40 0 released`],
  },
  {
    name: 'a release with a key',
    items: async () => [{ type: 'release', holdId: await heldCoins(), idempotencyKey: key() }],
    adds: () => [`hold ${alice} 40 0 released`],
  },
  {
    name: 'a capture of a part',
    items: async () => [
      { type: 'capture', holdId: await heldCoins(), amount: 7n, to: { walletId: bob } },
    ],
    adds: () => [`entry ${alice} -7 93`, `entry ${bob} 7 107`, `hold ${alice} 40 7 open`],
  },
  {
    name: 'a hold and a credit',
    items: () => [
      { type: 'hold', walletId: alice, amount: 7n, reason: 'purchase' },
      { type: 'credit', walletId: bob, amount: 7n, reason: 'winner' },
    ],
    adds: () => [`entry ${bob} 7 107`, `hold ${alice} 7 0 open`],
  },
];

describe.each(POSTINGS)('$name', ({ items, adds }) => {
  test.each(CUTS.map((cuts) => ({ cuts })))('COMMITs lost: $cuts', async ({ cuts }) => {
    const sent = await items();
    proxy.cut(...cuts);
    const outcomes = await trueup.post(sent);
    expect(proxy.left).toBe(0);
    expect(await written()).toEqual(
      [`entry ${alice} 100 100`, `entry ${bob} 100 100`, ...adds()].sort(),
    );
    expect(outcomes).toHaveLength(sent.length);
    await expectTruth(outcomes);
  });
});

/** What the outcomes say of entries and holds is what is there. */
async function expectTruth(outcomes: readonly ItemOutcome[]): Promise<void> {
  for (const outcome of outcomes) {
    if (outcome.status === 'refused') continue;
    if (outcome.status === 'posted') {
      for (const { entryId, walletId, amount, balanceAfter } of outcome.entries) {
        const [row] = await db.rows(
          `SELECT wallet_id::text, amount::text, balance_after::text, transaction_id::text
             FROM trueup.entries WHERE id = $1`,
          [entryId],
        );
        expect(row).toEqual({
          wallet_id: walletId,
          amount: String(amount),
          balance_after: String(balanceAfter),
          transaction_id: outcome.transactionId,
        });
      }
    } else {
      const state = await db.value('SELECT state FROM trueup.holds WHERE id = $1', [
        outcome.hold.holdId,
      ]);
      expect(state).toBe(outcome.hold.state);
    }
  }
}

test('callers who share the lost batch are all answered, and each posts once', async () => {
  for (const cut of ['before', 'after', 'race'] as const) {
    const wallet = await direct.openWallet({});
    proxy.cut(cut);
    const outcomes = await Promise.all(
      Array.from({ length: 120 }, (_, index) =>
        trueup.credit({
          walletId: wallet,
          amount: 1n,
          reason: 'winner',
          ...(index % 2 === 0 ? { idempotencyKey: `${wallet} ${String(index)}` } : {}),
        }),
      ),
    );
    expect(proxy.left).toBe(0);
    const ids = outcomes.map((outcome) => outcome.status === 'posted' && outcome.entryId);
    expect(new Set(ids).size).toBe(120);
    expect(await direct.getBalanceDrift(wallet)).toMatchObject({ ledgerBalance: 120n });
  }
});

test('a hold whose COMMIT was lost, and which is closed before anybody looks, is not made again', async () => {
  await db.run(`
    CREATE FUNCTION public.close_at_once() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      UPDATE trueup.holds SET state = 'released', closed_at = now() WHERE id = NEW.id;
      UPDATE trueup.wallets SET pending_balance = pending_balance - NEW.amount WHERE id = NEW.wallet_id::bigint;
      RETURN NULL;
    END $$;
    CREATE CONSTRAINT TRIGGER closer AFTER INSERT ON trueup.holds
      DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.close_at_once()`);
  try {
    proxy.cut('after');
    const outcome = await trueup.hold({ walletId: alice, amount: 7n, reason: 'purchase' });
    expect(outcome.status).toBe('held');
    expect((await written()).filter((line) => line.startsWith('hold'))).toEqual([
      `hold ${alice} 7 0 released`,
    ]);
  } finally {
    await db.run('DROP TRIGGER closer ON trueup.holds');
  }
});

test('sessions ended by an administrator in the middle of a load: everything is there once', async () => {
  const wallet = await direct.openWallet({});
  const victim = await db.trueup({ applicationName: 'victim', posting: { batchLimit: 5 } });
  let ended = 0;
  for (let round = 0; round < 10; round += 1) {
    let posting = true;
    const endOne = async (): Promise<void> => {
      for (let found = 0; posting && found === 0; ended += found) {
        const rows = await db.rows(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE application_name = 'victim' AND datname = current_database()
              AND state <> 'idle' LIMIT 1`,
        );
        found = rows.length;
      }
    };
    const load = Promise.all(
      Array.from({ length: 20 }, () =>
        victim.credit({ walletId: wallet, amount: 1n, reason: 'winner' }),
      ),
    ).finally(() => {
      posting = false;
    });
    const [outcomes] = await Promise.all([load, endOne()]);
    expect(outcomes.filter(({ status }) => status === 'posted')).toHaveLength(20);
  }
  expect(ended).toBeGreaterThan(0);
  expect(await direct.getBalanceDrift(wallet)).toMatchObject({ ledgerBalance: 200n });
});

test('and after all of this every promise holds', async () => {
  expect(await brokenPromises(db, direct)).toEqual([]);
});
