import { beforeEach, describe, expect, test } from 'vitest';
import type { BalanceStory, WalletStory } from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import { contents } from '../cli/fixture.js';
import { INJECTIONS, recorded, tamper, writeByHand } from '../support/injections.js';
import { drift, namesOf, STAGES, unseen, type Stage } from '../support/stages.js';

/** The story of one balance, from the library. */

const db = await createDatabase('empty');
const build = (name: string): Promise<Stage> => {
  const stage = STAGES[name];
  if (stage === undefined) throw new Error(`there is no stage ${name}`);
  return stage(db);
};

async function story(stage: Stage): Promise<WalletStory> {
  const told = await stage.trueup.explain({ walletId: stage.walletId });
  expect(told.wallets).toHaveLength(1);
  const [wallet] = told.wallets;
  if (wallet === undefined) throw new Error('nothing was told');
  return wallet;
}

describe.each(Object.keys(STAGES))('on %s', (name) => {
  test('a balance that is right', async () => {
    const stage = await build(name);
    const before = await contents(db);
    const wallet = await story(stage);
    expect(wallet).toMatchObject({ findings: [], chain: null, writes: [], failures: [], gaps: [] });
    expect(wallet.caches.every(({ cached, expected }) => cached === expected)).toBe(true);
    expect(wallet.entries.map(({ amount }) => amount)).toEqual(
      expect.arrayContaining(['1009', '2003', '-307', '4007', '-811']),
    );
    expect(await contents(db)).toEqual(before);
  });

  test.each(Object.entries(INJECTIONS).filter(([, { cause }]) => cause !== 'no_history'))(
    'tells what a dry run tells: %s',
    async (_, { inject, possible }) => {
      const stage = await build(name);
      if (possible?.(stage) === false) return;
      await inject(stage);
      const found = await drift(stage);
      const { findings } = await story(stage);
      // A gap that is still open is seen at another moment each time.
      const still = (one: object): string =>
        JSON.stringify(one).replace(/"noticedAt":"[^"]*",/, '');
      expect(
        findings.map(({ remedy, ...one }) => (expect(remedy).toBeTypeOf('string'), still(one))),
      ).toEqual(found.map(still));
    },
  );

  test('an entry that was deleted: the break, and the entries around it', async () => {
    const stage = await build(name);
    const { ledger = '', amount = '' } = namesOf(stage);
    await db.run(tamper(stage, `DELETE FROM ${ledger} WHERE ${amount} = -307`));
    const { chain, entries, findings } = await story(stage);
    expect(chain).toMatchObject({
      count: '1',
      offset: '-307',
      first: [{ amount: '4007', size: '-307' }],
    });
    expect(entries.filter(({ atBreak }) => atBreak)).toMatchObject([{ amount: '4007' }]);
    expect(entries.map((entry) => entry.amount).slice(-4)).toEqual([
      '1009',
      '2003',
      '4007',
      '-811',
    ]);
    expect(findings.map(({ field, remedy }) => `${field} ${remedy}`)).toContain(
      'balanceAfter leave',
    );
  });

  test('everything on record, also what is settled', async () => {
    const stage = await build(name);
    const { wallet = '' } = namesOf(stage);
    await INJECTIONS['a profile could not follow an entry']?.inject(stage);
    await stage.trueup.heal({ everything: true });
    await db.run(unseen(writeByHand(stage, 17)));
    await db.run(
      recorded(stage, 'wallet', 'balance', [`'1'`, `'2'`]).replace(`'recorded'`, `'kept'`),
    );
    await stage.trueup.reconcile({ all: true });
    const told = await story(stage);
    expect(wallet).not.toBe('');
    expect(told.failures).toMatchObject([
      { sqlState: '23514', healedAt: expect.any(String) as string },
    ]);
    expect(told.writes).toMatchObject([
      { action: 'kept', newValue: '2' },
      {
        action: 'recorded',
        role: 'django',
        applicationName: 'gunicorn',
        part: 'wallet',
        field: 'balance',
      },
    ]);
    expect(told.repairs.slice(0, 2)).toMatchObject([
      {
        kind: 'reconcile',
        cause: 'direct_write',
        changes: { 'wallet.balance': expect.anything() as object },
      },
      { kind: 'heal', cause: 'sync_failed' },
    ]);
    expect(told.findings).toEqual([]);
  });
});

