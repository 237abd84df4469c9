import { beforeEach, describe, expect, test } from 'vitest';
import { createDatabase } from '../support/database.js';
import { adopt, fill, ID_TYPES, jsonOf, NUMERIC, parseCsv, posted, textOf } from './support.js';

/** statement: what it says, as CSV and as JSON Lines. */

const own = await createDatabase('own');
const db = await createDatabase('empty');
const trueup = await own.trueup();

let walletId = '';
beforeEach(async () => {
  walletId = await trueup.openWallet({});
});

async function insert(notes: readonly (string | null)[]): Promise<string[]> {
  const rows = await own.rows<{ id: string }>(
    `INSERT INTO trueup.entries (wallet_id, amount, reason, note, created_at)
     SELECT $1, n, 'winner', note, '2024-03-01T12:00:00.123456Z'::timestamptz + (n - 1) * interval '1 day'
       FROM unnest($2::text[]) WITH ORDINALITY AS u (note, n) ORDER BY n RETURNING id::text`,
    [walletId, notes],
  );
  return rows.map(({ id }) => id);
}

test('CSV: a header, the opening balance, the entries, the closing balance', async () => {
  const [first, second] = await insert(['won, at last', null]);
  const csv = await textOf(await trueup.statement({ walletId, format: 'csv' }));
  expect(csv).toBe(
    [
      'date,type,amount,balance_after,reason,note,entry_id',
      ',opening,,0,,,',
      `2024-03-01T12:00:00.123Z,entry,1,1,winner,"won, at last",${String(first)}`,
      `2024-03-02T12:00:00.123Z,entry,2,3,winner,,${String(second)}`,
      ',closing,,3,,,',
      '',
    ].join('\n'),
  );
});

test('JSON Lines: ids and amounts are strings', async () => {
  const [first] = await insert(['a "quoted"\nnote']);
  expect(await jsonOf(await trueup.statement({ walletId, format: 'json' }))).toEqual([
    { type: 'opening', walletId, currency: 'coins', date: null, balance: '0' },
    {
      type: 'entry',
      date: '2024-03-01T12:00:00.123Z',
      amount: '1',
      balanceAfter: '1',
      reason: 'winner',
      note: 'a "quoted"\nnote',
      entryId: first,
    },
    { type: 'closing', walletId, currency: 'coins', date: null, balance: '1' },
  ]);
});

test('CSV: fields are quoted where they must be, and no spreadsheet takes them for formulas', async () => {
  const notes = ['a,b', 'say "hi"', 'two\nlines', 'two\r\nlines', ' spaced ', 'ünï 🪙', "it's", ''];
  const formulas = ['=1+1', '+1', '-1', '@SUM(A1)', '\t=1', '\r=1', '=HYPERLINK("x","y")', '＝1+1'];
  await insert([...notes, ...formulas]);
  const csv = await textOf(await trueup.statement({ walletId, format: 'csv' }));
  const rows = parseCsv(csv).slice(2, -1);
  expect(rows.map((row) => row[5])).toEqual([...notes, ...formulas.map((text) => `'${text}`)]);
  expect(rows.every((row) => row.length === 7)).toBe(true);
  expect(csv).toContain(`"'=HYPERLINK(""x"",""y"")"`);
});

test('CSV: negative amounts and balances stay numbers', async () => {
  walletId = await trueup.openWallet({ allowOverdraft: true });
  posted(await trueup.debit({ walletId, amount: 5n, reason: 'purchase' }));
  const csv = await textOf(await trueup.statement({ walletId, format: 'csv' }));
  expect(parseCsv(csv)[2]?.slice(1, 4)).toEqual(['entry', '-5', '-5']);
});

test('of an empty wallet: both balances are 0', async () => {
  const lines = await jsonOf(await trueup.statement({ walletId, format: 'json' }));
  expect(lines).toMatchObject([
    { type: 'opening', balance: '0' },
    { type: 'closing', balance: '0' },
  ]);
});

/** Opening + entries = closing, and the balances after entries lead from one to the other. */
function sumsUp(lines: readonly Record<string, unknown>[]): string[] {
  const [opening, closing] = [lines.at(0), lines.at(-1)];
  let balance = BigInt(String(opening?.['balance']));
  for (const line of lines.slice(1, -1)) {
    balance += BigInt(String(line['amount']));
    expect(line['balanceAfter']).toBe(balance.toString());
  }
  expect(closing?.['balance']).toBe(balance.toString());
  return lines.slice(1, -1).map((line) => String(line['amount']));
}

