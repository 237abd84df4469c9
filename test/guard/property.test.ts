import fc from 'fast-check';
import type pg from 'pg';
import { expect, test } from 'vitest';
import { createDatabase } from '../support/database.js';
import { caches, createEconomy, truth } from '../support/economy.js';

/**
 * Random applications: what they do to the caches, in which transactions, several at once. Whatever it
 * is, under `keep` every cache ends as the ledger says.
 */

const db = await createDatabase('empty');
const WALLETS = 4;
const WRITERS = 4;
const economy = await createEconomy(db, WALLETS, { nullable: true });
const trueup = await db.trueup({ config: economy.mapping });
await trueup.installSync();
const clients = await Promise.all(
  Array.from({ length: WRITERS }, () =>
    // Deadlocks are common here, and found soon.
    db.connect({ options: '-c deadlock_timeout=20ms' }),
  ),
);

/** A row as an ORM has read it once, and may put back at any time. */
interface Stale {
  wallet?: Record<string, unknown> | undefined;
  profile?: Record<string, unknown> | undefined;
}

type Step = (client: pg.Client, stale: Stale) => Promise<unknown>;

const wallet = fc.integer({ min: 1, max: WALLETS });
const amount = fc.integer({ min: -50, max: 50 }).filter((n) => n !== 0);
const part = fc.constantFrom('wallet', 'profile');

const UPDATES = {
  wallet: (set: string, id: number) => `UPDATE app.wallet SET ${set} WHERE id = ${String(id)}`,
  profile: (set: string, id: number) =>
    `UPDATE app.profile SET ${set.replaceAll('balance', 'shown')} WHERE id = ${String(100 + id)}`,
};

function put(table: 'wallet' | 'profile', row: Record<string, unknown>): pg.QueryConfig {
  const columns = Object.keys(row).filter((name) => name !== 'id');
  const set = columns.map((name, n) => `${name} = $${String(n + 1)}`).join(', ');
  return {
    text: `UPDATE app.${table} SET ${set} WHERE id = $${String(columns.length + 1)}`,
    values: [...columns.map((name) => row[name]), row['id']],
  };
}

const step: fc.Arbitrary<{ says: string; run: Step }> = fc.oneof(
  fc
    .tuple(wallet, amount)
    .map(([w, a]) =>
      said(`INSERT INTO app.ledger (wallet_id, amount) VALUES (${String(w)}, ${String(a)})`),
    ),
  fc.array(fc.tuple(wallet, amount), { minLength: 2, maxLength: 5 }).map((rows) =>
    said(
      `INSERT INTO app.ledger (wallet_id, amount) VALUES ${[...rows]
        .sort(([a], [b]) => a - b)
        .map(([w, a]) => `(${String(w)}, ${String(a)})`)
        .join(', ')}`,
    ),
  ),
  fc
    .tuple(part, wallet, amount)
    .map(([p, w, a]) =>
      said(
        UPDATES[p](
          `balance = balance + ${String(a)}, earned = earned + greatest(0, ${String(a)})`,
          w,
        ),
      ),
    ),
  fc.tuple(part, wallet, amount).map(([p, w, a]) => said(UPDATES[p](`balance = ${String(a)}`, w))),
  fc.tuple(part, wallet).map(([p, w]) => said(UPDATES[p]('balance = NULL, earned = NULL', w))),
  fc
    .tuple(part, wallet)
    .map(([p, w]) =>
      said(
        UPDATES[p](
          `balance = (SELECT sum(amount) FROM app.ledger WHERE wallet_id = ${String(w)})`,
          w,
        ),
      ),
    ),
  fc.constant(said('UPDATE app.wallet SET balance = balance + 1')),
  fc.constant(said('UPDATE app.profile SET shown = 9, earned = 9, touched = now()')),
  fc.tuple(part, wallet).map(([p, w]) => ({
    says: `read ${p} ${String(w)}`,
    run: async (client: pg.Client, stale: Stale) => {
      const id = p === 'wallet' ? w : 100 + w;
      stale[p] = (
        await client.query<Record<string, unknown>>(`SELECT * FROM app.${p} WHERE id = $1`, [id])
      ).rows[0];
    },
  })),
  part.map((p) => ({
    says: `save ${p}`,
    run: async (client: pg.Client, stale: Stale) => {
      const row = stale[p];
      if (row !== undefined) await client.query(put(p, row));
    },
  })),
);

function said(text: string): { says: string; run: Step } {
  return { says: text, run: (client) => client.query(text) };
}

const transaction = fc.record({
  steps: fc.array(step, { minLength: 1, maxLength: 6 }),
  ends: fc.constantFrom('COMMIT', 'COMMIT', 'COMMIT', 'ROLLBACK', 'autocommit'),
});

/** One client's transactions, one after the other. Whoever meets a deadlock has rolled back: no harm. */
async function play(
  client: pg.Client,
  work: readonly { steps: readonly { run: Step }[]; ends: string }[],
): Promise<void> {
  const stale: Stale = {};
  for (const { steps, ends } of work) {
    try {
      if (ends !== 'autocommit') await client.query('BEGIN');
      for (const one of steps) await one.run(client, stale);
      if (ends !== 'autocommit') await client.query(ends);
    } catch (error) {
      await client.query('ROLLBACK');
      expect(error).toMatchObject({ code: '40P01' });
    }
  }
}

test('whatever applications do to the caches, the ledger decides', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(transaction, { minLength: 1, maxLength: 5 }), {
        minLength: 1,
        maxLength: WRITERS,
      }),
      async (writers) => {
        await Promise.all(
          clients.slice(0, writers.length).map((client, n) => play(client, writers[n] ?? [])),
        );
        await trueup.heal({ everything: true }); // A profile that was locked for too long follows later.
        expect(await caches(db, economy)).toEqual(await truth(db, economy));
      },
    ),
    {
      numRuns: 60,
      // Histories are as random as their interleaving, so shrinking would take long and tell little.
      endOnFailure: true,
    },
  );
}, 120_000);
