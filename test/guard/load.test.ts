import type pg from 'pg';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Trueup } from '../../src/index.js';
import { AS_ON_DISK, createDatabase } from '../support/database.js';
import { caches, createEconomy, truth, type Economy } from '../support/economy.js';

/** Installing and removing while an application works: nobody gets an error, and nobody waits long. */

const db = await createDatabase('empty');
const WRITERS = 8;
let economy: Economy;
let trueup: Trueup;

beforeEach(async () => {
  await db.run('DROP SCHEMA IF EXISTS app CASCADE; DROP SCHEMA IF EXISTS trueup CASCADE');
  economy = await createEconomy(db, WRITERS);
  trueup = await db.trueup({ config: economy.mapping });
});

/** The ways in which applications write an entry; `w` is the wallet, 100 + w the profile. */
const HABITS: Readonly<Record<string, (w: number) => string>> = {
  'entries alone': (w) => `INSERT INTO app.ledger (wallet_id, amount) VALUES (${String(w)}, 1)`,
  'the wallet first, then the entry, then the profile': (w) =>
    `BEGIN; UPDATE app.wallet SET balance = balance + 1, earned = earned + 1 WHERE id = ${String(w)};
     INSERT INTO app.ledger (wallet_id, amount) VALUES (${String(w)}, 1);
     UPDATE app.profile SET shown = shown + 1, earned = earned + 1 WHERE id = ${String(100 + w)}; COMMIT`,
  'the profile first, the entry last': (w) =>
    `BEGIN; UPDATE app.profile SET shown = shown + 1, earned = earned + 1 WHERE id = ${String(100 + w)};
     UPDATE app.wallet SET balance = balance + 1, earned = earned + 1 WHERE id = ${String(w)};
     INSERT INTO app.ledger (wallet_id, amount) VALUES (${String(w)}, 1); COMMIT`,
  'the entry first, then both caches': (w) =>
    `BEGIN; INSERT INTO app.ledger (wallet_id, amount) VALUES (${String(w)}, 1);
     UPDATE app.wallet SET balance = balance + 1, earned = earned + 1 WHERE id = ${String(w)};
     UPDATE app.profile SET shown = shown + 1, earned = earned + 1 WHERE id = ${String(100 + w)}; COMMIT`,
};

/** Lets every client do its work again and again until the other work is done. */
async function meanwhile(
  write: (w: number) => string,
  work: () => Promise<unknown>,
): Promise<{ errors: unknown[]; written: number; longest: number }> {
  const clients: pg.Client[] = await Promise.all(
    Array.from({ length: WRITERS }, () => db.connect(AS_ON_DISK)),
  );
  const told = { errors: [] as unknown[], written: 0, longest: 0 };
  const done = { value: false };
  const writing = clients.map(async (client, n) => {
    while (!done.value) {
      const started = performance.now();
      try {
        // One message for each statement: a transaction of an ORM is not one message.
        for (const text of write(n + 1).split(';')) await client.query(text);
        told.written += 1;
      } catch (error) {
        told.errors.push(error);
        await client.query('ROLLBACK');
      }
      told.longest = Math.max(told.longest, performance.now() - started);
    }
  });
  try {
    await work();
  } finally {
    done.value = true;
    await Promise.all(writing);
    await Promise.all(clients.map((client) => client.end()));
  }
  return told;
}

describe.each(Object.entries(HABITS))('%s', (name, write) => {
  test('install, install anew with other options, remove, and again', async () => {
    const told = await meanwhile(write, async () => {
      for (let round = 0; round < 3; round += 1) {
        await trueup.installSync({ guard: 'keep' });
        await trueup.installSync({ guard: 'record', protect: true });
        await trueup.installSync();
        await trueup.removeSync();
      }
    });
    expect(told.errors).toEqual([]);
    expect(told.written).toBeGreaterThan(WRITERS);
  });

  test('from the installation on, whatever was written stays right', async () => {
    await trueup.installSync();
    if (name === 'entries alone') await trueup.removeSync();
    const told = await meanwhile(write, async () => {
      await trueup.installSync();
      await trueup.reconcile({ all: true });
    });
    expect(told.errors).toEqual([]);
    expect(await caches(db, economy)).toEqual(await truth(db, economy));
  });
});

describe('somebody who does not end his transaction', () => {
  test('is named, nothing was changed, and others could write all the while', async () => {
    const idle = await db.connect({ application_name: 'the long report' });
    await idle.query('BEGIN; UPDATE app.wallet SET touched = now() WHERE id = 1');
    const write = (w: number): string =>
      `INSERT INTO app.ledger (wallet_id, amount) VALUES (${String(1 + (w % 7) + 1)}, 1)`;
    const refused: unknown[] = [];
    const told = await meanwhile(write, () =>
      trueup.installSync().catch((error: unknown) => refused.push(error)),
    );
    expect(refused).toMatchObject([
      {
        code: 'tables_busy',
        message: expect.stringMatching(
          /"app"\."ledger".*nothing was changed; .*the long report/,
        ) as string,
        hint: expect.any(String) as string,
      },
    ]);
    expect(told.errors).toEqual([]);
    expect(told.longest).toBeLessThan(2_000); // Each wait of the installation is short.
    expect(await trueup.syncStatus()).toMatchObject({ state: 'missing', guard: 'off' });
    await idle.query('ROLLBACK');
    await trueup.installSync();
  });

  test('who only reads does not hold an installation up', async () => {
    const reader = await db.connect();
    await reader.query('BEGIN; SELECT * FROM app.wallet; SELECT * FROM app.ledger FOR UPDATE');
    await trueup.installSync();
    await reader.query('ROLLBACK');
  });
});
