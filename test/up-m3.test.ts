import { beforeEach, describe, expect, test } from 'vitest';
import type { Finding, Trueup } from '../src/index.js';
import { createDatabase } from './support/database.js';

/**
 * The eleven tests that the UP-M3 changelog names, and the two suites it builds on (ledger
 * conservation, credit and debit): on Trueup's own tables, and done properly.
 */

const db = await createDatabase('own');
const trueup = await db.trueup();

/** A wallet whose profile was never updated: the state that UP-M3 found. */
async function neglectedWallet(userId: string, amounts: readonly bigint[]): Promise<string> {
  const walletId = await trueup.openWallet({ userId });
  for (const amount of amounts) {
    const verb = amount > 0n ? 'credit' : 'debit';
    await trueup[verb]({ walletId, amount: amount < 0n ? -amount : amount, reason: 'correction' });
  }
  await db.run('UPDATE trueup.wallets SET lifetime_earnings = 0 WHERE id = $1', [walletId]);
  await db.run('UPDATE trueup.profiles SET balance = 0, lifetime_earnings = 0 WHERE user_id = $1', [
    userId,
  ]);
  return walletId;
}

interface Shown {
  readonly balance: string;
  readonly earnings: string;
}

async function profileOf(userId: string): Promise<Shown | undefined> {
  const [row] = await db.rows<{ balance: string; earnings: string }>(
    'SELECT balance::text, lifetime_earnings::text AS earnings FROM trueup.profiles WHERE user_id = $1',
    [userId],
  );
  return row;
}

let user = 0;
let userId = '';
beforeEach(() => {
  user += 1;
  userId = `player-${String(user)}`;
});

describe('TestEconomySyncService', () => {
  test('1. sync_wallet_to_profile brings the balance', async () => {
    const walletId = await neglectedWallet(userId, [500n, 44n, -50n]);
    expect(await trueup.syncWalletToProfile(walletId)).toMatchObject({
      balanceSynced: true,
      balanceBefore: 0n,
      balanceAfter: 494n,
    });
    expect(await profileOf(userId)).toMatchObject({ balance: '494' });
  });

  test('2. sync_wallet_to_profile brings the earnings: positive entries only', async () => {
    const walletId = await neglectedWallet(userId, [300n, -20n]);
    expect(await trueup.syncWalletToProfile(walletId)).toMatchObject({
      earningsSynced: true,
      earningsBefore: 0n,
      earningsAfter: 300n,
    });
    expect(await profileOf(userId)).toEqual({ balance: '280', earnings: '300' });
    expect(
      await db.value('SELECT lifetime_earnings::text FROM trueup.wallets WHERE id = $1', [
        walletId,
      ]),
    ).toBe('300');
  });

  test('3. syncing twice changes nothing, not even a timestamp', async () => {
    const walletId = await neglectedWallet(userId, [100n]);
    await trueup.syncWalletToProfile(walletId);
    const before = await db.rows('SELECT * FROM trueup.profiles WHERE user_id = $1', [userId]);
    expect(await trueup.syncWalletToProfile(walletId)).toMatchObject({
      balanceSynced: false,
      earningsSynced: false,
      balanceBefore: 100n,
      balanceAfter: 100n,
      findings: [],
    });
    expect(await db.rows('SELECT * FROM trueup.profiles WHERE user_id = $1', [userId])).toEqual(
      before,
    );
  });

  test('4. get_balance_drift sees drift, exactly, and writes nothing', async () => {
    const walletId = await neglectedWallet(userId, [494n]);
    await db.run('UPDATE trueup.profiles SET balance = 495 WHERE user_id = $1', [userId]);
    expect(await trueup.getBalanceDrift(walletId)).toMatchObject({
      hasDrift: true,
      ledgerBalance: 494n,
      walletBalance: 494n,
      profileBalance: 495n,
      ledgerEarnings: 494n,
      walletEarnings: 0n,
      profileEarnings: 0n,
    });
    expect(await profileOf(userId)).toEqual({ balance: '495', earnings: '0' });
  });

  test('5. recompute_lifetime_earnings rebuilds them from the ledger', async () => {
    const walletId = await neglectedWallet(userId, [200n, 39n, -39n]);
    expect(await trueup.recomputeLifetimeEarnings(walletId)).toBe(239n);
    expect(await profileOf(userId)).toEqual({ balance: '200', earnings: '239' });
    expect(await trueup.getBalanceDrift(walletId)).toMatchObject({ hasDrift: false, findings: [] });
  });

  test('6. sync_profile_by_user_id, and null where there is no wallet', async () => {
    await neglectedWallet(userId, [280n]);
    expect(await trueup.syncProfileByUserId(userId)).toMatchObject({ userId, balanceAfter: 280n });
    await db.run('INSERT INTO trueup.profiles (user_id) VALUES ($1)', [`${userId}-without-wallet`]);
    expect(await trueup.syncProfileByUserId(`${userId}-without-wallet`)).toBeNull();
    expect(await trueup.syncProfileByUserId('nobody')).toBeNull();
  });
});