describe('whose balance', () => {
  let stage: Stage;
  beforeEach(async () => {
    stage = await build('own tables');
  });

  const explain = (request: object): Promise<BalanceStory> => stage.trueup.explain(request);

  test('a user with several wallets: each has its story', async () => {
    const second = await stage.trueup.openWallet({ userId: 'ada', currency: 'gems' });
    const { wallets } = await explain({ userId: 'ada' });
    expect(wallets).toMatchObject([
      { walletId: stage.walletId, profileId: stage.profileId },
      { walletId: second, profileId: null, entryCount: '0' },
    ]);
  });

  test('a wallet without profile', async () => {
    await db.run(`INSERT INTO trueup.wallets (id) VALUES (77)`);
    expect((await explain({ walletId: '77' })).wallets).toMatchObject([
      {
        walletId: '77',
        profileId: null,
        userId: null,
        caches: [{ part: 'wallet' }, { part: 'wallet' }, { part: 'wallet' }],
      },
    ]);
  });

  test.each([
    ['that shows nothing', 0, []],
    ['that shows coins', 9, [{ cause: 'no_history', remedy: 'leave' }]],
  ])('a user without wallet, %s', async (_, shown, findings) => {
    await db.run(
      `INSERT INTO trueup.profiles (id, user_id, balance) VALUES (88, 'eve', ${String(shown)})`,
    );
    expect((await explain({ userId: 'eve' })).wallets).toMatchObject([
      { walletId: null, profileId: '88', userId: 'eve', findings },
    ]);
  });

  test('entries whose wallet is gone', async () => {
    await INJECTIONS['a wallet that is gone, with its profile']?.inject(stage);
    expect((await explain({ walletId: stage.walletId })).wallets).toMatchObject([
      { walletExists: false, entryCount: '5', findings: [{ cause: 'wallet_missing' }] },
    ]);
  });

  test.each([
    [{ userId: 'nobody' }, 'user_not_found'],
    [{ walletId: '4711' }, 'wallet_not_found'],
    [{ walletId: 'abc' }, 'invalid_argument'],
    [{}, 'invalid_argument'],
    [{ userId: 'ada', walletId: '1' }, 'invalid_argument'],
  ])('%j: %s', async (request, code) => {
    await expect(explain(request)).rejects.toMatchObject({ code });
  });

  test('a mapping that does not say which profile is whose', async () => {
    const adopted = await build('adopted tables');
    const trueup = await db.trueup({
      config: {
        ledger: { table: 'app.ledger', id: 'id', wallet: 'wallet_id', amount: 'amount' },
        wallet: { table: 'app.wallet', id: 'id', balance: 'balance' },
      },
    });
    await expect(trueup.explain({ userId: '1' })).rejects.toMatchObject({ code: 'feature_off' });
    expect((await trueup.explain({ walletId: adopted.walletId })).wallets).toHaveLength(1);
  });
});

test('one snapshot: what happens meanwhile is not seen by halves', async () => {
  const stage = await build('adopted tables');
  const writer = await db.connect();
  const stop = new AbortController();
  const writing = (async (): Promise<void> => {
    while (!stop.signal.aborted) await writer.query(stage.entry(3));
  })();
  for (let round = 0; round < 30; round += 1) {
    const wallet = await story(stage);
    expect(wallet.findings).toEqual([]);
    expect(wallet.entries.at(-1)?.balanceAfter).toBe(wallet.caches[0]?.expected);
  }
  stop.abort();
  await writing;
});
