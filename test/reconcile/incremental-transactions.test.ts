import { beforeEach, expect, test } from 'vitest';
import type { ReconcileOptions, ReconcileWarning, Trueup } from '../../src/index.js';
import { warnOfLag } from '../../src/reconcile/warnings.js';
import { caches, truth, type Economy } from '../support/economy.js';
import { privateServer } from '../support/private-server.js';
import { bypassing, checkSince, verifiedEconomy, type Outcome } from '../support/verified.js';

/** Whatever a transaction changes is looked at, however early it began and however late it ended. */

// A server of its own: whoever else has a transaction open there would hold the watermark.
const server = await privateServer({ autovacuum: 'off', max_prepared_transactions: '4' });
const db = await server.database();
let economy: Economy;
let trueup: Trueup;

beforeEach(async () => {
  ({ economy, trueup } = await verifiedEconomy(db));
});

const check = (options?: ReconcileOptions): Promise<Outcome> => checkSince(trueup, options);
const inSync = async (): Promise<boolean> =>
  JSON.stringify(await caches(db, economy)) === JSON.stringify(await truth(db, economy));

test('an entry that took its id early and was committed late is not missed', async () => {
  const late = await db.connect({ options: '-c session_replication_role=replica' });
  await late.query('BEGIN; INSERT INTO app.ledger (wallet_id, amount) VALUES (70, 5)');
  await db.run('INSERT INTO app.ledger (wallet_id, amount) VALUES (50, 7)');
  const during = await check();
  expect(during.found).toEqual([]);
  expect(during.summary.watermarkLag).toMatchObject({
    prepared: null,
    transactions: expect.any(Number) as number,
  });
  await late.query('COMMIT');
  expect((await check()).found).toEqual(['70']);
  expect(await inSync()).toBe(true);
});

test('in a subtransaction as well', async () => {
  const late = await db.connect({ options: '-c session_replication_role=replica' });
  await late.query('BEGIN; SELECT pg_current_xact_id(); SAVEPOINT one');
  await late.query('INSERT INTO app.ledger (wallet_id, amount) VALUES (70, 5); RELEASE one');
  await check();
  await late.query('COMMIT');
  expect((await check()).found).toEqual(['70']);
});

test('an open transaction holds the watermark, and what came after it is looked at again', async () => {
  const open = await db.connect();
  await open.query('BEGIN; SELECT pg_current_xact_id()');
  const [{ pid } = { pid: 0 }] = (
    await open.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
  ).rows;
  await db.run('INSERT INTO app.ledger (wallet_id, amount) VALUES (50, 7)');
  const held = await check();
  expect(held.summary.watermarkLag?.pid).toBe(pid);
  expect(held.summary.checked).toBe(2);
  expect((await check()).summary.checked).toBe(2);
  await open.query('COMMIT');
  expect((await check()).summary.checked).toBe(2);
  expect((await check()).summary.checked).toBe(1);
});

test('rows that were frozen meanwhile are still seen', async () => {
  await bypassing(db, 'INSERT INTO app.ledger (wallet_id, amount) VALUES (70, 5)');
  await db.run('VACUUM FREEZE app.ledger');
  await db.run('VACUUM FREEZE app.wallet');
  expect((await check()).found).toEqual(['70']);
});

test('a prepared transaction holds the watermark as well', async () => {
  await db.run(`BEGIN; SET LOCAL session_replication_role = replica;
      INSERT INTO app.ledger (wallet_id, amount) VALUES (70, 5); PREPARE TRANSACTION 'forgotten'`);
  const held = await check();
  expect(held.found).toEqual([]);
  expect(held.summary.watermarkLag).toMatchObject({ pid: null, prepared: 'forgotten' });
  await db.run(`COMMIT PREPARED 'forgotten'`);
  expect((await check()).found).toEqual(['70']);
});

test('who has been open for long is told of', () => {
  const lag = { transactions: 1, seconds: 61, pid: 7, prepared: null };
  const watermark = { xid: '1', next: '2', at: '', systemId: null };
  const warnings: ReconcileWarning[] = [];
  const onWarning = (warning: ReconcileWarning): unknown => warnings.push(warning);
  warnOfLag({ ...watermark, lag: { ...lag, seconds: 59 } }, { onWarning });
  expect(warnings).toEqual([]);
  warnOfLag({ ...watermark, lag }, { onWarning });
  warnOfLag({ ...watermark, lag: { ...lag, pid: null, prepared: 'old' } }, { onWarning });
  expect(warnings.map(({ message }) => message)).toEqual([
    expect.stringContaining('process 7 has been open for 61 s'),
    expect.stringContaining('prepared transaction old'),
  ]);
});
