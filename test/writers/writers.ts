import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import { drizzle } from 'drizzle-orm/node-postgres';
import { bigint, pgSchema, pgTable, text, timestamp } from 'drizzle-orm/pg-core';
import { from as copyFrom } from 'pg-copy-streams';
import type { Trueup } from '../../src/index.js';
import { built, Program } from '../support/program.js';
import type { TestDatabase } from '../support/database.js';
import type { ReadyWriter, Written } from './django.js';

/** Writers of every kind, that all write to the same wallets at once. Each counts what it committed. */

/** Where they write. */
export interface Place {
  readonly db: TestDatabase;
  /** Quoted as SQL wants it. */
  readonly ledger: string;
  readonly wallets: readonly string[];
  /** Columns that the ledger wants besides wallet, amount and reason, with their SQL. */
  readonly more: Readonly<Record<string, string>>;
}

const AMOUNTS = [5, 7, 11, -2, -3] as const;

/** Numbers that look random and are the same in every run. */
export function chanceOf(seed: number): (below: number) => number {
  let state = (seed * 2654435761 + 1) >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

interface Row {
  readonly wallet: string;
  readonly amount: number;
}

function rowsOf(place: Place, chance: (below: number) => number, count: number): Row[] {
  return Array.from({ length: count }, () => ({
    wallet: place.wallets[chance(place.wallets.length)] ?? '',
    amount: AMOUNTS[chance(AMOUNTS.length)] ?? 1,
  })).sort((one, other) => Number(one.wallet) - Number(other.wallet));
}

function insertOf({ ledger, more }: Place, rows: readonly Row[]): string {
  const columns = ['wallet_id', 'amount', 'reason', ...Object.keys(more)].join(', ');
  const values = rows.map(
    ({ wallet, amount }) =>
      `(${[wallet, String(amount), `'winner'`, ...Object.values(more)].join(', ')})`,
  );
  return `INSERT INTO ${ledger} (${columns}) VALUES ${values.join(', ')}`;
}

function isDeadlock(error: unknown): boolean {
  const code = (cause: unknown): unknown =>
    cause instanceof Error && 'code' in cause ? cause.code : undefined;
  return code(error) === '40P01' || (error instanceof Error && code(error.cause) === '40P01');
}

/** Does a thing again after a deadlock, as whoever writes several statements at once has to. */
async function untilDone<Result>(work: () => Promise<Result>): Promise<Result> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!isDeadlock(error)) throw error;
    }
  }
}

function sum(rows: readonly Row[]): Written {
  return { entries: rows.length, coins: rows.reduce((coins, { amount }) => coins + amount, 0) };
}

/** Plain SQL: single and multi-row inserts, transactions, rollbacks, savepoints. */
export async function plainSql(place: Place, seed: number, rounds: number): Promise<ReadyWriter> {
  const client = await place.db.connect({ application_name: 'plain sql' });
  const chance = chanceOf(seed);
  const send = async (statements: readonly string[]): Promise<void> => {
    try {
      for (const statement of statements) await client.query(statement);
    } catch (error) {
      await client.query('ROLLBACK');
      throw error;
    }
  };
  return {
    name: 'plain SQL',
    begin: async () => {
      const written: Row[] = [];
      for (let round = 0; round < rounds; round += 1) {
        const rows = rowsOf(place, chance, 1 + chance(6));
        const [first, ...others] = rows.map((row) => insertOf(place, [row]));
        const ways: readonly (readonly string[])[] = [
          [insertOf(place, rows)],
          ['BEGIN', first ?? '', ...others, 'COMMIT'],
          ['BEGIN', ...rows.map((row) => insertOf(place, [row])), 'ROLLBACK'],
          [
            'BEGIN',
            'SAVEPOINT s',
            insertOf(place, rows),
            'ROLLBACK TO s',
            insertOf(place, rows),
            'COMMIT',
          ],
        ];
        const way = round % ways.length;
        await untilDone(() => send(ways[way] ?? []));
        if (way !== 2) written.push(...rows);
      }
      return sum(written);
    },
  };
}

/** COPY FROM STDIN. */
export async function copy(place: Place, seed: number, rounds: number): Promise<ReadyWriter> {
  const client = await place.db.connect({ application_name: 'copy' });
  const chance = chanceOf(seed);
  const columns = ['wallet_id', 'amount', 'reason', ...Object.keys(place.more)].join(', ');
  const more = (
    await client.query<Record<string, string>>(
      `SELECT ${['1 AS one', ...Object.entries(place.more).map(([name, sql]) => `(${sql})::text AS "${name}"`)].join(', ')}`,
    )
  ).rows[0];
  const rest = Object.keys(place.more).map((name) => more?.[name] ?? '');
  return {
    name: 'COPY',
    begin: async () => {
      const written: Row[] = [];
      for (let round = 0; round < rounds; round += 1) {
        const rows = rowsOf(place, chance, 20);
        const lines = rows.map(
          ({ wallet, amount }) => `${[wallet, amount, 'winner', ...rest].join('\t')}\n`,
        );
        await untilDone(() =>
          pipeline(
            Readable.from(lines),
            client.query(copyFrom(`COPY ${place.ledger} (${columns}) FROM STDIN`)),
          ),
        );
        written.push(...rows);
      }
      return sum(written);
    },
  };
}

