import pg from 'pg';
import { describe, expect, test } from 'vitest';
import {
  migrateDatabase,
  openTrueup,
  OWN_MAPPING,
  TrueupError,
  type TrueupOptions,
} from '../../src/index.js';
import type { OpeningPlan } from '../../src/index.js';
import { textOf } from '../reads/support.js';
import { createDatabase } from '../support/database.js';
import { all, endsOf, FIELDLESS, HOSTILE } from '../support/hostile.js';

/** The options of openTrueup, and what a Trueup that is closed or read-only still does. */

const db = await createDatabase('own');
const base = { databaseUrl: db.url, config: OWN_MAPPING, healer: false } as const;

describe('an option that cannot be meant is refused before anything is connected', () => {
  const nowhere = { ...base, databaseUrl: 'postgres://127.0.0.1:1/none' };
  const wrong: readonly (readonly [string, object])[] = [
    ['no lane', { posting: { lanes: 0 } }],
    ['half a lane', { posting: { lanes: 1.5 } }],
    ['less than none', { posting: { lanes: -1 } }],
    ['lanes without end', { posting: { lanes: Number.POSITIVE_INFINITY } }],
    ['batches of nothing', { posting: { batchLimit: 0 } }],
    ['batches of less', { posting: { batchLimit: -1 } }],
    ['batches as text', { posting: { batchLimit: '5' } }],
    ['no queue', { posting: { queueLimit: 0 } }],
    ['less than no queue', { posting: { queueLimit: -1 } }],
    ['a queue of no number', { posting: { queueLimit: Number.NaN } }],
    ['a queue as text', { posting: { queueLimit: '5' } }],
    ['an unknown size', { posting: { lane: 2 } }],
    ['sizes that are none', { posting: 5 }],
    ['an unknown option', { database: 'x' }],
    ['a misspelt option', { readonly: true }],
    ['a URL that is no text', { databaseUrl: 5 }],
    ['a null character', { databaseUrl: 'postgres://a\0b' }],
    ['a mapping that is none', { config: 5 }],
    ['a home of nothing', { home: ' ' }],
    ['a database of nothing', { embeddedDatabase: '' }],
    ['a flag that is none', { readOnly: 'no' }],
    ['another', { healer: 1 }],
    ['one more', { recreate: 'yes' }],
    ['no connection', { maxConnections: 0 }],
    ['one, which the healer keeps', { healer: true, maxConnections: 1 }],
    ['a healer that may not write', { healer: true, readOnly: true }],
    ['a name that is none', { applicationName: 5 }],
  ];

  test.each(wrong)('%s', async (_, options) => {
    const given = { ...nowhere, ...options } as TrueupOptions;
    await expect(openTrueup(given)).rejects.toMatchObject({ code: 'invalid_argument' });
    await expect(migrateDatabase(given)).rejects.toMatchObject({ code: 'invalid_argument' });
  });

  test('whatever is given in place of options', async () => {
    // Objects without fields ask for nothing, which is fine.
    const given = Object.fromEntries(
      Object.entries(HOSTILE).filter(([name]) => !FIELDLESS.includes(name)),
    );
    const open = (value: unknown): unknown => openTrueup(value as TrueupOptions);
    expect(await endsOf(given, open)).toEqual(all(given, 'invalid_argument'));
  });

  test('the smallest sizes work', async () => {
    const posting = { lanes: 1, batchLimit: 1, queueLimit: 1 };
    const small = await db.trueup({ maxConnections: 1, posting });
    const walletId = await small.openWallet({ userId: 'small' });
    const credit = { type: 'credit', walletId, amount: 1, reason: 'winner' } as const;
    expect(await small.post([credit])).toMatchObject([{ status: 'posted' }]);
    await expect(small.post([credit, credit])).rejects.toMatchObject({ code: 'invalid_argument' });
    await small.history({ walletId });
    await small.syncWalletToProfile(walletId);
    await small.recomputeLifetimeEarnings(walletId);
    expect(await small.reconcile({ all: true })).toMatchObject({ drifted: 0 });
    expect(await textOf(await small.statement({ walletId, format: 'csv' }))).toContain('winner');
    await small.heal();
    await small.close();
  });

  test('a size that is undefined is left out', async () => {
    const posting = { lanes: undefined, batchLimit: undefined } as unknown as object;
    const one = await db.trueup({ posting });
    const walletId = await one.openWallet({ userId: 'small' });
    expect(await one.credit({ walletId, amount: 1, reason: 'winner' })).toMatchObject({
      status: 'posted',
    });
  });
});

