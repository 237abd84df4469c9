import { beforeEach, expect, test } from 'vitest';
import { createDatabase } from '../support/database.js';
import { deltacrown, platformIn } from './deltacrown.js';
import { contents } from './fixture.js';

/**
 * The platform of UP-M3 once its ledger is followed: plain SQL by anybody, the treasury, and a
 * profile that cannot hold what its wallet holds. Every test begins with the platform repaired.
 */

const db = await createDatabase('empty');
const { load, trueup } = platformIn(db);

deltacrown.describe('sync on the UP-M3 example', () => {
  beforeEach(async () => {
    await load();
    expect((await trueup('reconcile --all')).status).toBe(0);
  });

  test('status, install, status: and again', async () => {
    const before = await trueup('sync status');
    expect(before.status).toBe(2);
    expect(before.stdout).toContain('not installed: trueup sync install');
    expect((await trueup('sync status --json')).json()).toMatchObject([
      { type: 'syncStatus', state: 'missing', waitingFailures: 0 },
    ]);
    expect((await trueup('sync install')).status).toBe(0);
    expect(await trueup('sync status')).toMatchObject({ status: 0, stderr: '' });
    const installed = await triggersAndFunctions();
    expect((await trueup('sync install')).status).toBe(0);
    expect(await triggersAndFunctions()).toEqual(installed);
    expect((await trueup('sync status --json')).json()).toMatchObject([
      { state: 'installed', waitingFailures: 0, oldestFailure: null, sqlStates: [] },
    ]);
  });

  test('lines by plain SQL are followed by wallet and profile in the same commit', async () => {
    await trueup('sync install');
    await pay([1, 6]);
    expect(await coins(1)).toEqual({ wallet: '500 550', profile: '500 550' });
    await pay([1, -500], [2, 20], [2, -300], [5, 7]);
    expect(await coins(1)).toEqual({ wallet: '0 550', profile: '0 550' });
    expect(await coins(2)).toEqual({ wallet: '0 320', profile: '0 320' });
    expect(await coins(5)).toEqual({ wallet: '7 7', profile: '7 7' });
    expect((await trueup('reconcile --all --dry-run')).status).toBe(0);
  });

  test('the treasury has no profile, and is followed, checked and repaired all the same', async () => {
    await db.run(`
      INSERT INTO economy_deltacrownwallet (id, is_treasury, cached_balance, pending_balance,
             lifetime_earnings, allow_overdraft, pin_hash, is_deleted, created_at, updated_at)
      VALUES (6, true, 0, 0, 0, true, '', false, now(), now())`);
    await trueup('sync install');
    await pay([6, -40]);
    await pay([6, 1000], [1, 40], [6, -10]);
    expect(await coins(6)).toEqual({ wallet: '950 1000', profile: null });
    expect((await trueup('reconcile --all --dry-run')).status).toBe(0);
    expect((await trueup('sync status')).stdout).toContain('failures waiting: 0');

    await db.run('UPDATE economy_deltacrownwallet SET cached_balance = 1 WHERE id = 6');
    const human = await trueup('reconcile --all --dry-run');
    expect(human.lines()[0]).toMatch(
      /^wallet 6 {2}wallet balance 1 -> 950 {2}\(before adoption on \d{4}-\d\d-\d\d\)$/,
    );
    const run = await trueup('reconcile --all --json');
    expect(run.status).toBe(0);
    expect(run.ofType('finding')).toMatchObject([
      { userId: null, walletId: '6', profileId: null, part: 'wallet', repaired: true },
    ]);
    expect(await coins(6)).toEqual({ wallet: '950 1000', profile: null });
  });

  test('a profile that cannot hold its coins: the movement stands, and healing waits for the column', async () => {
    await trueup('sync install');
    await pay([4, 100_000_000]);
    expect(await coins(4)).toEqual({ wallet: '100000000 100000000', profile: '0 0' });

    const status = await trueup('sync status');
    expect(status.status).toBe(2);
    expect(status.stdout).toMatch(/failures waiting: 1, .*\(22003\): trueup sync heal/);
    expect((await trueup('sync status --json')).json()).toMatchObject([
      { state: 'installed', waitingFailures: 1, sqlStates: ['22003'] },
    ]);
    expect(await trueup('sync heal')).toMatchObject({ status: 2, stdout: 'healed 0  failed 1\n' });
    expect(await coins(4)).toEqual({ wallet: '100000000 100000000', profile: '0 0' });
    expect((await trueup('sync status')).status).toBe(2);

    await db.run(`ALTER TABLE user_profile_userprofile
      ALTER deltacoin_balance TYPE numeric(20, 2), ALTER lifetime_earnings TYPE numeric(20, 2)`);
    expect(await trueup('sync heal')).toMatchObject({ status: 0, stdout: 'healed 1  failed 0\n' });
    expect(await coins(4)).toEqual({
      wallet: '100000000 100000000',
      profile: '100000000 100000000',
    });
    expect(await trueup('sync heal')).toMatchObject({ status: 0, stdout: 'healed 0  failed 0\n' });
    expect((await trueup('sync status')).status).toBe(0);
    expect((await trueup('reconcile --all --dry-run')).status).toBe(0);
  });

  test.each([['10000'], ['1']])(
    'such a profile is one error of a run, and stops no other (batch size %s)',
    async (batchSize) => {
      await trueup('sync install');
      await pay([4, 100_000_000]);
      // His wallet is wrong too: repaired wholly or not at all, so it stays as it is.
      await db.run(`UPDATE economy_deltacrownwallet SET cached_balance = 12 WHERE id = 4;
        UPDATE user_profile_userprofile SET deltacoin_balance = 1.50 WHERE user_id IN (1, 5)`);

      const run = await trueup(`reconcile --all --json --batch-size ${batchSize}`);
      expect(run.status).toBe(1);
      expect(run.json().at(-1)).toMatchObject({
        type: 'summary',
        checked: 5,
        drifted: 3,
        findings: 5,
        repaired: 2,
        errors: 1,
        exitStatus: 1,
      });
      expect(run.ofType('error')).toEqual([
        {
          type: 'error',
          walletId: '4',
          userId: '4',
          code: 'database_failed',
          message: expect.stringContaining('22003') as string,
        },
      ]);
      const his = run.ofType('finding').filter((line) => line['userId'] === '4');
      expect(his.map((line) => line['repaired'])).toEqual([false, false, false]);
      expect(await coins(4)).toEqual({ wallet: '12 100000000', profile: '0 0' });
      expect(await coins(1)).toEqual({ wallet: '494 544', profile: '494 544' });
      expect(await coins(5)).toEqual({ wallet: '0 0', profile: '0 0' });

      const human = await trueup('reconcile --all');
      expect(human.status).toBe(1);
      expect(human.stderr).toMatch(/^wallet 4 of user 4 could not be repaired: .*22003/m);
      expect(human.stdout).not.toContain('could not be repaired:');
      expect((await trueup('reconcile --user-id 1 --user-id 2')).status).toBe(0);
      expect((await trueup('reconcile --all --limit 4')).status).toBe(1);
      expect((await trueup('reconcile --all --dry-run')).status).toBe(2);
    },
  );

  test('remove takes away trigger and function, and the ledger is free again', async () => {
    await trueup('migrate');
    const before = await triggersAndFunctions();
    await trueup('sync install');
    expect(await triggersAndFunctions()).not.toEqual(before);
    expect((await trueup('sync remove')).status).toBe(0);
    expect(await triggersAndFunctions()).toEqual(before);
    expect((await trueup('sync remove')).status).toBe(0);

    expect((await trueup('sync status')).status).toBe(2);
    await pay([1, 6]);
    expect(await coins(1)).toEqual({ wallet: '494 544', profile: '494 544' });
    expect((await trueup('reconcile --all --dry-run')).status).toBe(2);
  });
});

