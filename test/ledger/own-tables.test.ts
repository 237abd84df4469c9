import { beforeEach, describe, expect, test } from 'vitest';
import { createDatabase } from '../support/database.js';

/** Trueup's own ledger: append-only for everybody, and numbered whoever writes. */

const db = await createDatabase('own');
const trueup = await db.trueup();
let wallet = '';
beforeEach(async () => {
  wallet = await trueup.openWallet({});
});

interface Line {
  readonly seq: string;
  readonly amount: string;
  readonly after: string;
}

function lines(walletId = wallet): Promise<Line[]> {
  return db.rows<Line & Record<string, string>>(
    `SELECT e.seq::text, e.amount::text, e.balance_after::text AS after
       FROM trueup.entries e WHERE e.wallet_id = $1 ORDER BY e.seq`,
    [walletId],
  );
}

const insert = (amount: number): Promise<void> =>
  db.run(`INSERT INTO trueup.entries (wallet_id, amount, reason) VALUES ($1, $2, 'winner')`, [
    wallet,
    amount,
  ]);

describe('append-only', () => {
  const CHANGES = [
    'UPDATE trueup.entries SET amount = amount + 1',
    `UPDATE trueup.entries SET note = 'x' WHERE false`,
    'DELETE FROM trueup.entries',
    'TRUNCATE trueup.entries',
    'TRUNCATE trueup.wallets CASCADE',
    `INSERT INTO trueup.entries (wallet_id, amount, reason) SELECT min(id), 1, 'x' FROM trueup.wallets
       ON CONFLICT (id) DO UPDATE SET amount = 5`,
    `MERGE INTO trueup.entries e USING (VALUES (1)) v ON true WHEN MATCHED THEN DELETE`,
  ];

  test.each(CHANGES)('%s: refused, for a superuser too', async (change) => {
    await insert(5);
    const before = await db.rows('SELECT * FROM trueup.entries ORDER BY id');
    await expect(db.run(change)).rejects.toMatchObject({
      code: expect.stringMatching(/^TU00[36]$/) as string,
    });
    expect(await db.rows('SELECT * FROM trueup.entries ORDER BY id')).toEqual(before);
  });

  test.each(CHANGES)('%s: refused in a session that skips ordinary triggers', async (change) => {
    await insert(5);
    const replica = await db.connect();
    await replica.query('SET session_replication_role = replica');
    await expect(replica.query(change)).rejects.toMatchObject({
      code: expect.stringMatching(/^TU00[36]$/) as string,
    });
  });
});