test('connectionString leads another client to the same database', async () => {
  const one = await db.trueup();
  expect(one.connectionString).toBe(db.url);
  const client = new pg.Client({ connectionString: one.connectionString });
  await client.connect();
  const { rows } = await client.query('SELECT current_database() AS name');
  expect(rows).toEqual([{ name: db.name }]);
  await client.end();
});

type Call = (trueup: Awaited<ReturnType<typeof openTrueup>>) => Promise<unknown>;

const credit = { walletId: '1', amount: 1n, reason: 'winner' };
const PLAN: OpeningPlan = {
  ...{ wallets: [], coins: '0', examples: [], changes: {}, left: [], leftCount: 0, obstacles: [] },
  reason: 'opening_balance',
};

const WRITES: readonly (readonly [string, Call])[] = [
  ['post', (trueup) => trueup.post([{ type: 'credit', ...credit }])],
  ['post of nothing', (trueup) => trueup.post([])],
  ['credit', (trueup) => trueup.credit(credit)],
  ['debit', (trueup) => trueup.debit({ ...credit, reason: 'purchase' })],
  [
    'transfer',
    (trueup) => trueup.transfer({ from: { walletId: '1' }, to: { walletId: '2' }, amount: 1n }),
  ],
  ['reverse', (trueup) => trueup.reverse({ entryId: '1' })],
  ['hold', (trueup) => trueup.hold({ ...credit, reason: 'purchase' })],
  ['capture', (trueup) => trueup.capture({ holdId: 'x' })],
  ['release', (trueup) => trueup.release({ holdId: 'x' })],
  [
    'credit within',
    (trueup) => trueup.within({ query: () => Promise.resolve({ rows: [] }) }).credit(credit),
  ],
  ['openWallet', (trueup) => trueup.openWallet({ userId: 'x' })],
  ['setWalletLimits', (trueup) => trueup.setWalletLimits('1', { allowOverdraft: true })],
  ['freeze', (trueup) => trueup.freeze('1')],
  ['unfreeze', (trueup) => trueup.unfreeze('1')],
  ['setSpendingLimit', (trueup) => trueup.setSpendingLimit({ amount: 1n, windowSeconds: 60 })],
  ['removeSpendingLimit', (trueup) => trueup.removeSpendingLimit('1')],
  ['expireHolds', (trueup) => trueup.expireHolds()],
  ['carry', (trueup) => trueup.carry()],
  ['backfillActivity', (trueup) => trueup.backfillActivity()],
  ['postOpeningBalances', (trueup) => trueup.postOpeningBalances(PLAN)],
  ['syncWalletToProfile', (trueup) => trueup.syncWalletToProfile('1')],
  ['syncProfileByUserId', (trueup) => trueup.syncProfileByUserId('ada')],
  ['recomputeLifetimeEarnings', (trueup) => trueup.recomputeLifetimeEarnings('1')],
  ['reconcile', (trueup) => trueup.reconcile({ all: true })],
  ['applyPlan', (trueup) => trueup.applyPlan({ file: 'no plan' })],
  ['steer', (trueup) => trueup.steer({ run: 'last', action: 'stop' })],
  ['approve', (trueup) => trueup.approve({ run: 'last', all: true })],
  ['undo', (trueup) => trueup.undo({ run: 'last' })],
  ['heal', (trueup) => trueup.heal()],
  ['operate', (trueup) => trueup.operate({ schedule: null })],
  ['deliverAlerts', (trueup) => trueup.deliverAlerts({})],
  ['installSync', (trueup) => trueup.installSync()],
  ['removeSync', (trueup) => trueup.removeSync()],
];
const READS: readonly (readonly [string, Call])[] = [
  ['balance', (trueup) => trueup.balance({ userId: 'ada' })],
  ['balanceAt', (trueup) => trueup.balanceAt({ userId: 'ada', at: new Date() })],
  ['balanceAfter', (trueup) => trueup.balanceAfter('1')],
  ['history', (trueup) => trueup.history({ userId: 'ada' })],
  ['holds', (trueup) => trueup.holds({ userId: 'ada' })],
  ['statement', (trueup) => trueup.statement({ userId: 'ada', format: 'json' })],
  ['circulation', (trueup) => trueup.circulation()],
  ['spendingLimits', (trueup) => trueup.spendingLimits()],
  ['getBalanceDrift', (trueup) => trueup.getBalanceDrift('1')],
  ['activity', (trueup) => trueup.activity({ userId: 'ada' })],
  ['explain', (trueup) => trueup.explain({ userId: 'ada' })],
  ['findOpeningBalances', (trueup) => trueup.findOpeningBalances()],
  ['planSync', (trueup) => trueup.planSync()],
  ['doctor', (trueup) => trueup.doctor()],
  ['syncStatus', (trueup) => trueup.syncStatus()],
  ['status', (trueup) => trueup.status()],
  ['metrics', (trueup) => trueup.metrics()],
  ['runs', (trueup) => trueup.runs()],
  ['alerts', (trueup) => trueup.alerts()],
  ['hasSync', (trueup) => trueup.hasSync()],
  ['reconcile, dry', (trueup) => trueup.reconcile({ all: true, dryRun: true })],
];