describe('TestSignalIntegration', () => {
  test('7. a transaction updates the profile, in the same commit', async () => {
    const walletId = await trueup.openWallet({ userId });
    const writer = await db.connect();
    await writer.query('BEGIN');
    await writer.query(
      `INSERT INTO trueup.entries (wallet_id, amount, reason) VALUES ($1, 50, 'winner')`,
      [walletId],
    );
    expect(await profileOf(userId)).toEqual({ balance: '0', earnings: '0' });
    await writer.query('COMMIT');
    expect(await profileOf(userId)).toEqual({ balance: '50', earnings: '50' });
  });
});

describe('TestReconcileCommand', () => {
  const drifted = async (options: Parameters<Trueup['reconcile']>[0]): Promise<Finding[]> => {
    const found: Finding[] = [];
    await trueup.reconcile({ ...options, onFinding: (finding) => found.push(finding) });
    return found;
  };

  test('8. a dry run reports and changes nothing', async () => {
    await neglectedWallet(userId, [494n]);
    const runs = await db.value('SELECT count(*) FROM trueup.runs');
    const found = await drifted({ userIds: [userId], dryRun: true });
    expect(
      found.map(({ part, field, cached, expected }) => [part, field, cached, expected]),
    ).toEqual([
      ['wallet', 'lifetimeEarnings', '0', '494'],
      ['profile', 'balance', '0', '494'],
      ['profile', 'lifetimeEarnings', '0', '494'],
    ]);
    expect(await profileOf(userId)).toEqual({ balance: '0', earnings: '0' });
    expect(await db.value('SELECT count(*) FROM trueup.runs')).toBe(runs);
  });

  test('9. a single user is repaired, and nobody else', async () => {
    const other = `${userId}-other`;
    await neglectedWallet(userId, [280n]);
    await neglectedWallet(other, [239n]);
    await drifted({ userIds: [userId] });
    expect(await profileOf(userId)).toEqual({ balance: '280', earnings: '280' });
    expect(await profileOf(other)).toEqual({ balance: '0', earnings: '0' });
    await trueup.reconcile({ userIds: [other] });
  });

  test('10. batches reach every wallet, whatever their size', async () => {
    for (let n = 0; n < 7; n += 1) await neglectedWallet(`${userId}-${String(n)}`, [BigInt(n + 1)]);
    const summary = await trueup.reconcile({ all: true, batchSize: 3 });
    expect(summary).toMatchObject({ skipped: 0, errors: 0, incomplete: null, exitStatus: 0 });
    expect(summary.findings).toBe(summary.repaired);
    expect(summary.balanceDrifts).toBeGreaterThanOrEqual(7);
    expect(await drifted({ all: true, dryRun: true })).toEqual([]);
  });
});

describe('TestConcurrency', () => {
  test('11. a hundred concurrent transactions: balance and profile are their sum', async () => {
    const walletId = await trueup.openWallet({ userId });
    const writers = await Promise.all(Array.from({ length: 20 }, () => db.connect()));
    await Promise.all(
      writers.map(async (writer, index) => {
        for (let n = 0; n < 5; n += 1) {
          await writer.query(
            `INSERT INTO trueup.entries (wallet_id, amount, reason) VALUES ($1, $2, 'winner')`,
            [walletId, index + 1],
          );
        }
      }),
    );
    const sum = (5 * (20 * 21)) / 2;
    expect(await profileOf(userId)).toEqual({ balance: String(sum), earnings: String(sum) });
    expect(await trueup.getBalanceDrift(walletId)).toMatchObject({ hasDrift: false });
    const numbers = await db.rows<{ seq: string }>(
      'SELECT e.seq::text FROM trueup.entries e WHERE e.wallet_id = $1 ORDER BY e.seq',
      [walletId],
    );
    expect(numbers.map(({ seq }) => Number(seq))).toEqual(
      Array.from({ length: 100 }, (_, n) => n + 1),
    );
  });
});

