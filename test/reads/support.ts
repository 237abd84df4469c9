import type { Readable } from 'node:stream';
import type {
  Hold,
  HistoryEntry,
  HistoryRequest,
  HoldOutcome,
  HoldsRequest,
  ItemOutcome,
  Mapping,
  PostedEntry,
  Trueup,
  TrueupOptions,
} from '../../src/index.js';
import type { TestDatabase } from '../support/database.js';
import { createEconomy, type Economy, type EconomyOptions } from '../support/economy.js';

/** What the tests of the reads have in common. */

export const ID_TYPES = ['integer', 'uuid', 'text'] as const;

/** Coins in columns that print them with two places. */
export const NUMERIC = {
  amountType: 'numeric(12,2)',
  walletType: 'numeric(12,2)',
  profileType: 'numeric(12,2)',
} as const;

/** An application's tables, adopted, with their sync and a column for pending balances. */
export async function adopt(
  db: TestDatabase,
  wallets: number,
  options: EconomyOptions = {},
  opening: TrueupOptions = {},
): Promise<{ economy: Economy; mapping: Mapping; trueup: Trueup }> {
  const { schema = 'app' } = options;
  await db.run(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
  const economy = await createEconomy(db, wallets, options);
  await db.run(`ALTER TABLE ${economy.wallet} ADD COLUMN pending bigint NOT NULL DEFAULT 0`);
  const mapping = {
    ...economy.mapping,
    wallet: { ...economy.mapping.wallet, pendingBalance: 'pending' },
  };
  const trueup = await db.trueup({ config: mapping, ...opening });
  await trueup.installSync();
  return { economy, mapping, trueup };
}

/** The entry of an outcome that has to be a posting. */
export function posted(outcome: ItemOutcome): PostedEntry {
  if (outcome.status !== 'posted') throw new Error(JSON.stringify(outcome));
  return outcome;
}

/** The hold of an outcome that has to be one. */
export function held(outcome: HoldOutcome): Hold {
  if (outcome.status !== 'held') throw new Error(JSON.stringify(outcome));
  return outcome.hold;
}

/** Every entry, page by page. */
export async function allEntries(
  trueup: Trueup,
  request: HistoryRequest,
  between: () => Promise<unknown> = () => Promise.resolve(),
): Promise<HistoryEntry[]> {
  const entries: HistoryEntry[] = [];
  let cursor: string | null = null;
  do {
    const page = await trueup.history({ ...request, cursor });
    entries.push(...page.entries);
    cursor = page.nextCursor;
    await between();
  } while (cursor !== null);
  return entries;
}

/** Every hold, page by page. */
export async function allHolds(trueup: Trueup, request: HoldsRequest): Promise<Hold[]> {
  const holds: Hold[] = [];
  let cursor: string | null = null;
  do {
    const page = await trueup.holds({ ...request, cursor });
    holds.push(...page.holds);
    cursor = page.nextCursor;
  } while (cursor !== null);
  return holds;
}

/** All that a stream has to say. */
export async function textOf(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

/** The lines of a statement in JSON. */
export async function jsonOf(stream: Readable): Promise<Record<string, unknown>[]> {
  const lines = (await textOf(stream)).split('\n');
  if (lines.pop() !== '') throw new Error('the last line has no end');
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** The fields of a CSV text, by RFC 4180 with LF. */
export function parseCsv(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  const field = /(?:"((?:[^"]|"")*)"|([^",\n]*))([,\n])/gy;
  let end = 0;
  for (const match of text.matchAll(field)) {
    row.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? '');
    if (match[3] === '\n') {
      rows.push(row);
      row = [];
    }
    end = match.index + match[0].length;
  }
  if (end !== text.length) throw new Error(`no CSV from ${String(end)}: ${text.slice(end)}`);
  return rows;
}

/**
 * So many entries of 5 coins on an empty wallet of the own tables, a minute apart from the first of
 * 2024, in one statement: as the posting engine writes them.
 */
export async function fill(db: TestDatabase, walletId: string, count: number): Promise<void> {
  await db.run(
    `INSERT INTO trueup.entries (wallet_id, seq, amount, balance_after, reason, note, created_at, writer)
     SELECT $1, n, 5, 5 * n, 'winner', repeat(md5(n::text), 10), '2024-01-01 00:00Z'::timestamptz + (n - 1) * interval '1 minute',
            pg_current_xact_id() FROM generate_series(1, $2::integer) AS n`,
    [walletId, count],
  );
}
