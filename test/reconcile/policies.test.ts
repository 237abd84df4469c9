import { beforeEach, expect, test } from 'vitest';
import type { Trueup } from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import { caches, createEconomy, findings, truth, type Economy } from '../support/economy.js';

/**
 * Row-level security: what a role sees through policies may be a part of the ledger. A check that took it
 * for the whole would call right caches wrong, and a repair would make them so.
 */

const db = await createDatabase('empty');
let economy: Economy;
let role: { readonly name: string; readonly url: string };

beforeEach(async () => {
  await db.run('DROP SCHEMA IF EXISTS trueup CASCADE; DROP SCHEMA IF EXISTS app CASCADE');
  economy = await createEconomy(db, 2, { foreignKeys: false });
  await (await db.trueup({ config: economy.mapping })).installSync();
  await db.run(
    'INSERT INTO app.ledger (wallet_id, amount) VALUES (1, 500), (1, -60), (2, 40), (2, -3)',
  );
  role = await db.role();
  await db.run(`GRANT USAGE ON SCHEMA app, trueup TO ${role.name};
                GRANT ALL ON ALL TABLES IN SCHEMA app, trueup TO ${role.name};
                GRANT ALL ON ALL SEQUENCES IN SCHEMA app, trueup TO ${role.name}`);
});

const hide = (table: string, seen: string): Promise<void> =>
  db.run(`ALTER TABLE app.${table} ENABLE ROW LEVEL SECURITY;
          CREATE POLICY part ON app.${table} TO ${role.name} USING (${seen})`);

const ASKED: Readonly<Record<string, (trueup: Trueup) => Promise<unknown>>> = {
  'a repair': (trueup) => trueup.reconcile({ all: true }),
  'a dry run': (trueup) => trueup.reconcile({ all: true, dryRun: true }),
  'a repair of one user': (trueup) => trueup.reconcile({ userIds: ['1'] }),
  'the service of a wallet': (trueup) => trueup.syncWalletToProfile('1'),
  'the service of a user': (trueup) => trueup.syncProfileByUserId('1'),
  'the service that rebuilds': (trueup) => trueup.recomputeLifetimeEarnings('1'),
  'a look at one wallet': (trueup) => trueup.getBalanceDrift('1'),
  'the story of a wallet': (trueup) => trueup.explain({ walletId: '1' }),
  'a balance': (trueup) => trueup.balanceAt({ walletId: '1', at: new Date() }),
};

const HIDDEN: readonly (readonly [string, string])[] = [
  ['ledger', 'amount > 0'],
  ['wallet', 'id <> 1'],
  ['profile', 'id <> 101'],
  ['wallet', 'false'],
];

test.each(HIDDEN)(
  'policies hide rows of %s (%s): nothing is said, nothing changed',
  async (...hidden) => {
    await hide(...hidden);
    const before = await caches(db, economy);
    const trueup = await db.trueup({ databaseUrl: role.url, config: economy.mapping });
    for (const [what, ask] of Object.entries(ASKED)) {
      if (what === 'a balance' && hidden[0] !== 'ledger') continue;
      await expect(ask(trueup), what).rejects.toMatchObject({
        code: 'permission_denied',
        message: expect.stringContaining(`policy for table "${hidden[0]}"`) as string,
        hint: expect.stringContaining('BYPASSRLS') as string,
      });
    }
    expect(await caches(db, economy)).toEqual(before);
    expect(before).toEqual(await truth(db, economy));
  },
);

test('a role that policies do not concern checks and repairs', async () => {
  await hide('ledger', 'amount > 0');
  await db.run(`ALTER ROLE ${role.name} BYPASSRLS; UPDATE app.wallet SET balance = 7 WHERE id = 1`);
  const trueup = await db.trueup({ databaseUrl: role.url, config: economy.mapping });
  expect(await findings(trueup)).toHaveLength(1);
  await trueup.reconcile({ all: true });
  expect(await caches(db, economy)).toEqual(await truth(db, economy));
});
