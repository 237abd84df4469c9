import type { Database } from '../postgres/database.js';
import { OWN_MAPPING, withDatabase, type Bench, type BenchDatabase } from './context.js';
import * as statements from './reconcile-statements.js';

/** Trueup's own tables, as the scenarios of the group `reconcile` find them. */

/** A ledger by its size, before `--scale`. */
export interface Size {
  readonly wallets: number;
  readonly entries: number;
}

/** What the figures of reconcile are promised for. */
export const MILLION: Size = { wallets: 1_000_000, entries: 10_000_000 };

/** Lends a scenario own tables of a size, in sync. */
export async function onOwnTables(
  bench: Bench,
  size: Size,
  work: (lent: BenchDatabase, scaledSize: Size) => Promise<void>,
): Promise<void> {
  await withDatabase(bench, OWN_MAPPING, async (lent) => {
    const wallets = scaled(bench, size.wallets);
    const entries = scaled(bench, size.entries);
    bench.say(
      `  filling ${wallets.toLocaleString('en-US')} wallets, ${entries.toLocaleString('en-US')} entries ...`,
    );
    await runAll(lent.database, statements.fillOwnTables(wallets, entries));
    await work(lent, { wallets, entries });
  });
}

/** A count of the full size, as `--scale` asks for it. */
export function scaled(bench: Bench, count: number): number {
  return Math.max(100, Math.round(count * bench.options.scale));
}

/** One statement after the other, each for itself. */
export async function runAll(
  database: Database,
  all: readonly { readonly text: string; readonly values?: readonly unknown[] }[],
): Promise<void> {
  for (const statement of all) await database.query(statement);
}

/** The last one of some values, for a line about a round. */
export function show(values: readonly number[]): string {
  return (values.at(-1) ?? Number.NaN).toPrecision(3);
}
