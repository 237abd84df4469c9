import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterEach, expect, test } from 'vitest';
import { openTrueup, OWN_MAPPING, type Trueup } from '../../src/index.js';
import { makeFolder } from '../support/folder.js';

/** connectionString of the embedded server: pg, psql and a second Trueup find the database by it. */

const folder = makeFolder('embedded url \u00e4&?#%');
const opened: Trueup[] = [];
afterEach(async () => {
  for (const trueup of opened.splice(0).reverse()) await trueup.close();
  rmSync(folder, { recursive: true, force: true });
});

async function open(options: Parameters<typeof openTrueup>[0]): Promise<Trueup> {
  const trueup = await openTrueup({ config: OWN_MAPPING, healer: false, ...options });
  opened.push(trueup);
  return trueup;
}

test('whatever the folder and the database are called', async () => {
  const place = {
    databaseUrl: '',
    home: join(folder, 'home'),
    embeddedDatabase: 'my/d%b :@\u00e4',
  };
  const trueup = await open(place);
  const walletId = await trueup.openWallet({ userId: 'ada' });

  const client = new pg.Client({ connectionString: trueup.connectionString });
  await client.connect();
  await client.query('BEGIN');
  const credit = { walletId, amount: 5n, reason: 'winner' };
  expect(await trueup.within(client).credit(credit)).toMatchObject({ balanceAfter: 5n });
  await client.query('COMMIT');
  const { rows } = await client.query('SELECT current_database() AS name');
  expect(rows).toEqual([{ name: 'my/d%b :@\u00e4' }]);
  await client.end();

  const second = await open({ databaseUrl: trueup.connectionString });
  expect(await second.balance({ userId: 'ada' })).toMatchObject({ balance: 5n });

  const shown = 'SELECT balance FROM trueup.wallets';
  const psql = spawnSync('psql', ['-XAt', '-c', shown, trueup.connectionString], {
    encoding: 'utf8',
  });
  if (psql.error === undefined) expect(psql).toMatchObject({ status: 0, stdout: '5\n' });
});