describe('ledger conservation', () => {
  test('over any history, wallet and profile equal the sum of the ledger', async () => {
    for (const amount of [500n, -120n, 3n, -383n, 1n]) {
      const verb = amount > 0n ? 'credit' : 'debit';
      const request = { amount: amount < 0n ? -amount : amount, reason: 'correction' };
      await trueup[verb]({ walletId: await trueup.openWallet({ userId }), ...request });
    }
    expect(await profileOf(userId)).toEqual({ balance: '1', earnings: '504' });
    const [sums] = await db.rows<{ ledger: string; wallets: string; profiles: string }>(
      `SELECT sum(amount)::text AS ledger, (SELECT sum(balance)::text FROM trueup.wallets) AS wallets,
              (SELECT sum(balance)::text FROM trueup.profiles) AS profiles FROM trueup.entries`,
    );
    expect(sums?.wallets).toBe(sums?.ledger);
    expect(sums?.profiles).toBe(sums?.ledger);
  });
});

describe('credit and debit', () => {
  test('more than half of the balance can be debited, down to zero', async () => {
    const walletId = await trueup.openWallet({ userId });
    await trueup.credit({ walletId, amount: 100, reason: 'winner' });
    expect(await trueup.debit({ walletId, amount: 60, reason: 'entry_fee_debit' })).toMatchObject({
      status: 'posted',
      amount: -60n,
      balanceAfter: 40n,
    });
    expect(await trueup.debit({ walletId, amount: '40', reason: 'entry_fee_debit' })).toMatchObject(
      {
        balanceAfter: 0n,
      },
    );
  });

  test('insufficient funds are refused and nothing is changed', async () => {
    const walletId = await trueup.openWallet({ userId });
    await trueup.credit({ walletId, amount: 10n, reason: 'winner' });
    expect(await trueup.debit({ userId, amount: 11n, reason: 'entry_fee_debit' })).toMatchObject({
      status: 'refused',
      code: 'insufficient_funds',
    });
    expect(await profileOf(userId)).toEqual({ balance: '10', earnings: '10' });
  });

  test('the same key posts once and answers the same', async () => {
    await trueup.openWallet({ userId });
    const request = { userId, amount: 25n, reason: 'winner', idempotencyKey: `key-${userId}` };
    const first = await trueup.credit(request);
    expect(first).toMatchObject({ status: 'posted', replayed: false });
    expect(await trueup.credit(request)).toEqual({ ...first, replayed: true });
    expect(await trueup.credit({ ...request, amount: 26n })).toMatchObject({
      status: 'refused',
      code: 'idempotency_conflict',
    });
    expect(await profileOf(userId)).toEqual({ balance: '25', earnings: '25' });
  });

  test('two hundred concurrent calls with one key post once', async () => {
    await trueup.openWallet({ userId });
    const request = { userId, amount: 7n, reason: 'winner', idempotencyKey: `storm-${userId}` };
    const outcomes = await Promise.all(Array.from({ length: 200 }, () => trueup.credit(request)));
    expect(
      outcomes.filter((outcome) => outcome.status === 'posted' && !outcome.replayed),
    ).toHaveLength(1);
    expect(
      new Set(outcomes.map((outcome) => outcome.status === 'posted' && outcome.entryId)).size,
    ).toBe(1);
    expect(await profileOf(userId)).toEqual({ balance: '7', earnings: '7' });
  });

  test('concurrent debits never go below zero', async () => {
    const walletId = await trueup.openWallet({ userId });
    await trueup.credit({ walletId, amount: 10n, reason: 'winner' });
    const outcomes = await Promise.all(
      Array.from({ length: 30 }, () =>
        trueup.debit({ walletId, amount: 3n, reason: 'withdrawal' }),
      ),
    );
    expect(outcomes.filter(({ status }) => status === 'posted')).toHaveLength(3);
    expect(await profileOf(userId)).toMatchObject({ balance: '1' });
  });

  test('a wallet that nobody knows', async () => {
    expect(
      await trueup.credit({ walletId: '987654321', amount: 1n, reason: 'winner' }),
    ).toMatchObject({
      status: 'refused',
      code: 'unknown_wallet',
    });
  });
});
