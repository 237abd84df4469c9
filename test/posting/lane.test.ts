import { afterAll, expect, test } from 'vitest';
import type { PostItem, PreparedItem } from '../../src/core/posting/request.js';
import { Poster, POSTER_DEFAULTS } from '../../src/ledger/poster.js';
import { Database } from '../../src/postgres/database.js';
import { createDatabase } from '../support/database.js';

/** A lane that meets a fault of the program itself answers its callers, and works on. */

const db = await createDatabase('own');
const trueup = await db.trueup();
const walletId = await trueup.openWallet({});
const database = await Database.open({
  connection: { connectionString: db.url },
  applicationName: 'lane',
});
afterAll(() => database.close());

const credit: PostItem = { type: 'credit', walletId, amount: 5n, reason: 'winner' };
const prepared = (item: PostItem): PreparedItem => ({ item, metadata: null, newHoldId: '' });

/** An item that can be queued, and breaks whoever works on it. */
function broken(): PostItem {
  let reads = 0;
  return Object.defineProperty({ ...credit }, 'type', {
    get: () => {
      reads += 1;
      if (reads > 1) throw new Error('a fault');
      return 'credit';
    },
  });
}

test('the call at fault is rejected, and those after it are posted', async () => {
  const poster = new Poster(database, trueup.mapping, { ...POSTER_DEFAULTS, lanes: 1 });
  await expect(poster.post([prepared(broken())])).rejects.toMatchObject({
    code: 'database_failed',
    message: 'a fault',
  });
  expect(await poster.post([prepared(credit)])).toMatchObject([{ balanceAfter: 5n }]);
  await poster.close();
});