describe('a stretch of time', () => {
  const day = (n: number): Date => new Date(Date.UTC(2024, 2, n));

  test('begins with the balance before it and ends with the balance before its end', async () => {
    await insert([null, null, null, null]);
    const request = { walletId, format: 'json', from: day(2), to: day(4) } as const;
    const lines = await jsonOf(await trueup.statement(request));
    expect(sumsUp(lines)).toEqual(['2', '3']);
    expect(lines.at(0)).toMatchObject({ balance: '1', date: day(2).toISOString() });
    expect(lines.at(-1)).toMatchObject({ balance: '6', date: day(4).toISOString() });
    const open = { walletId, format: 'json' } as const;
    expect(sumsUp(await jsonOf(await trueup.statement({ ...open, from: day(3) })))).toHaveLength(2);
    expect(sumsUp(await jsonOf(await trueup.statement({ ...open, to: day(3) })))).toHaveLength(2);
    const nothing = { ...open, from: day(9), to: day(9) };
    expect(sumsUp(await jsonOf(await trueup.statement(nothing)))).toEqual([]);
  });

  test('adds up where imported entries have older times, and agrees with balanceAt', async () => {
    await own.run(
      `INSERT INTO trueup.entries (wallet_id, amount, reason, created_at) VALUES
         ($1, 100, 'winner', '2024-03-05Z'), ($1, 50, 'opening_balance', '2024-03-01Z'),
         ($1, 1, 'winner', '2024-03-04Z'), ($1, 7, 'winner', '2024-03-08Z')`,
      [walletId],
    );
    for (const [from, to] of [
      [1, 9],
      [2, 5],
      [3, 6],
      [5, 6],
      [1, 2],
    ] as const) {
      const request = { walletId, format: 'json', from: day(from), to: day(to) } as const;
      const lines = await jsonOf(await trueup.statement(request));
      sumsUp(lines);
      const before = (n: number): Date => new Date(day(n).getTime() - 1);
      const [opening, closing] = await Promise.all(
        [from, to].map((n) => trueup.balanceAt({ walletId, at: before(n) })),
      );
      expect([lines.at(0)?.['balance'], lines.at(-1)?.['balance']]).toEqual([
        opening?.toString(),
        closing?.toString(),
      ]);
    }
  });
});

test('across pages, entry by entry', async () => {
  await fill(own, walletId, 4_000);
  const lines = await jsonOf(await trueup.statement({ walletId, format: 'json' }));
  expect(sumsUp(lines)).toHaveLength(4_000);
  expect(new Set(lines.map((line) => line['entryId'])).size).toBe(4_001);
});

describe('adopted tables', () => {
  test.each(ID_TYPES)('with ids of type %s', async (idType) => {
    const { economy, trueup: adopted } = await adopt(db, 2, { idType, ...NUMERIC });
    await db.run(
      `INSERT INTO app.ledger (wallet_id, amount, created_at)
       SELECT CASE WHEN n % 2 = 0 THEN $1 ELSE $2 END::${idType}, n, '2024-03-01Z'::timestamptz + n * interval '1 minute'
         FROM generate_series(1, 5000) AS n`,
      [economy.id(1), economy.id(2)],
    );
    const request = { walletId: economy.id(1), format: 'json' } as const;
    const lines = await jsonOf(await adopted.statement(request));
    expect(lines.at(0)).toMatchObject({ walletId: economy.id(1), currency: null, balance: '0' });
    expect(sumsUp(lines)).toEqual([...Array(2_500).keys()].map((n) => String(2 * n + 2)));
    const minute = (n: number): Date => new Date(Date.UTC(2024, 2, 1, 0, n));
    const part = { userId: '1', format: 'json', from: minute(10), to: minute(15) } as const;
    expect(sumsUp(await jsonOf(await adopted.statement(part)))).toEqual(['10', '12', '14']);
  });

  test('ids that are text are protected as well', async () => {
    const { economy } = await adopt(db, 1);
    await db.run(`ALTER TABLE app.ledger DROP COLUMN id;
                  ALTER TABLE app.ledger ADD COLUMN id text PRIMARY KEY`);
    const adopted = await db.trueup({ config: economy.mapping });
    await db.run(`INSERT INTO app.ledger (id, wallet_id, amount) VALUES ('=1+1', 1, 5)`);
    const csv = await textOf(await adopted.statement({ walletId: '1', format: 'csv' }));
    expect(parseCsv(csv)[2]?.[6]).toBe(`'=1+1`);
  });
});

test.each([{ format: 'pdf' }, {}, { format: 'csv', from: 'now' }, { format: 'csv', to: NaN }])(
  '%o is a wrong argument',
  async (request) => {
    const wrong = { walletId, ...request } as Parameters<typeof trueup.statement>[0];
    await expect(trueup.statement(wrong)).rejects.toMatchObject({ code: 'invalid_argument' });
  },
);
