import { describe, expect, test } from 'vitest';
import { createDatabase } from '../support/database.js';
import { adopt, allEntries, fill, ID_TYPES, NUMERIC, posted } from './support.js';

/** balanceAt and balanceAfter: what a wallet held at some point of its history. */

const own = await createDatabase('own');
const db = await createDatabase('empty');
const trueup = await own.trueup();

const at = (text: string): Date => new Date(text);

describe('balanceAt on own tables', () => {
  test('is what the last entry up to that millisecond left', async () => {
    const walletId = await trueup.openWallet({ userId: 'a' });
    await own.run(
      `INSERT INTO trueup.entries (wallet_id, amount, reason, created_at) VALUES
         ($1, 10, 'winner', '2024-03-01 12:00:00.000Z'), ($1, 5, 'winner', '2024-03-01 12:00:00.0009Z'),
         ($1, -3, 'purchase', '2024-03-02 00:00Z')`,
      [walletId],
    );
    const balances = await Promise.all(
      ['2024-03-01T11:59:59.999Z', '2024-03-01T12:00:00.000Z', '2024-03-01T12:00:00.001Z']
        .concat(['2024-03-01T23:59:59.999Z', '2024-03-02T00:00:00Z', '2999-01-01T00:00:00Z'])
        .map((time) => trueup.balanceAt({ userId: 'a', at: at(time) })),
    );
    expect(balances).toEqual([0n, 15n, 15n, 15n, 12n, 12n]);
    expect(await trueup.balanceAt({ walletId, at: new Date(8.64e15) })).toBe(12n);
    expect(await trueup.balanceAt({ walletId, at: new Date(-8.64e15) })).toBe(0n);
  });

  test('an entry that was just posted is in the balance of its own time', async () => {
    const walletId = await trueup.openWallet({});
    for (let n = 1; n <= 20; n += 1) {
      await trueup.credit({ walletId, amount: 1n, reason: 'winner' });
      const [entry] = (await trueup.history({ walletId, limit: 1 })).entries;
      const time = entry?.createdAt ?? new Date(0);
      expect(await trueup.balanceAt({ walletId, at: time })).toBe(BigInt(n));
    }
  });

  test('imported entries with older times: the last one by number', async () => {
    const walletId = await trueup.openWallet({});
    await own.run(
      `INSERT INTO trueup.entries (wallet_id, amount, reason, created_at) VALUES
         ($1, 100, 'winner', '2024-05-01Z'), ($1, 50, 'opening_balance', '2024-01-01Z'), ($1, 1, 'winner', '2024-06-01Z')`,
      [walletId],
    );
    const balance = (time: string): Promise<bigint> => trueup.balanceAt({ walletId, at: at(time) });
    expect(await balance('2023-12-31T00:00:00Z')).toBe(0n);
    expect(await balance('2024-02-01T00:00:00Z')).toBe(150n);
    expect(await balance('2024-05-02T00:00:00Z')).toBe(150n);
    expect(await balance('2024-06-02T00:00:00Z')).toBe(151n);
  });

  test('is found however far back it lies', async () => {
    const walletId = await trueup.openWallet({});
    await fill(own, walletId, 6_000);
    const minute = (n: number): Date => new Date(Date.UTC(2024, 0, 1) + n * 60_000);
    for (const n of [0, 1, 2, 700, 1_647, 1_648, 1_649, 5_743, 5_744, 5_745, 5_999, 6_000]) {
      // Number n is from minute n - 1.
      const time = new Date(minute(n).getTime() - 1);
      expect(await trueup.balanceAt({ walletId, at: time })).toBe(BigInt(5 * n));
    }
  });

  test.each([undefined, null, 5, '2024-01-01', new Date('never')])(
    '%s is no time',
    async (time) => {
      const walletId = await trueup.openWallet({});
      await expect(trueup.balanceAt({ walletId, at: time as Date })).rejects.toMatchObject({
        code: 'invalid_argument',
      });
    },
  );
});

test('balanceAt under concurrent writers is what a replay of the entries says', async () => {
  const wallets = await Promise.all(
    [1, 2, 3].map(() => trueup.openWallet({ allowOverdraft: true })),
  );
  const reasons = { credit: 'manual_adjust', debit: 'manual_adjust' } as const;
  const engine = [...Array(40).keys()].map(async (n) => {
    for (let round = 0; round < 5; round += 1) {
      const verb = (n + round) % 3 === 0 ? 'debit' : 'credit';
      const walletId = wallets[(n + round) % 3];
      posted(await trueup[verb]({ walletId, amount: BigInt(n + 1), reason: reasons[verb] }));
    }
  });
  // Plain SQL, in transactions that began before they write: their time is not their beginning.
  const plain = [0, 1, 2, 3].map(async (n) => {
    const client = await own.connect();
    for (let round = 0; round < 25; round += 1) {
      await client.query('BEGIN; SELECT now()');
      await client.query(
        `INSERT INTO trueup.entries (wallet_id, amount, reason) VALUES ($1, $2, 'correction')`,
        [wallets[(n + round) % 3], 1000 + n],
      );
      await client.query(round % 5 === 4 ? 'ROLLBACK' : 'COMMIT');
    }
  });
  await Promise.all([...engine, ...plain]);
  for (const walletId of wallets) {
    const entries = await allEntries(trueup, { walletId, order: 'oldest', limit: 1_000 });
    expect(entries.length).toBeGreaterThan(50);
    const times = [...new Set(entries.map(({ createdAt }) => createdAt?.getTime() ?? 0))];
    for (const time of times.flatMap((one) => [one - 1, one]).filter((_, n) => n % 3 < 2)) {
      const until = entries.filter(({ createdAt }) => (createdAt?.getTime() ?? 0) <= time);
      const sum = until.reduce((total, { amount }) => total + amount, 0n);
      expect(await trueup.balanceAt({ walletId, at: new Date(time) })).toBe(sum);
      expect(until.at(-1)?.balanceAfter ?? 0n, 'a balance that existed').toBe(sum);
    }
  }
});

