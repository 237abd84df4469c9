import { beforeEach, describe, expect, test } from 'vitest';
import type { Mapping, PostItem, Trueup } from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import { caches, createEconomy, truth, type Economy } from '../support/economy.js';
import { Proxy } from '../support/proxy.js';

/**
 * A COMMIT that is lost on the way to an adopted ledger. It has fewer columns by which an entry is
 * known again; where there are too few, the caller is told so, and nothing is posted twice.
 */

const db = await createDatabase('empty');
const proxy = await Proxy.to(db.url);
let economy: Economy;

beforeEach(async () => {
  await db.run('DROP SCHEMA IF EXISTS app CASCADE');
  economy = await createEconomy(db, 3, { foreignKeys: false });
});

/** Adopted with some of the columns that tell entries apart. */
async function adopted(...columns: ('idempotencyKey' | 'createdAt')[]): Promise<Trueup> {
  const { idempotencyKey, createdAt, ...ledger } = economy.mapping.ledger;
  const all = { idempotencyKey, createdAt };
  const kept = Object.fromEntries(columns.map((column) => [column, all[column]]));
  const config: Mapping = { ...economy.mapping, ledger: { ...ledger, ...kept } };
  const trueup = await db.trueup({ databaseUrl: proxy.url, config });
  await trueup.installSync();
  return trueup;
}

function entries(): Promise<Record<string, string>[]> {
  return db.rows('SELECT wallet_id::text AS wallet, amount::text FROM app.ledger ORDER BY id');
}

const credit = (walletId: string, more: object = {}): PostItem => ({
  type: 'credit',
  walletId,
  amount: 7n,
  reason: 'winner',
  ...more,
});

describe('without any column that tells entries apart', () => {
  test.each(['before', 'after'] as const)(
    '%s: the outcome is unknown, and nothing is sent again',
    async (cut) => {
      const trueup = await adopted();
      proxy.cut(cut);
      const answers = await Promise.allSettled(
        ['1', '2', '3'].map((id) => trueup.post([credit(id)])),
      );
      expect(answers).toMatchObject(
        Array(3).fill({ status: 'rejected', reason: { code: 'outcome_unknown' } }),
      );
      expect(await entries()).toHaveLength(cut === 'after' ? 3 : 0);
      // It goes on with what comes next.
      expect(await trueup.post([credit('1')])).toMatchObject([{ status: 'posted' }]);
    },
  );
});

describe('with a key', () => {
  const keyed = { idempotencyKey: 'k' };

  test.each(['before', 'after', 'race'] as const)('%s: it is posted once', async (cut) => {
    const trueup = await adopted('idempotencyKey');
    proxy.cut(cut);
    expect(await trueup.post([credit('1', keyed)])).toMatchObject([
      { status: 'posted', replayed: false, walletId: '1', amount: 7n },
    ]);
    expect(await entries()).toEqual([{ wallet: '1', amount: '7' }]);
  });

  test('an entry without one, in the same batch, is not taken for an older one that looks the same', async () => {
    const trueup = await adopted('idempotencyKey');
    await trueup.post([credit('2')]);
    proxy.cut('before');
    const outcomes = await trueup.post([credit('2'), credit('1', keyed)]);
    expect(outcomes).toMatchObject([{ status: 'posted' }, { status: 'posted' }]);
    expect((await entries()).map(({ wallet }) => wallet)).toEqual(['2', '2', '1']);
  });
});

test('with the time: equal entries without keys are each posted once', async () => {
  const trueup = await adopted('idempotencyKey', 'createdAt');
  for (const cut of ['before', 'after', 'race'] as const) {
    proxy.cut(cut);
    const outcomes = await trueup.post([
      credit('1'),
      credit('2', { idempotencyKey: cut }),
      credit('3'),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(['posted', 'posted', 'posted']);
    const ids = outcomes.flatMap((one) => (one.status === 'posted' ? [one.entryId] : []));
    expect(
      await db.rows('SELECT id::text FROM app.ledger ORDER BY ledger.id DESC LIMIT 3'),
    ).toEqual(ids.reverse().map((id) => ({ id })));
  }
  expect(await entries()).toHaveLength(9);
  expect(await caches(db, economy)).toEqual(await truth(db, economy));
});
