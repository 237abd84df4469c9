import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Mapping, Trueup } from '../../src/index.js';
import { deltacrown } from '../cli/deltacrown.js';
import { createDatabase } from '../support/database.js';
import { findings } from '../support/economy.js';
import { build, killPrograms } from '../support/program.js';
import { hasDjango, startDjango } from './django.js';
import { allAtOnce, DJANGO_NOTE, everyWriter, expectNoDrift } from './many.js';

/** The platform of UP-M3, adopted, under the library, plain SQL, COPY and two ORMs at once. */

const db = await createDatabase('empty');
const WALLETS = ['1', '2', '3', '4', '5'];

deltacrown.describe('adopted tables', () => {
  let trueup: Trueup;
  let mapping: Mapping;
  beforeAll(build);
  afterAll(killPrograms);
  beforeEach(async () => {
    await db.run(
      'DROP SCHEMA IF EXISTS trueup CASCADE; DROP SCHEMA public CASCADE; CREATE SCHEMA public',
    );
    await db.run(deltacrown.read('schema.sql').toString());
    await db.run(deltacrown.read('data.sql').toString());
    // Django gives every column; whoever writes beside it needs the default in the database.
    await db.run(`ALTER TABLE economy_deltacrowntransaction ALTER note SET DEFAULT ''`);
    await db.run(`INSERT INTO economy_deltacrowntransaction (wallet_id, amount, reason, created_at)
                  SELECT id, 100000, 'winner', now() FROM economy_deltacrownwallet WHERE id <= 5`);
    mapping = JSON.parse(deltacrown.read('trueup.config.json').toString()) as Mapping;
    trueup = await db.trueup({ config: mapping });
    await trueup.installSync();
    await trueup.reconcile({ all: true });
    expect(await findings(trueup)).toEqual([]);
  });

  test(`the caches follow every writer${DJANGO_NOTE}`, async () => {
    const before = await entries();
    const place = {
      db,
      ledger: 'public.economy_deltacrowntransaction',
      wallets: WALLETS,
      more: { note: `''`, created_at: 'now()' },
    };
    const written = await allAtOnce(await everyWriter(place, trueup, 'deltacrown', mapping));
    await expectNoDrift(trueup, WALLETS);
    expect(await entries()).toEqual({
      entries: before.entries + written.entries,
      coins: before.coins + written.coins,
    });
  });

  // W6: what the guard is there for.
  test.skipIf(!hasDjango)(
    'a Django model that saves stale rows leaves no finding where the guard keeps the caches',
    async () => {
      await trueup.installSync({ guard: 'keep' });
      await saveStaleRows();
      expect(await findings(trueup)).toEqual([]);
      await expectNoDrift(trueup, WALLETS);
    },
  );

  test.skipIf(!hasDjango)(
    'a Django model that saves stale rows makes drift without a guard, and reconcile repairs it',
    async () => {
      await trueup.installSync({ guard: 'off' });
      await saveStaleRows();
      const found = await findings(trueup);
      expect(found.length).toBeGreaterThan(0);
      expect(new Set(found.map(({ part }) => part))).toEqual(new Set(['wallet']));
      await trueup.reconcile({ all: true });
      await expectNoDrift(trueup, WALLETS);
    },
  );

  async function saveStaleRows(): Promise<void> {
    const work = { rounds: -10, seed: 3, wallets: WALLETS };
    const written = await (await startDjango('deltacrown', db.url, work)).begin();
    expect(written.entries).toBe(10);
  }

  async function entries(): Promise<{ entries: number; coins: number }> {
    const [row] = await db.rows<{ entries: number; coins: number }>(
      'SELECT count(*)::int AS entries, sum(amount)::int AS coins FROM economy_deltacrowntransaction',
    );
    return row ?? { entries: 0, coins: 0 };
  }
});
