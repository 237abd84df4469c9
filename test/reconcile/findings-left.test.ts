import { beforeEach, describe, expect, test } from 'vitest';
import type { Trueup } from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import { caches, findings, settledEconomy, type Economy } from '../support/economy.js';

/** Drift that a run must report and must not touch: there is no right value that it could know. */

const db = await createDatabase('empty');
let economy: Economy;
let trueup: Trueup;

beforeEach(async () => {
  ({ economy, trueup } = await settledEconomy(db));
  expect(await findings(trueup)).toEqual([]);
});

describe('what is reported and left alone', () => {
  test.each<[string, string, object[]]>([
    [
      'a wallet that holds coins and has no history',
      'UPDATE app.wallet SET balance = 1000 WHERE id = 4; UPDATE app.profile SET shown = 900 WHERE id = 104',
      [
        {
          walletId: '4',
          part: 'wallet',
          field: 'balance',
          cached: '1000',
          expected: '0',
          cause: 'no_history',
        },
        {
          walletId: '4',
          part: 'profile',
          field: 'balance',
          cached: '900',
          expected: '0',
          cause: 'no_history',
        },
      ],
    ],
    [
      'a profile that shows coins and has no wallet',
      'UPDATE app.wallet SET profile_id = NULL WHERE id = 5; UPDATE app.profile SET shown = 12.5 WHERE id = 105',
      [
        {
          userId: '5',
          walletId: null,
          profileId: '105',
          part: 'profile',
          cached: '12.5',
          expected: '0',
          cause: 'no_history',
        },
      ],
    ],
    [
      'entries whose wallet does not exist, before, between and behind the others',
      `DELETE FROM app.wallet WHERE id = 2; DELETE FROM app.profile WHERE id = 102;
       INSERT INTO app.ledger (wallet_id, amount) VALUES (-7, 3), (99, 4), (99, 5)`,
      [
        {
          walletId: '-7',
          profileId: null,
          userId: null,
          part: 'wallet',
          field: 'balance',
          cached: null,
          expected: '3',
          cause: 'wallet_missing',
        },
        { walletId: '2', cached: null, expected: '280', cause: 'wallet_missing' },
        { walletId: '99', cached: null, expected: '9', cause: 'wallet_missing' },
      ],
    ],
    [
      'a profile row that is missing',
      'DELETE FROM app.profile WHERE id = 103',
      [
        {
          walletId: '3',
          profileId: '103',
          userId: null,
          part: 'profile',
          field: 'balance',
          cached: null,
          expected: '239',
          cause: 'profile_missing',
        },
        {
          walletId: '3',
          part: 'profile',
          field: 'lifetimeEarnings',
          cached: null,
          cause: 'profile_missing',
        },
      ],
    ],
    [
      'a running balance that departs from the ledger, by its first entry',
      'UPDATE app.ledger SET after = after + 5 WHERE wallet_id = 1 AND amount <> 500',
      [
        {
          walletId: '1',
          part: 'wallet',
          field: 'balanceAfter',
          cached: '549',
          expected: '544',
          delta: '-5',
          cause: 'ledger_changed',
        },
      ],
    ],
  ])('%s', async (_, fault, expected) => {
    await db.run(fault);
    const before = await caches(db, economy);
    const wanted = expected.map(
      (one) => expect.objectContaining({ ...one, repaired: false }) as unknown,
    );
    expect(await findings(trueup)).toEqual(wanted);
    const seen: object[] = [];
    const summary = await trueup.reconcile({
      all: true,
      batchSize: 2,
      onFinding: (finding) => seen.push(finding),
    });
    expect(seen).toEqual(wanted);
    expect(summary).toMatchObject({ findings: expected.length, repaired: 0, exitStatus: 2 });
    expect(await caches(db, economy)).toEqual(before);
  });

  test('a user with both is repaired where he can be', async () => {
    await db.run(`UPDATE app.ledger SET after = 1 WHERE wallet_id = 3 AND amount = 200;
                  UPDATE app.profile SET shown = 0 WHERE id = 103`);
    const seen: object[] = [];
    await trueup.reconcile({ all: true, onFinding: (finding) => seen.push(finding) });
    expect(seen).toEqual([
      expect.objectContaining({ part: 'profile', field: 'balance', cached: '0', repaired: true }),
      expect.objectContaining({
        field: 'balanceAfter',
        cached: '1',
        expected: '200',
        repaired: false,
      }),
    ]);
  });
});
