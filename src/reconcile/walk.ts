import type { Comparison } from '../core/drift.js';
import type { ResolvedMapping } from '../mapping/model.js';
import type { Database, Statement } from '../postgres/database.js';
import type { Investigator } from './evidence.js';
import { comparisonDecoder, type ComparisonRow } from './rows.js';
import * as statements from './detect-statements.js';

/** A user who has drifted, as detection saw him without any lock. */
export interface Suspect {
  /** null: a profile that has no wallet. */
  readonly walletId: string | null;
  /** Left out where there is nothing but caches to overwrite, and the run is going to. */
  readonly details?: Comparison;
}

/** One batch of a walk: how many wallets were looked at, and who has drifted. */
export interface Batch {
  readonly checked: number;
  readonly suspects: readonly Suspect[];
}

/** How a walk ended: whether something was left out. */
export type WalkEnd = 'complete' | 'limit';

/** What a walk works with. */
export interface Walk {
  readonly database: Database;
  readonly mapping: ResolvedMapping;
  readonly batchSize: number;
  readonly investigator: Investigator;
  /** Give the details of every suspect, for a run that only reports. */
  readonly detailed: boolean;
}

/** Detection may sort and hash a whole batch: PostgreSQL's default of 4 MB would go to disk. */
const DETECTION = { readOnly: true, settings: { work_mem: '64MB' } } as const;

/** What is on record about the drifted has to be of the same moment. */
const INVESTIGATION = {
  readOnly: true,
  settings: { ...DETECTION.settings, transaction_isolation: 'repeatable read' },
} as const;

/**
 * Walks over every wallet in id order, and then over the profiles that have none. Each batch is one
 * read-only statement with a snapshot of its own: no lock, and no snapshot that lives for the
 * whole run. The last batch is open to the end, so that entries whose wallet does not exist are seen
 * wherever their id lies.
 */
export async function* walkAll(
  walk: Walk,
  limit = Number.MAX_SAFE_INTEGER,
): AsyncGenerator<Batch, WalkEnd> {
  let above: string | undefined;
  let remaining = limit;
  for (;;) {
    // At the limit one row more is probed, only to know whether anything is left.
    const size = remaining === 0 ? 1 : Math.min(walk.batchSize, remaining);
    const end = await batchEnd(walk, walk.mapping.wallet, above, size);
    if (remaining === 0 && end.rows > 0) return 'limit';
    const upTo = end.rows < size ? undefined : end.upTo;
    const range = { above, upTo };
    const suspects = walk.detailed
      ? await detect(walk, statements.driftedInRange(walk.mapping, range))
      : await detectBriefly(walk, statements.suspectsInRange(walk.mapping, range));
    yield { checked: end.rows, suspects };
    if (upTo === undefined) break;
    above = upTo;
    remaining -= end.rows;
  }
  yield* walkProfilesWithoutWallet(walk);
  return 'complete';
}

async function* walkProfilesWithoutWallet(walk: Walk): AsyncGenerator<Batch> {
  if (walk.mapping.profile === undefined) return;
  let above: string | undefined;
  for (;;) {
    const { upTo } = await batchEnd(walk, walk.mapping.profile, above, walk.batchSize);
    if (upTo === undefined) return;
    const statement = statements.profilesWithoutWallet(walk.mapping, { above, upTo });
    if (statement === undefined) return;
    yield { checked: 0, suspects: await detect(walk, statement) };
    above = upTo;
  }
}

/** Walks over a list of wallets. */
export async function* walkWallets(
  walk: Walk,
  walletIds: readonly string[],
): AsyncGenerator<Batch, WalkEnd> {
  for (let from = 0; from < walletIds.length; from += walk.batchSize) {
    const ids = walletIds.slice(from, from + walk.batchSize);
    const suspects = walk.detailed
      ? await detect(walk, statements.driftedAmong(walk.mapping, ids))
      : await detectBriefly(walk, statements.suspectsAmong(walk.mapping, ids));
    yield { checked: ids.length, suspects };
  }
  return 'complete';
}

/** The details of some wallets, as far as they have drifted, by wallet. */
export async function detailsOf(
  walk: Walk,
  walletIds: readonly string[],
): Promise<ReadonlyMap<string, Comparison>> {
  if (walletIds.length === 0) return new Map();
  const found = await detect(walk, statements.driftedAmong(walk.mapping, walletIds));
  return new Map(
    found.flatMap(({ walletId, details }) =>
      walletId === null || details === undefined ? [] : [[walletId, details] as const],
    ),
  );
}

async function batchEnd(
  walk: Walk,
  walked: statements.Walked,
  above: string | undefined,
  size: number,
): Promise<{ rows: number; upTo: string | undefined }> {
  const [row] = await walk.database.query<{ upTo: string | null; rows: string }>(
    statements.batchEnd(walked, above, size),
  );
  return { rows: Number(row?.rows ?? 0), upTo: row?.upTo ?? undefined };
}

async function detect(walk: Walk, statement: Statement): Promise<Suspect[]> {
  const decode = comparisonDecoder(walk.mapping);
  const found = await walk.database.transaction(async (session) => {
    const rows = await session.query<ComparisonRow>(statement);
    return walk.investigator.investigate(session, rows.map(decode));
  }, INVESTIGATION);
  return found.map((details) => ({ walletId: details.walletId, details }));
}

/** Ids are enough for whoever is compared again under lock; only special cases are asked about. */
async function detectBriefly(walk: Walk, statement: Statement): Promise<Suspect[]> {
  const rows = await walk.database.transaction(
    (session) => session.query<statements.SuspectRow>(statement),
    DETECTION,
  );
  const special = rows.filter((row) => row.special).map(({ walletId }) => walletId);
  const details = await detailsOf(walk, special);
  return rows.flatMap(({ walletId, special: isSpecial }) => {
    const known = details.get(walletId);
    if (known !== undefined) return [{ walletId, details: known }];
    return isSpecial ? [] : [{ walletId }];
  });
}

/** The same batches with another end. */
export async function* endingWith(
  batches: AsyncGenerator<Batch, WalkEnd>,
  end: WalkEnd,
): AsyncGenerator<Batch, WalkEnd> {
  yield* batches;
  return end;
}
