import { beforeEach, describe, expect, test } from 'vitest';
import type { ItemOutcome, PostItem, TransactionClient } from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import { brokenPromises } from '../support/promises.js';

/** Calls on one client take their turn, whichever object they are made on; wrong clients are told. */

const db = await createDatabase('own');
await db.run(`
  CREATE FUNCTION public.no_13() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN IF NEW.amount IN (13, -13) THEN RAISE EXCEPTION 'thirteen'; END IF; RETURN NEW; END $$;
  CREATE TRIGGER no_13 BEFORE INSERT ON trueup.entries FOR EACH ROW EXECUTE FUNCTION public.no_13()`);
const trueup = await db.trueup();
const client = await db.connect();
let wallet = '';
beforeEach(async () => {
  wallet = await trueup.openWallet({});
  await trueup.credit({ walletId: wallet, amount: 100n, reason: 'top_up' });
});

const debit = (amount: bigint): PostItem => ({
  type: 'debit',
  walletId: wallet,
  amount,
  reason: 'purchase',
});

async function ends(calls: readonly Promise<ItemOutcome[]>[]): Promise<string[]> {
  const settled = await Promise.allSettled(calls);
  return settled.map((one) => {
    if (one.status === 'rejected') return (one.reason as { code: string }).code;
    const [outcome] = one.value;
    return outcome?.status === 'posted' ? String(outcome.balanceAfter) : String(outcome?.status);
  });
}

describe('calls at once', () => {
  test('are done in their order; each failure undoes its own, and no other', async () => {
    await client.query('BEGIN');
    const one = trueup.within(client);
    const two = trueup.within(client);
    const amounts = [10n, 13n, 20n, 13n, 200n, 5n];
    const calls = amounts.map((amount, place) =>
      (place % 2 === 0 ? one : two).post([debit(amount)]),
    );
    const wrong = one.post([{} as PostItem]);
    expect(await ends([...calls, wrong])).toEqual([
      ...['90', 'database_failed', '70', 'database_failed', 'refused', '65'],
      'invalid_argument',
    ]);
    await client.query('COMMIT');
    expect(await trueup.balance({ walletId: wallet })).toMatchObject({ balance: 65n });
  });

  test('on several clients do not wait for each other', async () => {
    const other = await db.connect();
    const second = await trueup.openWallet({});
    await client.query('BEGIN');
    await other.query('BEGIN');
    await other.query('SELECT FROM trueup.wallets WHERE id = $1 FOR UPDATE', [wallet]);
    const waits = trueup.within(client).post([debit(1n)]);
    const credit = { walletId: second, amount: 7n, reason: 'winner' };
    expect(await trueup.within(other).credit(credit)).toMatchObject({ balanceAfter: 7n });
    await other.query('COMMIT');
    expect(await ends([waits])).toEqual(['99']);
    await client.query('COMMIT');
  });

  test('and after all of this every promise holds', async () => {
    expect(await brokenPromises(db, trueup)).toEqual([]);
  });
});

describe('a client that is none', () => {
  const answers: readonly (readonly [string, unknown])[] = [
    ['nothing', undefined],
    ['no rows', {}],
    ['rows that are none', { rows: 5 }],
    ['a list', []],
  ];

  test.each(answers)('answers %s', async (_, answer) => {
    const odd = { query: () => Promise.resolve(answer) } as TransactionClient;
    await expect(trueup.within(odd).post([debit(1n)])).rejects.toMatchObject({
      code: 'invalid_argument',
      message: expect.stringContaining('rows') as string,
    });
  });

  test('answers at once: it is waited for all the same', async () => {
    const odd = { query: () => ({ rows: [] }) } as unknown as TransactionClient;
    await expect(trueup.within(odd).post([])).resolves.toEqual([]);
  });

  test('has no transaction: nothing is posted, and it is told what to do', async () => {
    await expect(trueup.within(client).post([debit(1n)])).rejects.toMatchObject({
      code: 'invalid_argument',
      message: expect.stringContaining('25P01') as string,
      hint: expect.stringContaining('BEGIN') as string,
    });
  });

  test('loses its savepoint: the first error is told, the second is beside it', async () => {
    await client.query('BEGIN');
    const rude: TransactionClient = {
      query: async (statement) => {
        const result = await client.query(statement);
        if (statement.text.startsWith('SAVEPOINT')) await client.query('RELEASE trueup_posting');
        return result;
      },
    };
    await expect(trueup.within(rude).post([debit(13n)])).rejects.toMatchObject({
      code: 'database_failed',
      message: expect.stringContaining('thirteen') as string,
      cause: { errors: [{ code: 'database_failed' }, { code: 'database_failed' }] },
    });
    await client.query('ROLLBACK');
  });
});
