import { beforeEach, expect, test, vi } from 'vitest';
import type { Trueup } from '../../src/index.js';
import { clientQueryable, type Queryable } from '../../src/postgres/database.js';
import { noticeGaps } from '../../src/sync/gaps.js';
import { createDatabase } from '../support/database.js';
import { createEconomy, type Economy } from '../support/economy.js';

/** Spans of time in which nobody followed a ledger are written down by whoever looks. */

const db = await createDatabase('empty');
let economy: Economy;
let trueup: Trueup;
let session: Queryable;

beforeEach(async () => {
  await db.run('DROP SCHEMA IF EXISTS trueup CASCADE; DROP SCHEMA IF EXISTS app CASCADE');
  economy = await createEconomy(db, 1);
  trueup = await db.trueup({ config: economy.mapping });
  session = clientQueryable(await db.connect());
});

interface Gap {
  readonly what: string;
  readonly ended: boolean;
  readonly [column: string]: unknown;
}

const gaps = (): Promise<Gap[]> =>
  db.rows<Gap>('SELECT what, ended_at IS NOT NULL AS ended FROM trueup.sync_gaps ORDER BY id');
const look = (lastSeenAt?: string): Promise<object> =>
  noticeGaps(session, trueup.mapping, lastSeenAt);
const seen = (): Promise<string> =>
  db.value('SELECT last_seen_at::text FROM trueup.sync_gaps ORDER BY id DESC LIMIT 1');
const DISABLE = 'ALTER TABLE app.ledger DISABLE TRIGGER trueup_sync';
const ENABLE = 'ALTER TABLE app.ledger ENABLE TRIGGER trueup_sync';

test('a ledger that was never given triggers misses none', async () => {
  expect(await look()).toMatchObject({ state: 'unwatched', noticed: null });
  expect(await gaps()).toEqual([]);
});

test.each([
  ['disabled', DISABLE],
  ['missing', 'DROP TRIGGER trueup_sync ON app.ledger'],
  ['disabled', 'ALTER TABLE app.ledger DISABLE TRIGGER ALL'],
  ['disabled', 'ALTER TABLE app.ledger ENABLE REPLICA TRIGGER trueup_sync'],
])('%s triggers are noticed once, and so is their return: %s', async (state, fault) => {
  await trueup.installSync();
  expect(await look()).toMatchObject({ state: 'present', noticed: null });
  await db.run(fault);
  expect(await look()).toMatchObject({ state, noticed: 'opened' });
  expect(await look()).toMatchObject({ state, noticed: null });
  expect(await gaps()).toEqual([{ what: state, ended: false }]);
  await trueup.installSync();
  await look();
  expect(await look()).toMatchObject({ state: 'present', noticed: null });
  expect(await gaps()).toEqual([{ what: state, ended: true }]);
});

test('it begins when they were last known to be there: by whoever watched, or by the records', async () => {
  await trueup.installSync();
  await db.run(DISABLE);
  await look();
  expect(await seen()).toBe(
    await db.value('SELECT installed_at::text FROM trueup.sync_installations'),
  );
  await db.run(ENABLE);
  await look();
  const ended = await db.value('SELECT max(ended_at)::text FROM trueup.sync_gaps');
  await db.run(DISABLE);
  await look();
  expect(await seen()).toBe(ended);
  await db.run(`TRUNCATE trueup.sync_gaps; ${ENABLE}`);
  const { at } = (await look()) as { at: string };
  await db.run(DISABLE);
  await look(at);
  expect(await seen()).toBe(at);
});

test('many look at once: one gap', async () => {
  await trueup.installSync();
  await db.run(DISABLE);
  const others = await Promise.all([1, 2, 3, 4].map(() => db.connect()));
  await Promise.all(others.map((client) => noticeGaps(clientQueryable(client), trueup.mapping)));
  expect(await gaps()).toHaveLength(1);
});

test('the healer of a long-running process looks by itself', async () => {
  await trueup.installSync();
  await db.run(DISABLE);
  const running = await db.trueup({ config: economy.mapping, healer: true });
  await vi.waitUntil(async () => (await gaps()).length === 1, { timeout: 10_000, interval: 5 });
  await running.close();
});

test('a run that writes looks before it begins, a dry run leaves no trace', async () => {
  await trueup.installSync();
  await db.run(DISABLE);
  await trueup.reconcile({ all: true, dryRun: true });
  expect(await gaps()).toEqual([]);
  await trueup.reconcile({ all: true });
  expect(await gaps()).toEqual([{ what: 'disabled', ended: false }]);
});
