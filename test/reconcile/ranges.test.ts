import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import type { Trueup } from '../../src/index.js';
import { Database } from '../../src/postgres/database.js';
import {
  oldestUnverified,
  readRanges,
  settleClock,
  verifiedAll,
  verifiedBeginning,
  type Verifier,
} from '../../src/reconcile/ranges.js';
import { createDatabase } from '../support/database.js';

/** Which wallets were verified when: ranges that cover all ids and never overlap. */

const db = await createDatabase('own');
const LEDGER = '"trueup"."entries"';
const trueup: Trueup = await db.trueup();
const database = await Database.open({
  connection: { connectionString: db.url },
  applicationName: 'test',
});
afterAll(() => database.close());

beforeEach(async () => {
  await db.run('TRUNCATE trueup.verified_ranges');
});

function by(runId = randomUUID(), at = 'now'): Verifier {
  return { ledger: LEDGER, runId, at };
}

interface Row {
  above: string | null;
  up_to: string | null;
  wallets: string;
  coins: string;
}

/** The ranges from the first to the last, each beginning where the one before it ends. */
async function chain(): Promise<Row[]> {
  const rows = await db.rows<Row & { above: string | null; up_to: string | null }>(
    'SELECT above, up_to, wallets::text, coins::text FROM trueup.verified_ranges',
  );
  const byStart = new Map(rows.map((row) => [row.above, row]));
  const inOrder: Row[] = [];
  for (let at: string | null = null; ;) {
    const row = byStart.get(at);
    if (row === undefined) throw new Error(`no range begins after ${String(at)}`);
    inOrder.push(row);
    if (row.up_to === null) break;
    if (at !== null && Number(row.up_to) <= Number(at))
      throw new Error('a range ends before it begins');
    at = row.up_to;
  }
  expect(inOrder).toHaveLength(rows.length);
  return inOrder;
}

const all = { above: undefined, upTo: undefined };

async function makeWallets(count: number): Promise<void> {
  await db.run('DELETE FROM trueup.wallets');
  await db.run(
    'INSERT INTO trueup.wallets (id, balance) SELECT n, n FROM generate_series(1, $1::int) AS n',
    [count],
  );
}

describe('ranges', () => {
  test('nothing was ever verified at first', async () => {
    expect(await readRanges(database, LEDGER)).toEqual([]);
    expect(await oldestUnverified(database, LEDGER)).toBeNull();
  });

  test('a full run makes one range of all, with what the wallets hold', async () => {
    await makeWallets(10);
    await verifiedAll(database, trueup.mapping, by());
    await verifiedBeginning(database, trueup.mapping, by(), all, '4');
    await verifiedAll(database, trueup.mapping, by());
    expect(await chain()).toEqual([{ above: null, up_to: null, wallets: '10', coins: '55' }]);
  });

  test('a slice takes the beginning off a range, and goes on where it stopped', async () => {
    await makeWallets(10);
    await verifiedAll(database, trueup.mapping, by(randomUUID(), '2026-01-01'));
    const slice = by();
    await verifiedBeginning(database, trueup.mapping, slice, all, '3');
    await verifiedBeginning(database, trueup.mapping, slice, { above: '3', upTo: undefined }, '5');
    expect(await chain()).toEqual([
      { above: null, up_to: '5', wallets: '5', coins: '15' },
      { above: '5', up_to: null, wallets: '5', coins: '40' },
    ]);
    // The next one begins where the longest unverified range does.
    expect((await readRanges(database, LEDGER))[0]).toMatchObject({ above: '5', upTo: undefined });
    await verifiedBeginning(
      database,
      trueup.mapping,
      by(),
      { above: '5', upTo: undefined },
      undefined,
    );
    expect(await chain()).toHaveLength(2);
    expect(await oldestUnverified(database, LEDGER)).toBeLessThan(600);
  });

  test('a range that somebody else has changed is not recorded', async () => {
    await makeWallets(10);
    await verifiedAll(database, trueup.mapping, by());
    expect(await verifiedBeginning(database, trueup.mapping, by(), all, '3')).toBe(true);
    const before = await chain();
    expect(await verifiedBeginning(database, trueup.mapping, by(), all, '7')).toBe(false);
    expect(await chain()).toEqual(before);
  });

  test('two who record the same range at once leave one of them out', async () => {
    await makeWallets(10);
    await verifiedAll(database, trueup.mapping, by());
    const done = await Promise.all(
      ['2', '4', '6', '8'].map((end) =>
        verifiedBeginning(database, trueup.mapping, by(), all, end),
      ),
    );
    expect(done.filter(Boolean)).toHaveLength(1);
    expect(await chain()).toHaveLength(2);
  });

  test('whatever slices and full runs do, the ranges cover all ids and never overlap', async () => {
    const step = fc.record({
      full: fc.integer({ min: 0, max: 9 }).map((number) => number === 0),
      range: fc.nat(),
      end: fc.nat(),
      sameRun: fc.boolean(),
      wallets: fc.option(fc.integer({ min: 0, max: 30 })),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        await makeWallets(20);
        await verifiedAll(database, trueup.mapping, by());
        let run = by();
        for (const { full, range, end, sameRun, wallets } of steps) {
          if (wallets !== null) await makeWallets(wallets);
          if (!sameRun) run = by();
          if (full) {
            await verifiedAll(database, trueup.mapping, run);
            continue;
          }
          const ranges = await readRanges(database, LEDGER);
          const chosen = ranges[range % ranges.length] ?? all;
          const low = Number(chosen.above ?? 0);
          const high = chosen.upTo === undefined ? low + 10 : Number(chosen.upTo);
          const to = low + 1 + (end % (high - low));
          const whole = to === high;
          expect(
            await verifiedBeginning(
              database,
              trueup.mapping,
              run,
              chosen,
              whole ? chosen.upTo : String(to),
            ),
          ).toBe(true);
          await chain();
        }
      }),
      { numRuns: 25 },
    );
  }, 120_000);
});

describe('the clock', () => {
  test('a clock that is put back leaves no range that is never due', async () => {
    await makeWallets(10);
    await verifiedAll(database, trueup.mapping, by());
    // As if the clock had been a year ahead.
    await db.run(`UPDATE trueup.verified_ranges SET verified_at = now() + interval '1 year'`);
    expect(await oldestUnverified(database, LEDGER)).toBe(0);
    await settleClock(database, LEDGER);
    expect(
      await db.value<boolean>(
        'SELECT bool_and(verified_at <= clock_timestamp()) FROM trueup.verified_ranges',
      ),
    ).toBe(true);
  });

  test('the age counts from when a run began to look', async () => {
    await makeWallets(10);
    await verifiedAll(database, trueup.mapping, by(randomUUID(), '2026-01-01 03:00Z'));
    const at = await db.value('SELECT min(verified_at)::text FROM trueup.verified_ranges');
    expect(new Date(at).toISOString()).toBe('2026-01-01T03:00:00.000Z');
    const passed = await db.value<number>(
      `SELECT extract(epoch FROM now() - '2026-01-01 03:00Z'::timestamptz)::float8`,
    );
    const oldest = await oldestUnverified(database, LEDGER);
    expect(Math.abs((oldest ?? 0) - passed)).toBeLessThan(60);
  });
});