test('read-only: what writes is refused, and nothing is written; what reads works', async () => {
  const writer = await db.trueup();
  const walletId = await writer.openWallet({ userId: 'ada' });
  await writer.credit({ walletId, amount: 5n, reason: 'winner' });
  const counted = `SELECT concat_ws(' ', (SELECT count(*) FROM trueup.entries), (SELECT count(*) FROM trueup.holds),
    (SELECT count(*) FROM trueup.spending_limits), (SELECT count(*) FROM trueup.wallets WHERE NOT frozen))`;
  const before = await db.value(counted);
  const reader = await db.trueup({ readOnly: true });
  for (const [name, call] of WRITES) {
    expect([name, await codeOf(call(reader))]).toEqual([name, 'read_only']);
  }
  for (const [name, call] of READS) expect([name, await codeOf(call(reader))]).toEqual([name, '']);
  expect(await db.value(counted)).toBe(before);
  await expect(migrateDatabase({ ...base, readOnly: true, healer: false })).rejects.toMatchObject({
    code: 'read_only',
  });
});

test.each([false, true])('closed (read-only: %s): nothing is done any more', async (readOnly) => {
  const one = await db.trueup({ readOnly });
  const closing = one.close();
  for (const [name, call] of [...WRITES, ...READS]) {
    expect([name, await codeOf(call(one))]).toEqual([name, 'closed']);
  }
  await closing;
  for (const [name, call] of [...WRITES, ...READS]) {
    expect([name, await codeOf(call(one))]).toEqual([name, 'closed']);
  }
});

test('what was asked for before closing is answered, however many wait for a connection', async () => {
  const one = await db.trueup({ maxConnections: 1 });
  const walletId = await one.openWallet({ userId: 'late' });
  const stream = await one.statement({ walletId, format: 'csv' });
  const calls = [
    ...Array.from({ length: 20 }, () => one.balance({ walletId })),
    one.history({ walletId }),
    one.syncWalletToProfile(walletId),
    one.reconcile({ all: true, dryRun: true }),
  ];
  await one.close();
  await Promise.all(calls);
  expect(stream.destroyed).toBe(true);
});

/** The code of the error that a call ends with, which has to be a TrueupError; empty for none. */
async function codeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return '';
  } catch (error) {
    expect(error).toBeInstanceOf(TrueupError);
    return (error as TrueupError).code;
  }
}