describe('balanceAfter', () => {
  test('on own tables is the stored balance, with its wallet', async () => {
    const walletId = await trueup.openWallet({});
    const first = posted(await trueup.credit({ walletId, amount: 10n, reason: 'winner' }));
    const second = posted(await trueup.debit({ walletId, amount: 4n, reason: 'purchase' }));
    expect(await trueup.balanceAfter(first.entryId)).toEqual({
      entryId: first.entryId,
      walletId,
      balance: 10n,
    });
    expect(await trueup.balanceAfter(second.entryId)).toMatchObject({ balance: 6n });
  });

  test.each(['999999999', 'abc', '-1', '99999999999999999999'])(
    'there is no entry %s',
    async (entryId) => {
      await expect(trueup.balanceAfter(entryId)).rejects.toMatchObject({ code: 'entry_not_found' });
    },
  );
});

describe('adopted tables', () => {
  test.each(ID_TYPES)('with ids of type %s: sums', async (idType) => {
    const { economy, trueup: adopted } = await adopt(db, 2, {
      idType,
      ...NUMERIC,
    });
    const [one, two] = [economy.id(1), economy.id(2)];
    const rows = await db.rows<{ id: string }>(
      `INSERT INTO app.ledger (wallet_id, amount, created_at) VALUES
         ($1, 10, '2024-03-01Z'), ($2, 7, '2024-03-01Z'), ($1, 5, '2024-03-03 00:00:00.0005Z'), ($1, -3, '2024-03-02Z')
       RETURNING id::text`,
      [one, two],
    );
    const balance = (time: string): Promise<bigint> =>
      adopted.balanceAt({ walletId: one, at: at(time) });
    expect(await balance('2024-02-28T00:00:00Z')).toBe(0n);
    expect(await balance('2024-03-01T00:00:00Z')).toBe(10n);
    expect(await balance('2024-03-02T00:00:00Z')).toBe(7n);
    expect(await balance('2024-03-03T00:00:00Z')).toBe(12n);
    expect(await adopted.balanceAt({ userId: '2', at: at('2025-01-01') })).toBe(7n);
    const after = await Promise.all(rows.map(({ id }) => adopted.balanceAfter(id)));
    expect(after.map((entry) => [entry.walletId, entry.balance])).toEqual([
      [one, 10n],
      [two, 7n],
      [one, 15n],
      [one, 12n],
    ]);
  });

  test('entries whose ids do not grow are added up in the order of their times', async () => {
    const { economy } = await adopt(db, 1);
    await db.run(`ALTER TABLE app.ledger DROP COLUMN id;
                  ALTER TABLE app.ledger ADD COLUMN id uuid PRIMARY KEY DEFAULT gen_random_uuid()`);
    const adopted = await db.trueup({ config: economy.mapping });
    const rows = await db.rows<{ id: string }>(
      `INSERT INTO app.ledger (wallet_id, amount, created_at)
       SELECT 1, n, '2024-03-01Z'::timestamptz + n * interval '1 microsecond' FROM generate_series(1, 30) AS n
       RETURNING id::text`,
    );
    const after = await Promise.all(rows.map(({ id }) => adopted.balanceAfter(id)));
    expect(after.map(({ balance }) => balance)).toEqual(
      rows.map((_, n) => BigInt(((n + 1) * (n + 2)) / 2)),
    );
    const entries = await allEntries(adopted, { walletId: '1', limit: 7 });
    expect(entries.map(({ entryId }) => entryId)).toEqual(rows.map(({ id }) => id).reverse());
    await expect(adopted.balanceAfter('1')).rejects.toMatchObject({ code: 'entry_not_found' });
  });

  test('without times there is no balance at a time', async () => {
    const { mapping } = await adopt(db, 1);
    const { createdAt, ...ledger } = mapping.ledger;
    expect(createdAt).toBe('created_at');
    const adopted = await db.trueup({ config: { ...mapping, ledger } });
    const off = {
      code: 'feature_off',
      message: expect.stringContaining('ledger.createdAt') as string,
    };
    await expect(adopted.balanceAt({ walletId: '1', at: new Date() })).rejects.toMatchObject(off);
    await expect(adopted.history({ walletId: '1', to: new Date() })).rejects.toMatchObject(off);
    const statement = { walletId: '1', format: 'csv', from: new Date() } as const;
    await expect(adopted.statement(statement)).rejects.toMatchObject(off);
  });

  test('times without a time zone are read as they were written', async () => {
    const { mapping } = await adopt(db, 1);
    await db.run('ALTER TABLE app.ledger ALTER COLUMN created_at TYPE timestamp');
    const name = await db.value('SELECT current_database()');
    await db.run(`ALTER DATABASE ${name} SET timezone = 'Asia/Tokyo'`);
    const adopted = await db.trueup({ config: mapping });
    const before = Date.now();
    posted(await adopted.credit({ walletId: '1', amount: 5n, reason: 'winner' }));
    const [entry] = (await adopted.history({ walletId: '1' })).entries;
    expect(Math.abs((entry?.createdAt?.getTime() ?? 0) - before)).toBeLessThan(60_000);
    expect(await adopted.balanceAt({ walletId: '1', at: new Date(before - 60_000) })).toBe(0n);
    expect(await adopted.balanceAt({ walletId: '1', at: new Date() })).toBe(5n);
    await db.run(`ALTER DATABASE ${name} RESET timezone`);
  });
});
