import { beforeEach, expect, test } from 'vitest';
import type { CliRun } from '../support/cli.js';
import { createDatabase } from '../support/database.js';
import { deltacrown, platformIn, REPAIRED } from './deltacrown.js';
import { contents } from './fixture.js';

/** On the UP-M3 example: what reconcile leaves alone and says so, and what a reader may do. */

const db = await createDatabase('empty');
const { load, trueup, shown } = platformIn(db);

deltacrown.describe('what cannot be repaired, or not now', () => {
  beforeEach(load);

  test('coins without any entry are told and left alone: status 2', async () => {
    await db.run('UPDATE economy_deltacrownwallet SET cached_balance = 70 WHERE id = 5');
    const run = await trueup('reconcile --all');
    expect(run.status).toBe(2);
    expect(run.lines()).toContain('user 5  wallet balance 70 -> 0  (no history: not repaired)');
    expect(run.lines().at(-2)).toMatch(/^checked 5 {2}drifted 4 .* findings 10 {2}repaired 9 /);
    expect(run.lines().at(-1)).toBe('1 finding could not be repaired');
    expect(
      await db.value('SELECT cached_balance::text FROM economy_deltacrownwallet WHERE id = 5'),
    ).toBe('70');
  });

  test('a running balance that breaks is told, and the ledger is not edited: status 2', async () => {
    await db.run(
      'UPDATE economy_deltacrowntransaction SET cached_balance_after = 999 WHERE id = 2',
    );
    const ledger = (): Promise<string> =>
      db.value(
        `SELECT md5(string_agg(xmin::text || t::text, ';')) FROM economy_deltacrowntransaction t`,
      );
    const before = await ledger();
    for (const words of ['--all --json', '--user-id 1 --json', '--all --json --dry-run']) {
      const run = await trueup(`reconcile ${words}`);
      expect(run.status).toBe(2);
      expect(run.ofType('finding').filter((line) => line['field'] === 'balanceAfter')).toEqual([
        {
          type: 'finding',
          userId: '1',
          walletId: '1',
          profileId: '101',
          part: 'wallet',
          field: 'balanceAfter',
          cached: '999',
          expected: '544',
          delta: '-455',
          cause: 'ledger_changed',
          evidence: {
            break: {
              entryId: '2',
              sequence: null,
              position: null,
              amount: '44',
              balanceAfter: '999',
              expected: '544',
              size: '455',
            },
          },
          repaired: false,
        },
      ]);
    }
    expect(await ledger()).toBe(before);
    expect(await shown()).toEqual(REPAIRED);
  });

  test('a locked wallet is left out and told, and stops no other: status 3', async () => {
    const holder = await db.connect();
    await holder.query('BEGIN; SELECT FROM economy_deltacrownwallet WHERE id = 2 FOR UPDATE');
    const [json, human] = await Promise.all([
      trueup('reconcile --all --json'),
      trueup('reconcile --user-id 2'),
    ]);
    await holder.query('ROLLBACK');
    expect(json.status).toBe(3);
    expect(json.ofType('skip')).toMatchObject([{ walletId: '2', userId: '2', code: 'locked' }]);
    expect(json.json().at(-1)).toMatchObject({
      type: 'summary',
      checked: 5,
      repaired: 6,
      skipped: 1,
    });
    expect(human.status).toBe(3);
    expect(human.stderr).toMatch(/^wallet 2 of user 2 skipped: /m);
    expect(await shown()).toEqual(['1 494 544', '2 0 0', '3 239 239', '4 0 0', '5 0 0']);
    // It was seen to have drifted; only its repair has to wait.
    expect(human.stdout).not.toContain('nothing drifted');
  });
});

deltacrown.describe('a role that may only read', () => {
  let url = '';

  beforeEach(async () => {
    await load();
    const role = await db.role();
    url = role.url;
    await db.run(`
      GRANT USAGE ON SCHEMA public TO ${role.name};
      GRANT SELECT ON ALL TABLES IN SCHEMA public TO ${role.name}`);
  });
  const reader = (words: string): Promise<CliRun> => trueup(words, url);

  test('its dry run finds everything, before Trueup was there and after', async () => {
    for (const command of ['reconcile --all --dry-run', 'sync install']) {
      const run = await reader('reconcile --all --dry-run --json');
      expect(run).toMatchObject({ status: 2, stderr: '' });
      expect(run.ofType('finding')).toHaveLength(9);
      await trueup(command);
    }
    expect((await reader('reconcile --user-id 1 --dry-run --json')).ofType('finding')).toHaveLength(
      3,
    );
  });

  test('its repair is refused with a code, and nothing changes', async () => {
    const before = await contents(db);
    const run = await reader('reconcile --all');
    expect(run).toMatchObject({ status: 1, stdout: '' });
    expect(run.stderr).toContain('[permission_denied]');
    expect(await contents(db)).toEqual(before);
  });
});
