import { beforeEach, describe, expect, test } from 'vitest';
import type { Trueup } from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import { caches, findings, settledEconomy, truth, type Economy } from '../support/economy.js';

/** Every kind of drift: inject one fault into an economy in sync, and see what a run makes of it. */

const db = await createDatabase('empty');
let economy: Economy;
let trueup: Trueup;

beforeEach(async () => {
  ({ economy, trueup } = await settledEconomy(db));
  expect(await findings(trueup)).toEqual([]);
});

const WALLET = { walletId: '1', profileId: '101', userId: '1' };

/** The only entry that adds up to what is lacking. */
const MISSED = { cause: 'entry_missed' };

describe('what is repaired', () => {
  test.each<[string, string, object[]]>([
    [
      'a wallet balance',
      'UPDATE app.wallet SET balance = 999 WHERE id = 1',
      [
        {
          ...WALLET,
          part: 'wallet',
          field: 'balance',
          cached: '999',
          expected: '494',
          delta: '-505',
        },
      ],
    ],
    [
      'wallet earnings',
      'UPDATE app.wallet SET earned = 0 WHERE id = 1',
      [
        {
          ...WALLET,
          part: 'wallet',
          field: 'lifetimeEarnings',
          cached: '0',
          expected: '544',
          delta: '544',
        },
      ],
    ],
    [
      'a profile balance, by half a coin',
      'UPDATE app.profile SET shown = 494.50 WHERE id = 101',
      [
        {
          ...WALLET,
          part: 'profile',
          field: 'balance',
          cached: '494.5',
          expected: '494',
          delta: '-0.5',
        },
      ],
    ],
    [
      'profile earnings that are NaN',
      `ALTER TABLE app.profile ALTER earned TYPE numeric; UPDATE app.profile SET earned = 'NaN' WHERE id = 101`,
      [
        {
          ...WALLET,
          part: 'profile',
          field: 'lifetimeEarnings',
          cached: 'NaN',
          expected: '544',
          delta: null,
        },
      ],
    ],
    [
      'null caches',
      'UPDATE app.wallet SET balance = NULL WHERE id = 1; UPDATE app.profile SET shown = NULL WHERE id = 101',
      [
        { part: 'wallet', field: 'balance', cached: null, expected: '494', delta: null },
        { part: 'profile', field: 'balance', cached: null, expected: '494' },
      ],
    ],
    [
      'null caches of a wallet without entries',
      'UPDATE app.wallet SET balance = NULL WHERE id = 4; UPDATE app.profile SET shown = NULL WHERE id = 104',
      [
        { walletId: '4', part: 'wallet', cached: null, expected: '0' },
        { walletId: '4', part: 'profile', cached: null, expected: '0' },
      ],
    ],
    [
      'a profile that shows coins while ledger and wallet agree on none',
      'UPDATE app.profile SET shown = 70 WHERE id = 104',
      [{ walletId: '4', part: 'profile', cached: '70', expected: '0' }],
    ],
    [
      'wallet and profile that agree with each other, and not with the ledger',
      'UPDATE app.wallet SET balance = 7 WHERE id = 3; UPDATE app.profile SET shown = 7 WHERE id = 103',
      [
        { userId: '3', part: 'wallet', cached: '7', expected: '239' },
        { userId: '3', part: 'profile', cached: '7', expected: '239' },
      ],
    ],
    [
      'an entry that nobody followed',
      'INSERT INTO app.ledger (wallet_id, amount) VALUES (2, 1000)',
      [
        { part: 'wallet', field: 'balance', cached: '280', expected: '1280', ...MISSED },
        { part: 'wallet', field: 'lifetimeEarnings', cached: '300', expected: '1300', ...MISSED },
        { part: 'profile', field: 'balance', cached: '280', expected: '1280', ...MISSED },
        { part: 'profile', field: 'lifetimeEarnings', cached: '300', expected: '1300', ...MISSED },
      ],
    ],
    [
      'the wallet of a wallet without profile',
      'UPDATE app.wallet SET profile_id = NULL, balance = 1 WHERE id = 1; UPDATE app.profile SET shown = 0, earned = 0 WHERE id = 101',
      [
        {
          userId: null,
          walletId: '1',
          profileId: null,
          part: 'wallet',
          cached: '1',
          expected: '494',
        },
      ],
    ],
  ])('%s', async (_, fault, expected) => {
    await db.run(fault);
    const ledger = await db.rows('SELECT * FROM app.ledger ORDER BY id');
    const before = await caches(db, economy);
    expect(await findings(trueup)).toEqual(
      expected.map(
        (one) => expect.objectContaining({ cause: 'unknown', ...one, repaired: false }) as unknown,
      ),
    );
    expect(await caches(db, economy)).toEqual(before);

    const seen: object[] = [];
    const summary = await trueup.reconcile({
      all: true,
      onFinding: (finding) => seen.push(finding),
    });
    expect(seen).toEqual(
      expected.map((one) => expect.objectContaining({ ...one, repaired: true }) as unknown),
    );
    expect(summary).toMatchObject({
      drifted: 1,
      findings: expected.length,
      repaired: expected.length,
      exitStatus: 0,
    });
    expect(await findings(trueup)).toEqual([]);
    expect(await db.rows('SELECT * FROM app.ledger ORDER BY id')).toEqual(ledger);
    if (!fault.includes('profile_id = NULL'))
      expect(await caches(db, economy)).toEqual(await truth(db, economy));
  });
});

test('what the mapping does not name is not looked at', async () => {
  const { ledger, wallet } = economy.mapping;
  const narrow = await db.trueup({
    config: {
      ledger: { ...ledger, balanceAfter: undefined },
      wallet: { table: wallet.table, id: 'id', balance: 'balance' },
    },
  });
  await db.run(`UPDATE app.wallet SET earned = 1; UPDATE app.profile SET shown = 1;
                UPDATE app.ledger SET after = 1; UPDATE app.wallet SET balance = 1 WHERE id = 1`);
  expect(await findings(narrow)).toMatchObject([
    { walletId: '1', part: 'wallet', field: 'balance' },
  ]);
});