const columns = {
  walletId: bigint('wallet_id', { mode: 'number' }).notNull(),
  amount: bigint('amount', { mode: 'number' }).notNull(),
  reason: text('reason').notNull(),
};
const ownLedger = pgSchema('trueup').table('entries', columns);
const platformLedger = pgTable('economy_deltacrowntransaction', {
  ...columns,
  note: text('note').notNull(),
  createdAt: timestamp('created_at', { withTimezone: true }).notNull(),
});

/** Drizzle, an ORM of Node. */
export async function drizzleOrm(place: Place, seed: number, rounds: number): Promise<ReadyWriter> {
  const client = await place.db.connect({ application_name: 'drizzle' });
  const chance = chanceOf(seed);
  const orm = drizzle({ client });
  const insert = (rows: readonly Row[]): Promise<unknown> => {
    const values = rows.map(({ wallet, amount }) => ({
      walletId: Number(wallet),
      amount,
      reason: 'winner',
    }));
    if (!('note' in place.more))
      return orm.transaction((tx) => tx.insert(ownLedger).values(values));
    const platform = values.map((value) => ({ ...value, note: '', createdAt: new Date() }));
    return orm.transaction((tx) => tx.insert(platformLedger).values(platform));
  };
  return {
    name: 'Drizzle',
    begin: async () => {
      const written: Row[] = [];
      for (let round = 0; round < rounds; round += 1) {
        const rows = rowsOf(place, chance, 1 + chance(4));
        await untilDone(() => insert(rows));
        written.push(...rows);
      }
      return sum(written);
    },
  };
}

/** The library in this process: credits, debits and transfers, many at a time. */
export function library(trueup: Trueup, place: Place, seed: number, rounds: number): ReadyWriter {
  const chance = chanceOf(seed);
  return {
    name: 'the library',
    begin: async () => {
      let [entries, coins] = [0, 0];
      for (let round = 0; round < rounds; round += 1) {
        const [one, other] = rowsOf(place, chance, 2);
        const [from, to] = [one?.wallet ?? '', other?.wallet ?? ''];
        const calls = [
          trueup.credit({ walletId: from, amount: 7, reason: 'winner' }),
          trueup.debit({ walletId: to, amount: 3, reason: 'purchase' }),
          ...(from === to
            ? []
            : [trueup.transfer({ from: { walletId: from }, to: { walletId: to }, amount: 2 })]),
        ];
        const outcomes = await Promise.all(calls);
        for (const outcome of outcomes) {
          if (outcome.status !== 'posted') throw new Error(`${outcome.code}: ${outcome.message}`);
          entries += outcome.entries.length;
          coins += outcome.entries.reduce((total, { amount }) => total + Number(amount), 0);
        }
      }
      return { entries, coins };
    },
  };
}

/** The built library in a process of its own. */
export async function libraryProcess(
  place: Place,
  config: object | undefined,
  rounds: number,
): Promise<ReadyWriter> {
  const program = new Program(
    `import { openTrueup, OWN_MAPPING } from ${built('index.js')};
     const [databaseUrl, config, rounds, ...wallets] = process.argv.slice(1);
     const trueup = await openTrueup({ databaseUrl, config: config === '' ? OWN_MAPPING : JSON.parse(config) });
     console.log('ready');
     await new Promise((begin) => process.stdin.once('data', begin));
     let [entries, coins] = [0, 0];
     for (let round = 0; round < Number(rounds); round += 1) {
       const outcomes = await Promise.all(wallets.map((walletId, n) => {
         const request = { walletId, amount: 1 + (n % 3), reason: 'purchase' };
         return (round + n) % 3 === 0 ? trueup.debit(request) : trueup.credit({ ...request, reason: 'winner' });
       }));
       for (const outcome of outcomes) {
         if (outcome.status !== 'posted') throw new Error(outcome.message);
         entries += outcome.entries.length;
         for (const { amount } of outcome.entries) coins += Number(amount);
       }
     }
     await trueup.close();
     console.log(JSON.stringify({ entries, coins }));`,
    place.db.url,
    config === undefined ? '' : JSON.stringify(config),
    String(rounds),
    ...place.wallets,
  );
  await program.printed(1);
  return {
    name: 'the library in another process',
    begin: async () => {
      program.process.stdin?.end('go\n');
      if ((await program.ended) !== 0) throw new Error(program.complaints);
      return JSON.parse(program.lines()[1] ?? '') as Written;
    },
  };
}
