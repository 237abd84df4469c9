import type pg from 'pg';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import type { ItemOutcome, PostItem, Trueup, TrueupOptions } from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import { brokenPromises } from '../support/promises.js';

/** The queue: what is accepted is answered, what is not accepted is not posted. */

const db = await createDatabase('own');
const trueup = await db.trueup();
const blocker = await db.connect();
let wallet = '';
let other = '';
beforeEach(async () => {
  wallet = await trueup.openWallet({});
  other = await trueup.openWallet({});
});

const credit = (amount: number, walletId = wallet): PostItem => ({
  type: 'credit',
  walletId,
  amount,
  reason: 'winner',
});

function balance(walletId = wallet): Promise<string> {
  return db.value('SELECT balance::text FROM trueup.wallets WHERE id = $1', [walletId]);
}

/** How each call ended: what became of its items, or the code of its error. */
async function ends(calls: readonly Promise<ItemOutcome[]>[]): Promise<string[]> {
  const settled = await Promise.allSettled(calls);
  return settled.map((one) =>
    one.status === 'fulfilled'
      ? one.value.map(({ status }) => status).join()
      : (one.reason as { code: string }).code,
  );
}

/** Runs work while somebody else has locked the wallet, who lets go when the work says so. */
async function whileLocked(work: (letGo: () => Promise<unknown>) => Promise<void>): Promise<void> {
  await blocker.query('BEGIN');
  await blocker.query('SELECT FROM trueup.wallets WHERE id = $1 FOR UPDATE', [wallet]);
  try {
    await work(() => blocker.query('COMMIT'));
  } finally {
    await blocker.query('COMMIT'); // A second time it does nothing.
  }
}

/** Waits until sessions of this name wait for a lock. */
async function waiting(name: string, sessions = 1): Promise<void> {
  await vi.waitUntil(
    async () =>
      Number(
        await db.value(
          `SELECT count(*) FROM pg_stat_activity WHERE application_name = $1
              AND datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0`,
          [name],
        ),
      ) >= sessions,
    { timeout: 20_000, interval: 5 },
  );
}

let opened = 0;
async function open(posting: TrueupOptions['posting']): Promise<{ one: Trueup; name: string }> {
  opened += 1;
  const name = `queue ${String(opened)}`;
  const options = { applicationName: name, ...(posting === undefined ? {} : { posting }) };
  return { one: await db.trueup(options), name };
}

describe('close', () => {
  test('waits until everything that was accepted is committed and answered', async () => {
    const { one } = await open({ batchLimit: 40 });
    const calls = Array.from({ length: 500 }, () => one.post([credit(1)]));
    const closing = one.close();
    const late = [one.post([credit(1_000)]), one.post([credit(1_000)])];
    expect(await ends(late)).toEqual(['closed', 'closed']);
    await closing;
    expect(await balance()).toBe('500');
    expect(await ends(calls)).toEqual(Array(500).fill('posted'));
    expect(await ends([one.post([credit(1)])])).toEqual(['closed']);
  });

  test('waits for a lock that somebody else holds, and for what queues behind it', async () => {
    const { one, name } = await open({ batchLimit: 3, lanes: 2 });
    await whileLocked(async (letGo) => {
      const calls = Array.from({ length: 20 }, (_, index) =>
        one.post([credit(1, index % 2 === 0 ? wallet : other)]),
      );
      await waiting(name);
      let closed = false;
      const closing = one.close().then(() => {
        closed = true;
      });
      await waiting(name);
      expect(closed).toBe(false);
      await letGo();
      await closing;
      expect(await ends(calls)).toEqual(Array(20).fill('posted'));
    });
    expect([await balance(), await balance(other)]).toEqual(['10', '10']);
  });

  test('with nothing under way, and a second time', async () => {
    const { one } = await open({});
    await one.close();
    await Promise.all([one.close(), one.close()]);
  });

  test('callers who go on calling are refused, and nobody waits for ever', async () => {
    const { one } = await open({ batchLimit: 10 });
    let posted = 0;
    const caller = async (): Promise<string> => {
      for (;;) {
        const [end = ''] = await ends([one.post([credit(1)])]);
        if (end !== 'posted') return end;
        posted += 1;
      }
    };
    const callers = Array.from({ length: 50 }, caller);
    await vi.waitUntil(() => posted > 100, { interval: 1 });
    await one.close();
    expect(new Set(await Promise.all(callers))).toEqual(new Set(['closed']));
    expect(await balance()).toBe(String(posted));
  });
});

