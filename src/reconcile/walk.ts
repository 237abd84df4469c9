import type { Comparison } from '../core/drift.js';
import type { ResolvedMapping } from '../mapping/model.js';
import type { Database, Statement } from '../postgres/database.js';
import { inOrder } from './chunks.js';
import type { Investigator } from './evidence.js';
import { comparisonDecoder, type ComparisonRow } from './rows.js';
import * as statements from './detect-statements.js';
import type { IdRange } from './detect-statements.js';

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
  /** What was walked in it. */
  readonly range: BatchRange;
  /** How long it took to look at them. */
  readonly milliseconds: number;
}

/** Wallets or profiles in id order; undefined: open to that side. A list of wallets has no range. */
export type BatchRange =
  ({ readonly of: 'wallets' | 'profiles' } & IdRange) | { readonly of: 'list' };

/** How a walk ended: whether something was left out. */
export type WalkEnd = 'complete' | 'limit';

/** What a walk works with. */
export interface Walk {
  readonly database: Database;
  readonly mapping: ResolvedMapping;
  /** Wallets of the next batch. */
  readonly batchSize: () => number;
  /** Batches that are looked at side by side. They are handed on in order all the same. */
  readonly jobs: number;
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

/** Where a walk begins and ends. */
export interface Course {
  /** Look at so many wallets at most. */
  readonly limit?: number | undefined;
  /** Begin after this wallet. */
  readonly above?: string | undefined;
  /** All wallets were walked already. */
  readonly walletsDone?: boolean;
  /** Of the profiles without wallet, begin after this one. */
  readonly profilesAbove?: string | undefined;
}

/**
 * Walks over every wallet in id order, and then over the profiles that have none. Each batch is one
 * read-only statement with a snapshot of its own: no lock, and no snapshot that lives for the
 * whole run. The last batch is open to the end, so that entries whose wallet does not exist are seen
 * wherever their id lies.
 */
export async function* walkAll(walk: Walk, course: Course = {}): AsyncGenerator<Batch, WalkEnd> {
  if (course.walletsDone !== true) {
    const ends = new Ends(walk, course);
    yield* inOrder(ends.ranges(), walk.jobs, (part) => timed(() => detectRange(walk, part)));
    if (ends.reachedLimit) return 'limit';
  }
  yield* walkProfilesWithoutWallet(walk, course.profilesAbove);
  return 'complete';
}

interface Part extends IdRange {
  readonly rows: number;
}

/** Cuts the wallets into batches. Their ends are found ahead of the batches themselves. */
class Ends {
  reachedLimit = false;
  readonly #walk: Walk;
  readonly #course: Course;

  constructor(walk: Walk, course: Course) {
    this.#walk = walk;
    this.#course = course;
  }

  async *ranges(): AsyncGenerator<Part> {
    let { above, limit: remaining = Number.MAX_SAFE_INTEGER } = this.#course;
    for (;;) {
      // At the limit one row more is probed, only to know whether anything is left.
      const size = remaining === 0 ? 1 : Math.min(this.#walk.batchSize(), remaining);
      const end = await batchEnd(this.#walk, this.#walk.mapping.wallet, above, size);
      if (remaining === 0 && end.rows > 0) {
        this.reachedLimit = true;
        return;
      }
      const upTo = end.rows < size ? undefined : end.upTo;
      yield { above, upTo, rows: end.rows };
      if (upTo === undefined) return;
      above = upTo;
      remaining -= end.rows;
    }
  }
}

async function detectRange(walk: Walk, { above, upTo, rows }: Part): Promise<Looked> {
  const range = { above, upTo };
  const suspects = walk.detailed
    ? await detect(walk, statements.driftedInRange(walk.mapping, range))
    : await detectBriefly(walk, statements.suspectsInRange(walk.mapping, range));
  return { checked: rows, suspects, range: { of: 'wallets', ...range } };
}

async function* walkProfilesWithoutWallet(walk: Walk, from?: string): AsyncGenerator<Batch> {
  if (walk.mapping.profile === undefined) return;
  let above = from;
  for (;;) {
    const { upTo } = await batchEnd(walk, walk.mapping.profile, above, walk.batchSize());
    if (upTo === undefined) return;
    const range = { above, upTo };
    const statement = statements.profilesWithoutWallet(walk.mapping, range);
    if (statement === undefined) return;
    yield await timed(async () => ({
      checked: 0,
      suspects: await detect(walk, statement),
      range: { of: 'profiles', ...range },
    }));
    above = upTo;
  }
}

/** Walks over a list of wallets. */
export async function* walkWallets(
  walk: Walk,
  walletIds: readonly string[],
): AsyncGenerator<Batch, WalkEnd> {
  yield* inOrder(cut(walletIds, walk.batchSize), walk.jobs, (ids) =>
    timed(async () => ({
      checked: ids.length,
      suspects: walk.detailed
        ? await detect(walk, statements.driftedAmong(walk.mapping, ids))
        : await detectBriefly(walk, statements.suspectsAmong(walk.mapping, ids)),
      range: { of: 'list' },
    })),
  );
  return 'complete';
}

function* cut(walletIds: readonly string[], size: () => number): Generator<readonly string[]> {
  for (let from = 0; from < walletIds.length;) {
    const to = from + size();
    yield walletIds.slice(from, to);
    from = to;
  }
}

type Looked = Omit<Batch, 'milliseconds'>;

async function timed(look: () => Promise<Looked>): Promise<Batch> {
  const started = performance.now();
  return { ...(await look()), milliseconds: performance.now() - started };
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
