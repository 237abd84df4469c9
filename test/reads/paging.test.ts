import { expect, test } from 'vitest';
import type { Trueup } from '../../src/index.js';
import { before } from '../../src/ledger/reads/moment-statements.js';
import { readStretch } from '../../src/ledger/reads/stretch.js';
import type { Queryable, Statement } from '../../src/postgres/database.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { adopt, allEntries, fill, jsonOf } from './support.js';

/** Pages of history: whole while entries are written, and of the same cost however long it is. */

const own = await createDatabase('own');
const db = await createDatabase('empty');
const trueup = await own.trueup();

/** Writes one entry after the other until it is told to stop. */
function writing(write: () => Promise<unknown>): () => Promise<void> {
  const state = { stopped: false };
  const writer = (async (): Promise<void> => {
    while (!state.stopped) await write();
  })();
  return async () => {
    state.stopped = true;
    await writer;
  };
}

async function writeMeanwhile(
  target: Trueup,
  walletId: string,
  work: () => Promise<void>,
): Promise<void> {
  const writers = [1, 2, 3].map(() =>
    writing(() => target.credit({ walletId, amount: 1n, reason: 'winner' })),
  );
  try {
    await work();
  } finally {
    await Promise.all(writers.map((stop) => stop()));
  }
}

test('newest first, while entries are written: none twice, none missed', async () => {
  const walletId = await trueup.openWallet({});
  await fill(own, walletId, 300);
  await writeMeanwhile(trueup, walletId, async () => {
    for (const limit of [1, 7, 50]) {
      const entries = await allEntries(trueup, { walletId, limit });
      const newest = Number(entries[0]?.sequence);
      expect(newest).toBeGreaterThanOrEqual(300);
      expect(entries.map(({ sequence }) => Number(sequence))).toEqual(
        [...Array(newest).keys()].map((n) => newest - n),
      );
    }
  });
});

test('oldest first, while entries are written: none twice, none missed', async () => {
  const walletId = await trueup.openWallet({});
  await fill(own, walletId, 200);
  await writeMeanwhile(trueup, walletId, async () => {
    const entries = await allEntries(trueup, { walletId, limit: 40, order: 'oldest' });
    expect(entries.length).toBeGreaterThanOrEqual(200);
    expect(entries.map(({ sequence }) => Number(sequence))).toEqual(entries.map((_, n) => n + 1));
  });
});

test('adopted tables, newest first, while entries are written', async () => {
  const { trueup: adopted } = await adopt(db, 1);
  await db.run(
    `INSERT INTO app.ledger (wallet_id, amount) SELECT 1, 5 FROM generate_series(1, 100)`,
  );
  await writeMeanwhile(adopted, '1', async () => {
    const before = await db.rows<{ id: string }>('SELECT id::text FROM app.ledger');
    const entries = await allEntries(adopted, { walletId: '1', limit: 7 });
    const ids = entries.map(({ entryId }) => Number(entryId));
    expect(ids).toEqual([...new Set(ids)].sort((left, right) => right - left));
    expect(new Set(ids)).toEqual(new Set([...ids, ...before.map(({ id }) => Number(id))]));
  });
});

test('a ledger whose numbers have gaps is shown whole all the same', async () => {
  const { mapping } = await adopt(db, 1, { foreignKeys: false });
  await db.run(`ALTER TABLE app.ledger ADD COLUMN seq bigint NOT NULL, ADD COLUMN writer xid8,
                  ALTER COLUMN after SET NOT NULL`);
  await db.run(
    `INSERT INTO app.ledger (wallet_id, amount, seq, after)
     SELECT 1, 5, 10 * n + 500 * (n / 30), 5 * n FROM generate_series(1, 90) AS n`,
  );
  const ledger = { ...mapping.ledger, sequence: 'seq', balanceAfter: 'after', writer: 'writer' };
  const adopted = await db.trueup({ config: { ...mapping, ledger } });
  expect(adopted.mapping.numbered).toBe(true);
  const expected = [...Array(90).keys()].map((n) => BigInt(5 * (n + 1)));
  for (const limit of [1, 7, 89, 90, 1_000]) {
    const newest = await allEntries(adopted, { walletId: '1', limit });
    expect(newest.map((entry) => entry.balanceAfter).reverse()).toEqual(expected);
    const oldest = await allEntries(adopted, { walletId: '1', limit, order: 'oldest' });
    expect(oldest.map((entry) => entry.balanceAfter)).toEqual(expected);
  }
  expect(await jsonOf(await adopted.statement({ walletId: '1', format: 'json' }))).toHaveLength(92);
});

interface Plan {
  readonly 'Shared Hit Blocks': number;
  readonly 'Shared Read Blocks': number;
}

/** Sends statements on, and adds up the blocks that they touch. */
class Counting implements Queryable {
  blocks = 0;
  readonly #db: TestDatabase;

  constructor(database: TestDatabase) {
    this.#db = database;
  }

  async query<Row extends object>({ text, values = [] }: Statement): Promise<readonly Row[]> {
    const [explained] = await this.#db.value<[{ Plan: Plan }]>(
      `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${text}`,
      [...values],
    );
    this.blocks += explained.Plan['Shared Hit Blocks'] + explained.Plan['Shared Read Blocks'];
    return this.#db.rows<Row & Record<string, string>>(text, [...values]);
  }
}

test('a page costs the same at the start, in the middle and at the end of a long history', async () => {
  // A planner that has never analyzed the table thinks little of the wallet, and would rather sort it.
  const fresh = await createDatabase('own');
  await fresh.run('ALTER TABLE trueup.entries SET (autovacuum_enabled = false)');
  const { mapping } = await fresh.trueup();
  await fresh.run('INSERT INTO trueup.wallets (id) VALUES (7)');
  const walletId = '7';
  await fill(fresh, walletId, 40_000);
  for (const analyzed of [false, true]) {
    if (analyzed) await fresh.run('VACUUM ANALYZE trueup.entries');
    for (const limit of [51, 1_001]) {
      for (const order of ['newest', 'oldest'] as const) {
        for (const beyond of [undefined, ['1200'], ['20000'], ['38800']]) {
          const counting = new Counting(fresh);
          const stretch = { walletId, order, limit, beyond };
          expect(await readStretch(counting, mapping, stretch)).toHaveLength(limit);
          expect(counting.blocks, JSON.stringify(stretch)).toBeLessThan(20 + limit / 5);
        }
      }
    }
    const counting = new Counting(fresh);
    await counting.query(before(mapping, walletId, Date.UTC(2024, 0, 28, 18)));
    expect(counting.blocks, 'a recent balance').toBeLessThan(100);
  }
});
