import { beforeEach, expect, test, vi } from 'vitest';
import type { ItemOutcome, PostItem } from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import { createEconomy } from '../support/economy.js';
import { brokenPromises } from '../support/promises.js';

/** Somebody holds the lock of a wallet for as long as he likes: who wants it waits, and nobody else. */

const db = await createDatabase('own');
const trueup = await db.trueup({ applicationName: 'poster' });
const somebody = await db.connect();
let wallets: string[] = [];

beforeEach(async () => {
  wallets = await Promise.all(Array.from({ length: 14 }, () => trueup.openWallet({})));
  await trueup.post(wallets.map((walletId) => credit(walletId, 100n)));
});

const credit = (walletId: string, amount = 1n): PostItem => ({
  ...{ type: 'credit', walletId, amount, reason: 'winner' },
});

async function lock(...walletIds: string[]): Promise<void> {
  await somebody.query('BEGIN');
  await somebody.query(
    'SELECT FROM trueup.wallets WHERE id = ANY ($1::bigint[]) ORDER BY id FOR UPDATE',
    [walletIds],
  );
}

/** Until so many connections of the program wait for a lock. */
async function waiting(count: number): Promise<void> {
  await vi.waitUntil(
    async () =>
      (await db.value(
        `SELECT count(*)::text FROM pg_stat_activity WHERE application_name = 'poster'
            AND datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0`,
      )) === String(count),
    { timeout: 20_000, interval: 5 },
  );
}

function balances(outcomes: readonly (ItemOutcome | undefined)[]): unknown[] {
  return outcomes.map((one) => (one?.status === 'posted' ? one.balanceAfter : one?.status));
}

test('one caller waits; another wallet is posted to at once, and more than once', async () => {
  const [held = '', other = ''] = wallets;
  await lock(held);
  const late = trueup.post([credit(held)]);
  await waiting(1);
  expect(balances(await trueup.post([credit(other)]))).toEqual([101n]);
  expect(balances(await trueup.post([credit(other)]))).toEqual([102n]);
  await somebody.query('COMMIT');
  expect(balances(await late)).toEqual([101n]);
});

test('in a batch of many callers, only those who want the wallet wait', async () => {
  const [held = '', ...others] = wallets;
  await lock(held);
  const transfer = trueup.transfer({
    from: { walletId: others[0] ?? '' },
    to: { walletId: held },
    amount: 5n,
  });
  const late = trueup.post([credit(held)]);
  const answers = await Promise.all(others.slice(1).map((id) => trueup.post([credit(id)])));
  expect(balances(answers.flat())).toEqual(others.slice(1).map(() => 101n));
  await somebody.query('COMMIT');
  expect([await transfer, ...(await late)]).toMatchObject([
    { status: 'posted' },
    { status: 'posted' },
  ]);
});

test('calls for the held wallet keep their order', async () => {
  const [held = ''] = wallets;
  await lock(held);
  const calls = [trueup.post([credit(held, 1n)])];
  await waiting(1);
  for (const amount of [10n, 100n, 1_000n]) calls.push(trueup.post([credit(held, amount)]));
  await somebody.query('COMMIT');
  expect(balances((await Promise.all(calls)).flat())).toEqual([101n, 111n, 211n, 1_211n]);
});

test('more wallets are held than may wait: nothing is lost, and close() waits for all', async () => {
  const program = await db.trueup({ applicationName: 'poster' });
  const [free = '', ...held] = wallets;
  await lock(...held);
  const late: Promise<ItemOutcome[]>[] = [];
  for (const [index, walletId] of held.entries()) {
    late.push(program.post([credit(walletId)]));
    await waiting(Math.min(index + 1, 9));
  }
  let closed = false;
  const closing = program.close().then(() => {
    closed = true;
  });
  await expect(trueup.post([credit(free)])).resolves.toMatchObject([{ balanceAfter: 101n }]);
  expect(closed).toBe(false);
  await somebody.query('COMMIT');
  expect(balances((await Promise.all(late)).flat())).toEqual(held.map(() => 101n));
  await closing;
});

test('the wallet of a known user is found while somebody holds his profile', async () => {
  const walletId = await trueup.openWallet({ userId: 'held' });
  await somebody.query('BEGIN');
  await somebody.query(`SELECT FROM trueup.profiles WHERE user_id = 'held' FOR UPDATE`);
  expect(await trueup.openWallet({ userId: 'held' })).toBe(walletId);
  await somebody.query('ROLLBACK');
});

test('a key without a unique index is refused: two programs could both use it', async () => {
  const empty = await createDatabase('empty');
  const economy = await createEconomy(empty, 1);
  const adopted = await empty.trueup({ config: economy.mapping });
  await adopted.installSync();
  await empty.run(
    `DO $$ DECLARE one record; BEGIN
       FOR one IN SELECT conname FROM pg_constraint WHERE conrelid = 'app.ledger'::regclass AND contype = 'u' LOOP
         EXECUTE format('ALTER TABLE app.ledger DROP CONSTRAINT %I', one.conname);
       END LOOP; END $$`,
  );
  const again = await empty.trueup({ config: economy.mapping });
  const item = { ...credit('1'), idempotencyKey: 'k' };
  await expect(again.post([item])).rejects.toMatchObject({
    code: 'feature_off',
    hint: expect.stringContaining('CREATE UNIQUE INDEX') as string,
  });
  expect(await again.post([credit('1')])).toMatchObject([{ status: 'posted' }]);
});

test('and after all of this every promise holds', async () => {
  expect(await brokenPromises(db, trueup)).toEqual([]);
});
