import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { openTrueup, OWN_MAPPING, type Trueup } from '../../src/index.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { Program, build, built, killPrograms } from '../support/program.js';
import { brokenPromises } from '../support/promises.js';

/**
 * kill -9 of the program and of PostgreSQL in the middle of a load: what was acknowledged is there,
 * exactly once, nothing is half there, and nothing has drifted.
 */

/**
 * Posts `total` things from 40 callers: credits, transfers and holds in turn. What was acknowledged
 * it prints: number, kind, id.
 */
const LOAD = `
  import { openTrueup, OWN_MAPPING } from ${built('index.js')};
  const [where, keys, total] = process.argv.slice(1);
  const place = where.startsWith('/') ? { home: where, databaseUrl: '' } : { databaseUrl: where };
  const trueup = await openTrueup({ ...place, config: OWN_MAPPING, healer: false });
  const [alice, treasury] = ['1', '2'];
  let next = 0;
  const caller = async () => {
    for (let n = (next += 1); n <= Number(total); n = (next += 1)) {
      const more = { reason: 'correction', ...(keys === '' ? {} : { idempotencyKey: keys + n }) };
      const done =
        n % 3 === 0
          ? await trueup.credit({ walletId: alice, amount: 1n, ...more })
          : n % 3 === 1
            ? await trueup.transfer({ from: { walletId: treasury }, to: { walletId: alice }, amount: 1n, ...more })
            : await trueup.hold({ walletId: treasury, amount: 1n, ...more });
      if (done.status === 'refused') throw new Error(done.message);
      process.stdout.write([n, done.status, done.entryId ?? done.hold.holdId].join(' ') + '\\n');
    }
  };
  await Promise.all(Array.from({ length: 40 }, caller));
  await trueup.close();`;

const CALLERS = 40;
const databases = { '': await createDatabase('own'), k: await createDatabase('own') };

beforeAll(build);
afterEach(killPrograms);

async function prepare(trueup: Trueup): Promise<void> {
  await trueup.openWallet({ userId: 'alice' });
  await trueup.openWallet({ allowOverdraft: true });
}

type Rows = Pick<TestDatabase, 'rows'>;

interface Acknowledged {
  readonly number: number;
  readonly id: string;
}

function acknowledged(program: Program): Acknowledged[] {
  return program.lines().map((line) => {
    const [number = '', , id = ''] = line.split(' ');
    return { number: Number(number), id };
  });
}

/** Ids of postings and holds that are there: of a transfer the entry that is told, of whoever pays. */
async function ids(db: Rows): Promise<string[]> {
  const rows = await db.rows<{ id: string }>(
    `SELECT id::text FROM trueup.entries WHERE counterparty_wallet_id IS NULL OR amount < 0
     UNION ALL SELECT id::text FROM trueup.holds`,
  );
  return rows.map(({ id }) => id);
}

/** Acknowledged is there, once; of the rest there can be what each caller had under way. */
async function expectOnce(db: Rows, trueup: Trueup, acks: Acknowledged[]): Promise<void> {
  const there = await ids(db);
  expect(new Set(acks.map(({ id }) => id)).size).toBe(acks.length);
  expect(acks.filter(({ id }) => !there.includes(id))).toEqual([]);
  expect(there.length).toBeLessThanOrEqual(acks.length + CALLERS);
  expect(await brokenPromises(db, trueup)).toEqual([]);
}

describe('kill -9 of the program', () => {
  test.each([
    ['without keys', ''],
    ['with keys', 'k'],
  ] as const)('%s', async (_, keys) => {
    const db = databases[keys];
    const trueup = await db.trueup();
    await prepare(trueup);
    const program = new Program(LOAD, db.url, keys, '1000000');
    await program.printed(600);
    await program.kill();
    // What it had begun, the server may still be at work on.
    await vi.waitUntil(async () => (await sessions(db)) === '0', { interval: 5 });
    const acks = acknowledged(program);
    await expectOnce(db, trueup, acks);
    if (keys === '') return;

    // Started again, it repeats all it did: what was there is told again, the rest is posted.
    const total = Math.max(...acks.map(({ number }) => number));
    const again = new Program(LOAD, db.url, keys, String(total));
    expect([await again.ended, again.complaints]).toEqual([0, '']);
    const told = new Map(acknowledged(again).map(({ number, id }) => [number, id]));
    expect(told.size).toBe(total);
    expect(acks.filter(({ number, id }) => told.get(number) !== id)).toEqual([]);
    const there = await ids(db);
    expect(new Set(there).size).toBe(there.length);
    expect(there.length).toBeGreaterThanOrEqual(total);
    expect(there.length).toBeLessThanOrEqual(total + CALLERS);
    expect(await brokenPromises(db, trueup)).toEqual([]);
  });
});

function sessions(db: TestDatabase): Promise<string> {
  return db.value(
    `SELECT count(*) FROM pg_stat_activity
      WHERE datname = current_database() AND application_name = 'trueup' AND pid <> pg_backend_pid()
        AND state <> 'idle'`,
  );
}

/** An embedded server of its own, in a folder that goes away, with what works on it. */
async function onOwnServer(
  work: (home: string, reopen: () => Promise<{ trueup: Trueup; db: Rows }>) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'trueup-crash-'));
  chmodSync(folder, 0o755);
  const home = join(folder, 'home');
  const options = { home, databaseUrl: '', config: OWN_MAPPING, healer: false } as const;
  const pool = new pg.Pool({ host: join(home, 'run'), user: 'trueup', database: 'trueup', max: 2 });
  pool.on('error', () => undefined);
  let reopened: Trueup | undefined;
  try {
    const first = await openTrueup(options);
    await prepare(first);
    await first.close();
    await work(home, async () => {
      reopened = await openTrueup(options);
      const rows: Rows['rows'] = async <Row extends pg.QueryResultRow>(
        text: string,
        values?: unknown[],
      ) => (await pool.query<Row>(text, values)).rows;
      return { trueup: reopened, db: { rows } };
    });
  } finally {
    await killPrograms();
    await pool.end();
    await reopened?.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

function killServer(home: string): void {
  process.kill(
    Number.parseInt(readFileSync(join(home, 'data', 'postmaster.pid'), 'utf8'), 10),
    'SIGKILL',
  );
}

describe('kill -9 of PostgreSQL', () => {
  test.each([
    ['without keys', ''],
    ['with keys', 'k'],
  ])('%s: every call is answered after the restart, and posts once', async (_, keys) => {
    await onOwnServer(async (home, reopen) => {
      const program = new Program(LOAD, home, keys, '1500');
      await program.printed(300);
      killServer(home);
      expect(program.lines().length).toBeLessThan(1_500);
      const { trueup, db } = await reopen();
      expect([await program.ended, program.complaints]).toEqual([0, '']);
      const acks = acknowledged(program);
      expect(acks).toHaveLength(1_500);
      const there = await ids(db);
      expect(there.sort()).toEqual(acks.map(({ id }) => id).sort());
      expect(await brokenPromises(db, trueup)).toEqual([]);
      expect(await trueup.getBalanceDrift('1')).toMatchObject({
        hasDrift: false,
        ledgerBalance: 1_000n,
      });
    });
  });

  test('and of the program with it: what was acknowledged is there', async () => {
    await onOwnServer(async (home, reopen) => {
      const program = new Program(LOAD, home, '', '1000000');
      await program.printed(600);
      killServer(home);
      await program.kill();
      const { trueup, db } = await reopen();
      await expectOnce(db, trueup, acknowledged(program));
    });
  });
});
