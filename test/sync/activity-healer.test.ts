import { once } from 'node:events';
import { beforeEach, expect, test, vi } from 'vitest';
import type { Mapping, Trueup } from '../../src/index.js';
import { createActivity, events, expected } from '../support/activity.js';
import { createDatabase } from '../support/database.js';

/** Events that were missed are written in the background by every Trueup that is open with a healer. */

const db = await createDatabase('empty');
const DEADLINE = { timeout: 30_000, interval: 10 };
let mapping: Mapping;

beforeEach(async () => {
  ({ mapping } = await createActivity(db, 6));
  await (await db.trueup({ config: mapping })).installSync();
  await db.run('TRUNCATE trueup.activity_failures, trueup.sync_failures');
});

const running = (applicationName = 'running'): Promise<Trueup> =>
  db.trueup({ config: mapping, healer: true, applicationName });

const credit = (...wallets: number[]): Promise<void> =>
  db.run('INSERT INTO app.ledger (wallet_id, amount) SELECT w, 5 FROM unnest($1::bigint[]) AS w', [
    wallets,
  ]);

/** Entries whose events cannot be written, because there is no table for them in that instant. */
async function miss(...wallets: number[]): Promise<void> {
  await db.run('ALTER TABLE app.activity RENAME TO gone');
  await credit(...wallets);
  await db.run('ALTER TABLE app.gone RENAME TO activity');
}

const open = (): Promise<string> =>
  db.value('SELECT count(*) FROM trueup.activity_failures WHERE healed_at IS NULL');

const allWritten = (): Promise<boolean> =>
  vi.waitUntil(async () => (await open()) === '0', DEADLINE);

/** What the healer has told, until it says that so many were written. */
function healed(trueup: Trueup, wanted: number): Promise<void> {
  let sum = 0;
  return new Promise((resolve) => {
    trueup.on('heal', (result) => {
      sum += result.healed;
      if (sum >= wanted) resolve();
    });
  });
}

test('an event that was missed while a healer runs is written, without being asked', async () => {
  const trueup = await running();
  const told = healed(trueup, 3);
  await miss(1, 2, 1);
  await told;
  expect(await events(db)).toEqual(await expected(db));
  expect(await open()).toBe('0');
  await trueup.close();
});

test('the commit of the entry wakes the healer', async () => {
  const listener = await db.connect();
  await listener.query('LISTEN trueup_sync_failure');
  const notified = once(listener, 'notification');
  await miss(1);
  await notified;
});

test('an event that was missed while nobody ran is written by who comes next', async () => {
  await miss(1, 2, 3);
  await credit(4);
  expect(await open()).toBe('3');
  const trueup = await running();
  await allWritten();
  expect(await events(db)).toEqual(await expected(db));
  await trueup.close();
});

test('what fails is told, put off, and written once it is due and can be', async () => {
  const trueup = await running();
  const told = once(trueup, 'heal');
  await db.run('ALTER TABLE app.activity RENAME TO gone');
  await credit(1, 2);
  expect(await told).toEqual([{ healed: 0, failed: 2 }]);
  const put = await db.rows(
    `SELECT attempts > 0 AS tried, next_attempt_at > failed_at AS later, last_error FROM trueup.activity_failures`,
  );
  const off = {
    tried: true,
    later: true,
    last_error: expect.stringContaining('app.activity') as string,
  };
  expect(put).toEqual([off, off]);
  await db.run(`ALTER TABLE app.gone RENAME TO activity;
                UPDATE trueup.activity_failures SET next_attempt_at = now()`);
  await allWritten();
  expect(await events(db)).toEqual(await expected(db));
  await trueup.close();
});

test('a profile and an event that were missed in one commit are both made good', async () => {
  const trueup = await running();
  const told = healed(trueup, 2);
  await db.run(`ALTER TABLE app.profile ADD CONSTRAINT nothing_goes CHECK (false) NOT VALID`);
  await miss(1);
  await db.run('ALTER TABLE app.profile DROP CONSTRAINT nothing_goes');
  await db.run('UPDATE trueup.sync_failures SET next_attempt_at = now()');
  await told;
  expect(await events(db)).toEqual(await expected(db));
  expect(await db.value('SELECT shown::text FROM app.profile WHERE id = 101')).toBe('5.00');
  await trueup.close();
});

test('several programs heal while others write: each event once, without any unique index', async () => {
  const programs = await Promise.all(['one', 'two', 'three'].map(running));
  for (let round = 0; round < 10; round += 1) {
    await miss(1, 2, 3, 4, 5, 6);
    await credit(6, 5, 4);
  }
  await allWritten();
  expect(await events(db)).toEqual(await expected(db));
  await Promise.all(programs.map((one) => one.close()));
});

test('a healer that is ended while it writes has written nothing, and the next pass does it once', async () => {
  await miss(1, 2, 3);
  const other = await db.connect();
  await other.query('BEGIN; LOCK TABLE app.activity');
  const trueup = await running('to be ended');
  const told = once(trueup, 'healerError');
  await vi.waitUntil(async () => {
    const ended = await db.rows(
      `SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
        WHERE application_name = 'to be ended' AND datname = current_database() AND wait_event_type = 'Lock'`,
    );
    return ended.length === 1;
  }, DEADLINE);
  await told;
  expect(await open()).toBe('3');
  await other.query('ROLLBACK');
  await db.run('UPDATE trueup.activity_failures SET next_attempt_at = now()');
  await allWritten();
  expect(await events(db)).toEqual(await expected(db));
  await trueup.close();
});

test('a Trueup without a healer, and one that only reads, leave it as it is', async () => {
  await miss(1);
  for (const options of [{ healer: false }, { readOnly: true }]) {
    const quiet = await db.trueup({ config: mapping, ...options });
    expect((await quiet.syncStatus()).waitingActivity).toBe(1);
    await quiet.close();
  }
  expect(await open()).toBe('1');
  expect(await events(db)).toEqual([]);
});
