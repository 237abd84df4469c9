import type { Comparison } from '../core/drift.js';
import type { ResolvedMapping } from '../mapping/model.js';
import type { Database } from '../postgres/database.js';
import { toComparison, type ComparisonRow } from './rows.js';
import * as statements from './statements.js';

/** One batch of a walk: how many wallets were looked at, and which users have drifted. */
export interface Batch {
  readonly checked: number;
  readonly suspects: readonly Comparison[];
}

/** How a walk ended: whether something was left out. */
export type WalkEnd = 'complete' | 'limit';

/** Detection may sort and hash a whole batch: PostgreSQL's default of 4 MB would go to disk. */
const DETECTION = { readOnly: true, settings: { work_mem: '64MB' } } as const;

/**
 * Walks over every wallet in id order, and then over the profiles that have none. Each batch is one
 * read-only statement with a snapshot of its own: no lock, and no snapshot that lives for the
 * whole run. The last batch is open to the end, so that entries whose wallet does not exist are seen
 * wherever their id lies.
 */
export async function* walkAll(
  database: Database,
  mapping: ResolvedMapping,
  batchSize: number,
  limit = Number.MAX_SAFE_INTEGER,
): AsyncGenerator<Batch, WalkEnd> {
  let above: string | undefined;
  let remaining = limit;
  for (;;) {
    // At the limit one row more is probed, only to know whether anything is left.
    const size = remaining === 0 ? 1 : Math.min(batchSize, remaining);
    const end = await batchEnd(database, mapping.wallet, above, size);
    if (remaining === 0 && end.rows > 0) return 'limit';
    const upTo = end.rows < size ? undefined : end.upTo;
    const suspects = await detect(
      database,
      mapping,
      statements.driftedInRange(mapping, { above, upTo }),
    );
    yield { checked: end.rows, suspects };
    if (upTo === undefined) break;
    above = upTo;
    remaining -= end.rows;
  }
  yield* walkProfilesWithoutWallet(database, mapping, batchSize);
  return 'complete';
}

async function* walkProfilesWithoutWallet(
  database: Database,
  mapping: ResolvedMapping,
  batchSize: number,
): AsyncGenerator<Batch> {
  if (mapping.profile === undefined) return;
  let above: string | undefined;
  for (;;) {
    const { upTo } = await batchEnd(database, mapping.profile, above, batchSize);
    if (upTo === undefined) return;
    const statement = statements.profilesWithoutWallet(mapping, { above, upTo });
    if (statement === undefined) return;
    yield { checked: 0, suspects: await detect(database, mapping, statement) };
    above = upTo;
  }
}

/** Walks over a list of wallets. */
export async function* walkWallets(
  database: Database,
  mapping: ResolvedMapping,
  walletIds: readonly string[],
  batchSize: number,
): AsyncGenerator<Batch, WalkEnd> {
  for (let from = 0; from < walletIds.length; from += batchSize) {
    const ids = walletIds.slice(from, from + batchSize);
    yield {
      checked: ids.length,
      suspects: await detect(database, mapping, statements.driftedAmong(mapping, ids)),
    };
  }
  return 'complete';
}

async function batchEnd(
  database: Database,
  walked: statements.Walked,
  above: string | undefined,
  size: number,
): Promise<{ rows: number; upTo: string | undefined }> {
  const [row] = await database.query<{ upTo: string | null; rows: string }>(
    statements.batchEnd(walked, above, size),
  );
  return { rows: Number(row?.rows ?? 0), upTo: row?.upTo ?? undefined };
}

async function detect(
  database: Database,
  mapping: ResolvedMapping,
  statement: ReturnType<typeof statements.driftedInRange>,
): Promise<Comparison[]> {
  const rows = await database.transaction(
    (session) => session.query<ComparisonRow>(statement),
    DETECTION,
  );
  return rows.map((row) => toComparison(mapping, row));
}