describe('numbers', () => {
  test('entries without numbers get them', async () => {
    await insert(10);
    await insert(-4);
    await db.run(
      `INSERT INTO trueup.entries (wallet_id, amount, reason) VALUES ($1, 1, 'a'), ($1, 2, 'b'), ($1, -3, 'c')`,
      [wallet],
    );
    expect(await lines()).toEqual([
      { seq: '1', amount: '10', after: '10' },
      { seq: '2', amount: '-4', after: '6' },
      { seq: '3', amount: '1', after: '7' },
      { seq: '4', amount: '2', after: '9' },
      { seq: '5', amount: '-3', after: '6' },
    ]);
  });

  test('rows of several wallets in one statement are numbered each in their own', async () => {
    const other = await trueup.openWallet({});
    await db.run(
      `INSERT INTO trueup.entries (wallet_id, amount, reason)
       SELECT CASE WHEN n % 2 = 0 THEN $1::bigint ELSE $2 END, n, 'winner' FROM generate_series(1, 6) AS n`,
      [wallet, other],
    );
    expect((await lines()).map(({ seq, after }) => [seq, after])).toEqual([
      ['1', '2'],
      ['2', '6'],
      ['3', '12'],
    ]);
    expect((await lines(other)).map(({ seq, after }) => [seq, after])).toEqual([
      ['1', '1'],
      ['2', '4'],
      ['3', '9'],
    ]);
  });

  test('the right numbers may be brought along, wrong ones are refused', async () => {
    const numbered = (seq: number, after: number): Promise<void> =>
      db.run(
        `INSERT INTO trueup.entries (wallet_id, seq, amount, balance_after, reason) VALUES ($1, $2, 5, $3, 'winner')`,
        [wallet, seq, after],
      );
    await numbered(1, 5);
    await expect(numbered(3, 10)).rejects.toMatchObject({ code: 'TU004' });
    await expect(numbered(2, 11)).rejects.toMatchObject({ code: 'TU004' });
    await numbered(2, 10);
    expect(await lines()).toHaveLength(2);
  });

  test('a row that a conflict leaves out takes no number', async () => {
    const keyed = `INSERT INTO trueup.entries (wallet_id, amount, reason, idempotency_key)
                   VALUES ($1, 5, 'winner', $2), ($1, 6, 'winner', $2), ($1, 7, 'winner', $3) ON CONFLICT DO NOTHING`;
    await db.run(keyed, [wallet, `k-${wallet}`, `l-${wallet}`]);
    await db.run(keyed, [wallet, `k-${wallet}`, `m-${wallet}`]);
    expect(await lines()).toEqual([
      { seq: '1', amount: '5', after: '5' },
      { seq: '2', amount: '7', after: '12' },
      { seq: '3', amount: '7', after: '19' },
    ]);
  });

  test('a wrong cache does not get into the ledger', async () => {
    await insert(10);
    await db.run('UPDATE trueup.wallets SET balance = 999 WHERE id = $1', [wallet]);
    await insert(1);
    expect((await lines()).at(-1)).toEqual({ seq: '2', amount: '1', after: '11' });
  });

  test('the writer is the transaction that wrote, whatever he says', async () => {
    const client = await db.connect();
    await client.query('BEGIN');
    const { rows } = await client.query<{ writer: string; mine: string }>(
      `INSERT INTO trueup.entries (wallet_id, amount, reason, writer) VALUES ($1, 5, 'winner', '1')
       RETURNING writer::text, pg_current_xact_id()::text AS mine`,
      [wallet],
    );
    await client.query('COMMIT');
    expect(rows[0]?.writer).toBe(rows[0]?.mine);
  });

  test('sixteen writers on one hot wallet: no gap, and every running balance right', async () => {
    const writers = await Promise.all(Array.from({ length: 16 }, () => db.connect()));
    await Promise.all(
      writers.map(async (client, n) => {
        for (let round = 0; round < 12; round += 1) {
          await client.query('BEGIN');
          await client.query(
            `INSERT INTO trueup.entries (wallet_id, amount, reason) VALUES ($1, $2, 'winner')`,
            [wallet, n + 1],
          );
          await client.query((n + round) % 4 === 0 ? 'ROLLBACK' : 'COMMIT');
        }
      }),
    );
    let balance = 0;
    const found = await lines();
    expect(found).toHaveLength(16 * 9);
    for (const [index, line] of found.entries()) {
      balance += Number(line.amount);
      expect(line).toMatchObject({ seq: String(index + 1), after: String(balance) });
    }
    expect(await trueup.getBalanceDrift(wallet)).toMatchObject({
      hasDrift: false,
      ledgerBalance: BigInt(balance),
    });
  });
});

describe('wallets', () => {
  test('no balance below zero by plain SQL, unless the wallet allows it', async () => {
    await insert(5);
    await expect(insert(-6)).rejects.toMatchObject({
      code: '23514',
      constraint: 'wallets_not_overdrawn',
    });
    wallet = await trueup.openWallet({ allowOverdraft: true });
    await insert(-6);
    expect(await lines()).toMatchObject([{ after: '-6' }]);
  });

  test('opening twice keeps the wallet as it is', async () => {
    const first = await trueup.openWallet({ userId: 'twice' });
    await trueup.credit({ walletId: first, amount: 5n, reason: 'winner' });
    expect(await trueup.openWallet({ userId: 'twice', allowOverdraft: true })).toBe(first);
    expect(
      await db.value('SELECT allow_overdraft::text FROM trueup.wallets WHERE id = $1', [first]),
    ).toBe('false');
  });

  test('twenty openings at once make one wallet', async () => {
    const ids = await Promise.all(
      Array.from({ length: 20 }, () => trueup.openWallet({ userId: 'crowd' })),
    );
    expect(new Set(ids).size).toBe(1);
  });

  test('entries with a counterparty name another wallet', async () => {
    await expect(
      db.run(
        `INSERT INTO trueup.entries (wallet_id, amount, reason, counterparty_wallet_id) VALUES ($1, 5, 'x', $1)`,
        [wallet],
      ),
    ).rejects.toMatchObject({ code: '23514' });
  });
});