describe('overloaded', () => {
  test('what does not fit is refused as a whole, and posts nothing', async () => {
    const { one, name } = await open({ queueLimit: 10, batchLimit: 5, lanes: 1 });
    await whileLocked(async (letGo) => {
      const first = one.post([credit(1)]);
      await waiting(name);
      const queued = Array.from({ length: 8 }, () => one.post([credit(1)]));
      const three = one.post([credit(100), credit(100), credit(100)]);
      expect(await ends([three])).toEqual(['overloaded']);
      const two = one.post([credit(10), credit(10)]);
      expect(await ends([one.post([credit(1_000)])])).toEqual(['overloaded']);
      await letGo();
      expect(await ends([first, ...queued, two])).toEqual([
        ...Array<string>(9).fill('posted'),
        'posted,posted',
      ]);
      // There is room again.
      expect(await ends([one.post([credit(1), credit(1), credit(1)])])).toEqual([
        'posted,posted,posted',
      ]);
    });
    expect(await balance()).toBe(String(9 + 20 + 3));
  });

  test('a call that is larger than the queue will never fit; one that fills it is taken whole', async () => {
    const { one } = await open({ queueLimit: 9, batchLimit: 2 });
    const items = Array.from({ length: 10 }, () => credit(1));
    expect(await ends([one.post(items)])).toEqual(['invalid_argument']);
    expect(await one.post(items.slice(1))).toHaveLength(9);
    expect(await balance()).toBe('9');
  });
});

describe('a failure of the database', () => {
  /** Whoever is the victim of a deadlock is told by an error, the other one goes on. */
  async function deadlock(client: pg.Client, one: Trueup, name: string): Promise<ItemOutcome[]> {
    const [low = '', high = ''] = [wallet, other].sort((a, b) => Number(a) - Number(b));
    await client.query('BEGIN');
    await client.query('SELECT FROM trueup.wallets WHERE id = $1 FOR UPDATE', [high]);
    const posting = one.post([
      { type: 'transfer', from: { walletId: low }, to: { walletId: high }, amount: 100 },
    ]);
    await waiting(name);
    // The poster has waited longer: it looks first, and finds the circle.
    await client.query('SELECT FROM trueup.wallets WHERE id = $1 FOR UPDATE', [low]);
    await client.query('COMMIT');
    return posting;
  }

  test('a circle of locks is no lack of coins: who gives way posts afterwards', async () => {
    const { one, name } = await open({});
    await trueup.post([credit(100), credit(100, other)]);
    expect(await deadlock(await db.connect(), one, name)).toMatchObject([{ status: 'posted' }]);
    expect(await brokenPromises(db, trueup)).toEqual([]);
  });

  test.each(['repeatable read', 'serializable'])(
    'where the database makes transactions %s: failures are tried again, and all coins are spent',
    async (isolation) => {
      await trueup.post([credit(60)]);
      const setting = `-c default_transaction_isolation=${isolation.replace(' ', '\\ ')}`;
      const databaseUrl = `${db.url}${db.url.includes('?') ? '&' : '?'}options=${encodeURIComponent(setting)}`;
      const witness = await db.connect({ connectionString: databaseUrl });
      const shown = await witness.query('SHOW transaction_isolation');
      expect(shown.rows).toEqual([{ transaction_isolation: isolation }]);
      const posting = { batchLimit: 10, lanes: 1 };
      const [one, two] = [
        await db.trueup({ databaseUrl, posting }),
        await db.trueup({ databaseUrl, posting }),
      ];
      const calls = Array.from({ length: 90 }, (_, index) =>
        (index % 2 === 0 ? one : two).post([
          { type: 'debit', walletId: wallet, amount: 1, reason: 'purchase' },
        ]),
      );
      const told = await ends(calls);
      expect(told.filter((end) => end === 'posted')).toHaveLength(60);
      expect(told.filter((end) => end === 'refused')).toHaveLength(30);
      expect(await balance()).toBe('0');
    },
  );
});