/** Lines of one statement, by plain SQL: [wallet, amount]. */
async function pay(...lines: readonly (readonly [number, number])[]): Promise<void> {
  await db.run(
    `INSERT INTO economy_deltacrowntransaction (wallet_id, amount, reason, note, created_at)
     SELECT w, a, 'manual_adjust', '', now() FROM unnest($1::bigint[], $2::int[]) AS l (w, a)`,
    [lines.map(([wallet]) => wallet), lines.map(([, amount]) => amount)],
  );
}

/** Balance and earnings of a wallet, and of its profile. */
async function coins(wallet: number): Promise<{ wallet: string; profile: string | null }> {
  const [row] = await db.rows<{ wallet: string; profile: string | null }>(
    `SELECT w.cached_balance || ' ' || w.lifetime_earnings AS wallet,
            trim_scale(p.deltacoin_balance) || ' ' || trim_scale(p.lifetime_earnings) AS profile
       FROM economy_deltacrownwallet w LEFT JOIN user_profile_userprofile p ON p.id = w.profile_id
      WHERE w.id = $1`,
    [wallet],
  );
  if (row === undefined) throw new Error(`there is no wallet ${String(wallet)}`);
  return row;
}

async function triggersAndFunctions(): Promise<string[]> {
  return (await contents(db)).filter((line) => /^(trigger|function) /.test(line));
}
