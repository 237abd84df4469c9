import { beforeEach, expect, test } from 'vitest';
import { UNKNOWN_ADVICE } from '../../src/core/phrases.js';
import { createDatabase } from '../support/database.js';
import { deltacrown, platformIn } from './deltacrown.js';

/** `trueup explain` on the platform of UP-M3: what a support agent reads. */

const db = await createDatabase('empty');
const { load, trueup } = platformIn(db);

/** Times and ids of transactions differ from run to run. */
const steady = (text: string): string =>
  text.replace(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g, 'TIME').replace(/on \d{4}-\d\d-\d\d/g, 'on DAY');

deltacrown.describe('trueup explain', () => {
  beforeEach(load);

  test('where Trueup has never been', async () => {
    const run = await trueup('explain --user-id 2');
    expect(run).toMatchObject({ status: 2, stderr: '' });
    expect(steady(run.stdout)).toBe(
      [
        'user 2, wallet 2, profile 102',
        '  the ledger says 280, earned 300 (2 entries)',
        '  wallet balance             280',
        '  wallet lifetime earnings   0   but it is 300',
        '  profile balance            0   but it is 280',
        '  profile lifetime earnings  0   but it is 300',
        '  entries:',
        '    TIME  entry 4  +300  = 300  runner_up',
        '    TIME  entry 5  -20  = 280  entry_fee_debit',
        `  why: cause unknown. ${UNKNOWN_ADVICE}`,
        '    reconcile would set wallet lifetime earnings 0 -> 300',
        '    reconcile would set profile balance 0 -> 280',
        '    reconcile would set profile lifetime earnings 0 -> 300',
        '',
        'as of TIME UTC; no record of an installed sync',
        '',
      ].join('\n'),
    );
    expect(await db.value(`SELECT to_regnamespace('trueup')::text`)).toBeNull();
  });

  test('adopted, repaired, and wrong again', async () => {
    await trueup('sync install');
    expect(steady((await trueup('reconcile --user-id 1')).lines()[0] ?? '')).toBe(
      'user 1  wallet lifetime earnings 0 -> 544  repaired  (before adoption on DAY)',
    );
    await db.run(`UPDATE economy_deltacrowntransaction SET amount = 400 WHERE id = 1;
      INSERT INTO trueup.cache_writes (ledger, part, row_id, field, old_value, new_value, action, role, application_name)
      VALUES ('"public"."economy_deltacrowntransaction"', 'profile', '101', 'balance', '494.00', '501.00', 'recorded', 'django', 'gunicorn');
      UPDATE user_profile_userprofile SET deltacoin_balance = 501 WHERE id = 101`);
    const run = await trueup('explain --user-id 1');
    expect(run).toMatchObject({ status: 2, stderr: '' });
    expect(steady(run.stdout)).toBe(
      [
        'user 1, wallet 1, profile 101',
        '  the ledger says 394, earned 444 (3 entries)',
        '  wallet balance             494   but it is 394',
        '  wallet lifetime earnings   544   but it is 444',
        '  wallet pending balance     0',
        '  profile balance            501   but it is 394',
        '  profile lifetime earnings  544   but it is 444',
        '  the running balance departs at entry 1: it says 500, the entries add up to 400',
        '  entries:',
        '    TIME  entry 1  +400  = 500  winner  <- departs here',
        '    TIME  entry 2  +44  = 544  participation',
        '    TIME  entry 3  -50  = 494  entry_fee_debit',
        '  written by others:',
        '    TIME  profile balance 494.00 -> 501.00 by django (gunicorn)',
        '  repaired before:',
        '    TIME  reconcile (before adoption): profile.balance 0 -> 494, wallet.lifetimeEarnings 0 -> 544, profile.lifetimeEarnings 0 -> 544',
        '  why: the ledger was changed at or before entry 1 [ledger_changed]',
        '    reconcile would set wallet balance 494 -> 394',
        '    reconcile would set wallet lifetime earnings 544 -> 444',
        '    reconcile would set profile lifetime earnings 544 -> 444',
        '    reconcile would leave wallet balance after as it is',
        '  why: the ledger was changed at or before entry 1; and direct write [ledger_changed]',
        '    reconcile would set profile balance 501 -> 394',
        '',
        'as of TIME UTC; sync installed TIME, never verified, guard keep',
        '',
      ].join('\n'),
    );
  });

  test('nothing is wrong: status 0', async () => {
    const run = await trueup('explain --wallet-id 4');
    expect(run).toMatchObject({ status: 0, stderr: '' });
    expect(run.stdout).toContain('  everything agrees with the ledger\n');
  });

  test('one JSON object', async () => {
    const run = await trueup('explain --wallet-id 1 --json');
    expect(run.status).toBe(2);
    expect(run.json()).toMatchObject([
      { type: 'explanation', installation: null, wallets: [{ userId: '1', entryCount: '3' }] },
    ]);
  });

  test.each([
    ['--user-id 99', 1, 'user_not_found'],
    ['--wallet-id 99', 1, 'wallet_not_found'],
    ['--wallet-id abc', 1, 'invalid_argument'],
    ['--json', 64, '--user-id ID, or --wallet-id ID'],
    ['--user-id 1 --wallet-id 1', 64, '--user-id ID, or --wallet-id ID'],
    ['--user-id 1 --wallet 1', 64, 'unknown option'],
  ])('%s: status %i', async (words, status, complaint) => {
    const run = await trueup(`explain ${words}`);
    expect(run).toMatchObject({ status, stdout: '' });
    expect(run.stderr).toContain(complaint);
  });
});
