import { afterAll, beforeAll, expect, test } from 'vitest';
import { OWN_MAPPING } from '../../src/index.js';
import { complaints } from '../doctor/support.js';
import { createDatabase } from '../support/database.js';
import { build, killPrograms } from '../support/program.js';
import { brokenPromises } from '../support/promises.js';
import { allAtOnce, DJANGO_NOTE, everyWriter, expectNoDrift } from './many.js';

/** Trueup's own tables, under the library, plain SQL, COPY and two ORMs at once. */

const db = await createDatabase('own');
beforeAll(build);
afterAll(killPrograms);

test(`every promise holds${DJANGO_NOTE}`, async () => {
  const trueup = await db.trueup();
  const wallets: string[] = [];
  for (let user = 1; user <= 8; user += 1) {
    const walletId = await trueup.openWallet({ userId: `user ${String(user)}` });
    await trueup.credit({ walletId, amount: 1_000_000, reason: 'winner' });
    wallets.push(walletId);
  }
  const place = { db, ledger: 'trueup.entries', wallets, more: {} };
  const written = await allAtOnce(await everyWriter(place, trueup, 'own', undefined));
  await expectNoDrift(trueup, wallets);
  expect(await brokenPromises(db, trueup)).toEqual([]);
  expect(
    await db.rows(
      'SELECT count(*)::int AS entries, sum(amount)::int - 8000000 AS coins FROM trueup.entries',
    ),
  ).toEqual([{ entries: written.entries + 8, coins: written.coins }]);
  expect(await complaints({ db, config: OWN_MAPPING })).toEqual([]);
});
