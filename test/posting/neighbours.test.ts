import { beforeEach, describe, expect, test } from 'vitest';
import type { ItemOutcome, PostItem, Trueup } from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import { caches, createEconomy, truth, type Economy } from '../support/economy.js';

/** One item that the application's own rules refuse: its call fails, and no other one. */

const db = await createDatabase('empty');
let economy: Economy;
let trueup: Trueup;
beforeEach(async () => {
  await db.run('DROP SCHEMA IF EXISTS app CASCADE');
  economy = await createEconomy(db, 4, { foreignKeys: false });
  trueup = await db.trueup({ config: economy.mapping });
  await trueup.installSync();
});

const credit = (amount: number, more: object = {}): PostItem => ({
  type: 'credit',
  walletId: String(1 + (amount % 4)),
  amount,
  reason: 'winner',
  ...more,
});

/** The amounts of the calls that failed, each with the message; the others have to be posted. */
async function failures(
  calls: readonly { readonly items: readonly PostItem[] }[],
): Promise<{ readonly amount: unknown; readonly message: string }[]> {
  const answers = await Promise.allSettled(calls.map(({ items }) => trueup.post(items)));
  return answers.flatMap((answer, index) => {
    if (answer.status === 'fulfilled') {
      expect(answer.value.every(({ status }: ItemOutcome) => status === 'posted')).toBe(true);
      return [];
    }
    const [first] = calls[index]?.items ?? [];
    const amount = first !== undefined && 'amount' in first ? first.amount : undefined;
    return [{ amount, message: String(answer.reason) }];
  });
}

async function amounts(): Promise<number[]> {
  const rows = await db.rows<{ amount: number }>('SELECT amount FROM app.ledger ORDER BY amount');
  return rows.map(({ amount }) => amount);
}

const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index);

describe('one of sixty callers', () => {
  test.each([
    ['a check', `ALTER TABLE app.ledger ADD CONSTRAINT not_13 CHECK (amount <> 13)`, 'not_13'],
    [
      'a trigger that raises',
      `CREATE FUNCTION app.no_13() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN IF NEW.amount = 13 THEN RAISE EXCEPTION 'thirteen'; END IF; RETURN NEW; END $$;
       CREATE TRIGGER no_13 BEFORE INSERT ON app.ledger FOR EACH ROW EXECUTE FUNCTION app.no_13()`,
      'thirteen',
    ],
    [
      'a check at the commit',
      `CREATE FUNCTION app.no_13() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN IF NEW.amount = 13 THEN RAISE EXCEPTION 'late thirteen'; END IF; RETURN NULL; END $$;
       CREATE CONSTRAINT TRIGGER no_13 AFTER INSERT ON app.ledger
         DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION app.no_13()`,
      'late thirteen',
    ],
  ])('%s refuses its entry', async (_, rule, words) => {
    await db.run(rule);
    const failed = await failures(range(1, 60).map((n) => ({ items: [credit(n)] })));
    expect(failed).toMatchObject([{ amount: 13 }]);
    expect(failed[0]?.message).toContain(words);
    expect(await amounts()).toEqual(range(1, 60).filter((n) => n !== 13));
    expect(await caches(db, economy)).toEqual(await truth(db, economy));
  });

  test('in a call of several items: none of the call is posted', async () => {
    await db.run('ALTER TABLE app.ledger ADD CONSTRAINT not_13 CHECK (amount <> 13)');
    const calls = range(1, 20).map((n) => ({
      items: [credit(100 + n), credit(n), credit(200 + n)],
    }));
    expect(await failures(calls)).toMatchObject([{ amount: 113 }]);
    expect((await amounts()).filter((amount) => amount % 100 === 13)).toEqual([]);
    expect(await amounts()).toHaveLength(57);
  });

  test('a unique column of the application, which looks like a key that was taken', async () => {
    await db.run('CREATE UNIQUE INDEX one_of_a_kind ON app.ledger (amount) WHERE amount = 13');
    await db.run(`INSERT INTO app.ledger (wallet_id, amount, reason) VALUES (1, 13, 'winner')`);
    const keyed = range(10, 15).map((n) => ({
      items: [credit(n, { idempotencyKey: `key ${String(n)}` })],
    }));
    const failed = await failures(keyed);
    expect(failed).toMatchObject([{ amount: 13 }]);
    expect(failed[0]?.message).toContain('one_of_a_kind');
    expect(await amounts()).toEqual(range(10, 15));
  });
});

test('a wallet whose cache cannot follow: its entry fails, the others do not', async () => {
  await db.run('ALTER TABLE app.wallet ADD CONSTRAINT poor CHECK (id <> 2 OR balance < 50)');
  const failed = await failures(
    range(1, 40).map((n) => ({ items: [credit(n % 4 === 1 ? 60 + n : n)] })),
  );
  // Wallet 2 is credited by those with n % 4 = 1, each of them with more than it may hold.
  expect(failed.map(({ amount }) => amount)).toEqual(
    range(1, 40)
      .filter((n) => n % 4 === 1)
      .map((n) => 60 + n),
  );
  expect(await caches(db, economy)).toEqual(await truth(db, economy));
});

test('a trigger that swallows an entry: its call fails, and nothing is posted twice', async () => {
  await db.run(
    `CREATE FUNCTION app.swallow() RETURNS trigger LANGUAGE plpgsql AS $$
     BEGIN IF NEW.amount = 13 THEN RETURN NULL; END IF; RETURN NEW; END $$;
     CREATE TRIGGER swallow BEFORE INSERT ON app.ledger FOR EACH ROW EXECUTE FUNCTION app.swallow()`,
  );
  const failed = await failures(range(11, 16).map((n) => ({ items: [credit(n)] })));
  expect(failed).toMatchObject([{ amount: 13 }]);
  expect(failed[0]?.message).toContain('did not take every entry');
  expect(await amounts()).toEqual([11, 12, 14, 15, 16]);
  expect(await caches(db, economy)).toEqual(await truth(db, economy));
});
