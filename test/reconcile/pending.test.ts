import { describe, expect, test } from 'vitest';
import type { Finding, Trueup } from '../../src/index.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { createEconomy } from '../support/economy.js';

/** Pending coins against open holds, where there are few holds, and where there are many. */

/** More than the statements look at together: from here on each wallet is looked up. */
const MANY = 10_001;

const OF_ANOTHER_LEDGER = '"other"."ledger"';

const LAST = '7 pendingBalance 0 9';

/** Wallet 1 has nothing, 2 pending coins without a hold, 3 an open hold, 4 one that is not shown, 5 a closed one. */
async function fill(db: TestDatabase, ledger: string, pending: string): Promise<void> {
  await db.run(`INSERT INTO trueup.holds (id, ledger, wallet_id, amount, state, reason, created_at, closed_at)
    SELECT gen_random_uuid(), l, w, 5, s, 'purchase', now(), CASE WHEN s = 'open' THEN NULL ELSE now() END
      FROM (VALUES ('${ledger}', '3', 'open'), ('${ledger}', '4', 'open'), ('${ledger}', '5', 'released'),
                   ('${OF_ANOTHER_LEDGER}', '1', 'open'), ('${OF_ANOTHER_LEDGER}', '3', 'open')) AS h (l, w, s)`);
  await db.run(pending);
}

async function addMany(db: TestDatabase, ledger: string, pending: string): Promise<void> {
  await db.run(`INSERT INTO trueup.holds (id, ledger, wallet_id, amount, reason, created_at)
    SELECT gen_random_uuid(), '${ledger}', '6', 1, 'purchase', now() FROM generate_series(1, ${String(MANY)})`);
  // The last one in whatever order they are read.
  await db.run(`INSERT INTO trueup.holds (id, ledger, wallet_id, amount, reason, created_at)
    VALUES (gen_random_uuid(), '${ledger}', '7', 9, 'purchase', now())`);
  await db.run(pending);
}

async function found(trueup: Trueup, userIds?: string[]): Promise<string[]> {
  const seen: Finding[] = [];
  await trueup.reconcile({
    ...(userIds === undefined ? { all: true } : { userIds }),
    dryRun: true,
    onFinding: (finding) => seen.push(finding),
  });
  return seen.map(
    ({ walletId, field, cached, expected }) =>
      `${String(walletId)} ${field} ${String(cached)} ${expected}`,
  );
}

const users = ['1', '2', '3', '4', '5', '6', '7'];

describe('own tables', async () => {
  const db = await createDatabase('own');
  const trueup = await db.trueup();
  const ledger = '"trueup"."entries"';
  const update = (id: number, pending: number): string =>
    `SET LOCAL trueup.writer = 'trueup'; UPDATE trueup.wallets SET pending_balance = ${String(pending)} WHERE id = ${String(id)}`;

  test('pending coins are those of the open holds', async () => {
    await db.run(`INSERT INTO trueup.profiles (id, user_id) SELECT n, n FROM generate_series(1, 7) AS n;
      INSERT INTO trueup.wallets (id, profile_id, allow_overdraft) SELECT n, n, true FROM generate_series(1, 7) AS n`);
    await fill(db, ledger, [update(2, 3), update(3, 5), update(5, 2)].join(';'));
    const wrong = ['2 pendingBalance 3 0', '4 pendingBalance 0 5', '5 pendingBalance 2 0'];
    expect(await found(trueup)).toEqual(wrong);
    expect(await found(trueup, users)).toEqual(wrong);
    await addMany(db, ledger, update(6, MANY));
    expect(await found(trueup)).toEqual([...wrong, LAST]);
    expect(await found(trueup, users)).toEqual([...wrong, LAST]);
    await db.run(update(6, MANY - 1));
    expect(await found(trueup)).toContain('6 pendingBalance 10000 10001');
    expect(await trueup.reconcile({ all: true })).toMatchObject({ repaired: 5 });
    expect(await found(trueup)).toEqual([]);
  });
});

describe('an adopted ledger', async () => {
  const db = await createDatabase('empty');
  const economy = await createEconomy(db, 7);
  await db.run('ALTER TABLE app.wallet ADD pending bigint NOT NULL DEFAULT 0');
  const { mapping } = economy;
  const config = { ...mapping, wallet: { ...mapping.wallet, pendingBalance: 'pending' } };
  await (await db.trueup({ config })).installSync();
  const trueup = await db.trueup({ config });
  const ledger = '"app"."ledger"';
  const update = (id: number, pending: number): string =>
    `SET LOCAL trueup.writer = 'trueup'; UPDATE app.wallet SET pending = ${String(pending)} WHERE id = ${String(id)}`;

  test("pending coins of a wallet that never had a hold are the application's own", async () => {
    await fill(db, ledger, [update(2, 3), update(3, 5), update(5, 2)].join(';'));
    const wrong = ['4 pendingBalance 0 5', '5 pendingBalance 2 0'];
    expect(await found(trueup)).toEqual(wrong);
    expect(await found(trueup, users)).toEqual(wrong);
    await addMany(db, ledger, update(6, MANY));
    expect(await found(trueup)).toEqual([...wrong, LAST]);
    expect(await found(trueup, users)).toEqual([...wrong, LAST]);
    expect(await trueup.reconcile({ all: true })).toMatchObject({ repaired: 3 });
    expect(await found(trueup)).toEqual([]);
    expect(await db.value('SELECT pending FROM app.wallet WHERE id = 2')).toBe('3');
  });
});
