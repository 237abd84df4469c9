import { total } from '../core/amount.js';
import { decideOpening, type NoOpening, type Opening, type OpeningRules } from '../core/opening.js';
import type { Comparison } from '../core/drift.js';
import type { ResolvedMapping } from '../mapping/model.js';
import { highestOf } from '../mapping/ids.js';
import type { Queryable } from '../postgres/database.js';
import { compared } from './detect-statements.js';
import { OPENING_REASON, openingObstacles } from './opening-entry.js';
import { openingsWithEntries } from './known-openings-statements.js';
import * as statements from './opening-statements.js';
import { comparisonDecoder, type ComparisonRow } from './rows.js';

/** Finding the wallets that hold coins and have no history. Reads only. */

/** What opening entries would do. */
export interface OpeningPlan {
  /**
   * The wallets without history that can be given one, in id order, with the amount of each; after them
   * those that got entries since the sync was installed.
   */
  readonly wallets: readonly PlannedOpening[];
  /** What the amounts add up to, as decimal text. */
  readonly coins: string;
  /** The first of them in full. */
  readonly examples: readonly Opening[];
  /** How many caches will hold something else than now: `wallet.lifetimeEarnings`, `profile.balance`, ... */
  readonly changes: Readonly<Record<string, number>>;
  /** Wallets without history for which no entry can be posted, at most as many as examples. */
  readonly left: readonly NoOpening[];
  /** How many there are of those. */
  readonly leftCount: number;
  /** Why nothing can be posted into this ledger as it is mapped; empty: it can. */
  readonly obstacles: readonly string[];
  readonly reason: string;
}

/** One wallet of a plan. */
export interface PlannedOpening {
  readonly walletId: string;
  readonly amount: string;
}

/** How to look for wallets without history. */
export interface FindOpeningOptions {
  /** The reason of the entries. Default: `opening_balance`. */
  readonly reason?: string | undefined;
  /** How many to describe in full. Default: 20. */
  readonly examples?: number | undefined;
  /** Wallets a batch. Default: 5,000. */
  readonly batchSize?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

const DEFAULT_EXAMPLES = 20;
const DEFAULT_BATCH = 5_000;

/**
 * Finds every wallet that holds coins and has no entry, or had none when the sync was installed, and says what an opening entry for each would
 * do. It only reads, and needs SELECT on the mapped tables.
 */
export async function findOpeningBalances(
  session: Queryable,
  mapping: ResolvedMapping,
  options: FindOpeningOptions = {},
): Promise<OpeningPlan> {
  const reason = options.reason ?? OPENING_REASON;
  const demands = await readDemands(session, mapping);
  const plan = new Planner(options.examples ?? DEFAULT_EXAMPLES);
  const rules = rulesFor(mapping, reason);
  const size = options.batchSize ?? DEFAULT_BATCH;
  let above: string | undefined;
  do {
    const rows = await session.query<{ walletId: string }>(
      statements.walletsWithoutEntry(mapping, { above, size }),
    );
    const ids = rows.map(({ walletId }) => walletId);
    above = ids.at(-1);
    for (const row of await compare(session, mapping, ids)) {
      if (row.entryCount === '0') plan.add(decideOpening(row, null, rules));
    }
  } while (above !== undefined && options.signal?.aborted !== true);
  if (mapping.openingsKept) await findRecorded(session, mapping, options, plan, rules);
  return plan.finished(reason, openingObstacles(mapping, demands, reason));
}

/** Wallets that got entries since the installation, and what they held before. */
async function findRecorded(
  session: Queryable,
  mapping: ResolvedMapping,
  options: FindOpeningOptions,
  plan: Planner,
  rules: OpeningRules,
): Promise<void> {
  const size = options.batchSize ?? DEFAULT_BATCH;
  let above: string | undefined;
  do {
    const rows = await session.query<{ walletId: string; balance: string }>(
      openingsWithEntries(mapping, { above, size }),
    );
    above = rows.at(-1)?.walletId;
    const listed = new Map(rows.map(({ walletId, balance }) => [walletId, balance]));
    for (const row of await compare(session, mapping, [...listed.keys()])) {
      const decided = decideOpening(row, listed.get(row.walletId ?? '') ?? null, rules);
      if (!('code' in decided) || decided.code !== 'settled') plan.add(decided);
    }
  } while (above !== undefined && options.signal?.aborted !== true);
}

/** What an INSERT into the ledger has to bring. */
export async function readDemands(
  session: Queryable,
  { ledger }: ResolvedMapping,
): Promise<statements.LedgerDemandsRow> {
  const [demands] = await session.query<statements.LedgerDemandsRow>(
    statements.ledgerDemands(ledger.table.oid),
  );
  return demands ?? { required: [], filledByTriggers: false };
}

/** What the ledger can hold, and whether the reason earns. */
export function rulesFor(mapping: ResolvedMapping, reason: string): OpeningRules {
  const { amount, reason: reasonColumn } = mapping.ledger;
  return {
    earns: reasonColumn === undefined || !mapping.unearned.includes(reason),
    scale: amount.kind === 'integer' ? 0 : amount.scale,
    highest: amount.kind === 'integer' ? highestOf(amount) : null,
  };
}

/** The comparison of some wallets, in id order. */
export async function compare(
  session: Queryable,
  mapping: ResolvedMapping,
  walletIds: readonly string[],
): Promise<Comparison[]> {
  if (walletIds.length === 0) return [];
  const rows = await session.query<ComparisonRow>(compared(mapping, walletIds));
  return rows.map(comparisonDecoder(mapping));
}

/** Gathers a plan wallet by wallet: there may be a million of them. */
class Planner {
  readonly #most: number;
  readonly #wallets: PlannedOpening[] = [];
  readonly #examples: Opening[] = [];
  readonly #left: NoOpening[] = [];
  readonly #changes: Record<string, number> = {};
  #coins = '0';
  #leftCount = 0;

  constructor(most: number) {
    this.#most = most;
  }

  add(decided: Opening | NoOpening): void {
    if ('code' in decided) {
      this.#leftCount += 1;
      if (this.#left.length < this.#most) this.#left.push(decided);
      return;
    }
    const { walletId, amount, changes } = decided;
    this.#wallets.push({ walletId, amount });
    this.#coins = total(this.#coins, amount) ?? this.#coins;
    if (this.#examples.length < this.#most) this.#examples.push(decided);
    for (const { part, field } of changes) {
      const key = `${part}.${field}`;
      this.#changes[key] = (this.#changes[key] ?? 0) + 1;
    }
  }

  finished(reason: string, obstacles: readonly string[]): OpeningPlan {
    return {
      wallets: this.#wallets,
      coins: this.#coins,
      examples: this.#examples,
      changes: this.#changes,
      left: this.#left,
      leftCount: this.#leftCount,
      obstacles,
      reason,
    };
  }
}
