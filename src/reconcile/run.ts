import { randomUUID } from 'node:crypto';
import {
  countUser,
  emptyTally,
  findingsOf,
  isRepairable,
  type Comparison,
  type Finding,
  type Tally,
} from '../core/drift.js';
import { exitStatusOf } from '../core/exit.js';
import { TrueupError } from '../core/errors.js';
import type { ResolvedMapping } from '../mapping/model.js';
import { refuseSharedProfiles } from '../mapping/resolve.js';
import type { Database } from '../postgres/database.js';
import {
  checkOptions,
  type CheckedOptions,
  type ReconcileOptions,
  type ReconcileSummary,
} from './options.js';
import { repairWallets, type RepairOutcome } from './repair.js';
import { findWallets } from './services.js';
import * as statements from './statements.js';
import { walkAll, walkWallets, type Batch, type WalkEnd } from './walk.js';

/** Wallets that are repaired in one transaction: enough to be fast, few enough to be in nobody's way. */
const REPAIR_CHUNK = 1_000;

/**
 * One run of reconcile: finds every cache that is not what the ledger says, and (unless it is a dry
 * run) repairs it. Detection takes no lock; only suspects are locked, compared again, and repaired.
 *
 * @param version of Trueup, for the record of the run
 * @throws TrueupError `invalid_argument`, `user_not_found`, `wallet_not_found`, `mapping_mismatch`,
 *   and whatever keeps the whole run from going on
 */
export async function reconcile(
  database: Database,
  mapping: ResolvedMapping,
  options: ReconcileOptions,
  version: string,
): Promise<ReconcileSummary> {
  const checked = checkOptions(options);
  const started = performance.now();
  await refuseSharedProfiles(database, mapping);
  const run = await Run.prepare(database, mapping, checked, version);
  const incomplete = await run.walk();
  const exitStatus = exitStatusOf(run.tally, {
    incomplete: incomplete !== null,
    failOnDrift: checked.failOnDrift ?? false,
  });
  const summary: ReconcileSummary = {
    runId: run.id,
    dryRun: checked.dryRun,
    ...run.tally,
    seconds: Math.round(performance.now() - started) / 1000,
    incomplete,
    exitStatus,
  };
  await run.finish(summary);
  return summary;
}

class Run {
  readonly id = randomUUID();
  readonly tally: Tally = emptyTally();
  readonly #database: Database;
  readonly #mapping: ResolvedMapping;
  readonly #options: CheckedOptions;
  /** undefined: every wallet. */
  readonly #walletIds: readonly string[] | undefined;
  readonly #total: number;

  private constructor(
    database: Database,
    mapping: ResolvedMapping,
    options: CheckedOptions,
    selection: { walletIds: readonly string[] | undefined; total: number },
  ) {
    this.#database = database;
    this.#mapping = mapping;
    this.#options = options;
    this.#walletIds = selection.walletIds;
    this.#total = Math.min(selection.total, options.limit ?? selection.total);
  }

  static async prepare(
    database: Database,
    mapping: ResolvedMapping,
    options: CheckedOptions,
    version: string,
  ): Promise<Run> {
    const walletIds =
      options.userIds === undefined
        ? undefined
        : await walletsOf(database, mapping, options.userIds);
    const total = walletIds?.length ?? (await countWallets(database, mapping));
    const run = new Run(database, mapping, options, { walletIds, total });
    if (!options.dryRun) {
      const { userIds, batchSize, limit } = options;
      await database.query(
        statements.startRun({
          id: run.id,
          ledger: mapping.ledger.table.quoted,
          options: { all: userIds === undefined, userIds, batchSize, limit },
          version,
        }),
      );
    }
    return run;
  }

  /** @returns why the run is incomplete, or null */
  async walk(): Promise<ReconcileSummary['incomplete']> {
    const batches = this.#batches();
    for (;;) {
      if (this.#options.signal?.aborted === true) return 'interrupted';
      const next = await batches.next();
      if (next.done === true) return next.value === 'limit' ? 'limit' : null;
      await this.#handle(next.value);
    }
  }

  async finish(summary: ReconcileSummary): Promise<void> {
    if (this.#options.dryRun) return;
    await this.#database.query(statements.finishRun(this.id, summary.exitStatus, summary));
  }

  #batches(): AsyncGenerator<Batch, WalkEnd> {
    const { batchSize, limit } = this.#options;
    if (this.#walletIds === undefined) {
      return walkAll(this.#database, this.#mapping, batchSize, limit);
    }
    const ids = this.#walletIds.slice(0, this.#total);
    return endingWith(
      walkWallets(this.#database, this.#mapping, ids, batchSize),
      ids.length < this.#walletIds.length ? 'limit' : 'complete',
    );
  }

  async #handle(batch: Batch): Promise<void> {
    this.tally.checked += batch.checked;
    if (this.#options.dryRun) {
      for (const suspect of batch.suspects) this.#report(suspect, { repaired: false });
    } else {
      await this.#repair(batch.suspects);
    }
    this.#options.onProgress?.({
      checked: this.tally.checked,
      total: Math.max(this.#total, this.tally.checked),
      drifted: this.tally.drifted,
      repaired: this.tally.repaired,
    });
  }

  /** Repairs what can be repaired; whoever is locked is tried once more, with some patience. */
  async #repair(suspects: readonly Comparison[]): Promise<void> {
    const byWallet = new Map<string, Comparison>();
    for (const suspect of suspects) {
      if (suspect.walletId !== null && hasRepairable(suspect))
        byWallet.set(suspect.walletId, suspect);
      else this.#report(suspect, { repaired: false });
    }
    const ids = [...byWallet.keys()];
    const locked: string[] = [];
    for (let from = 0; from < ids.length; from += REPAIR_CHUNK) {
      const outcome = await this.#repairChunk(ids.slice(from, from + REPAIR_CHUNK), 'skip');
      this.#conclude(outcome, byWallet);
      locked.push(...outcome.locked);
    }
    for (const id of locked) {
      const outcome = await this.#repairChunk([id], 'wait');
      this.#conclude(outcome, byWallet);
      if (outcome.locked.length > 0) this.#skip(id, byWallet.get(id)?.userId ?? null);
    }
  }

  #repairChunk(ids: readonly string[], onLocked: statements.OnLocked): Promise<RepairOutcome> {
    return repairWallets(this.#database, this.#mapping, ids, { runId: this.id, onLocked });
  }

  #conclude(outcome: RepairOutcome, suspects: ReadonlyMap<string, Comparison>): void {
    for (const found of outcome.found) this.#report(found, { repaired: true });
    for (const { walletId, error } of outcome.failed) {
      const suspect = suspects.get(walletId);
      if (suspect !== undefined) this.#report(suspect, { repaired: false });
      this.tally.errors += 1;
      this.#options.onProblem?.({
        type: 'error',
        walletId,
        userId: suspect?.userId ?? null,
        code: error.code,
        message: error.message,
      });
    }
  }

  #skip(walletId: string, userId: string | null): void {
    this.tally.skipped += 1;
    this.#options.onProblem?.({
      type: 'skip',
      walletId,
      userId,
      code: 'locked',
      message: 'another transaction holds the wallet or its profile; it was left as it is',
    });
  }

  #report(row: Comparison, outcome: { repaired: boolean }): void {
    const findings: Finding[] = findingsOf(row, outcome);
    countUser(this.tally, findings);
    for (const finding of findings) this.#options.onFinding?.(finding);
  }
}

function hasRepairable(row: Comparison): boolean {
  return findingsOf(row, { repaired: false }).some(({ cause, field }) =>
    isRepairable(cause, field),
  );
}

async function countWallets(database: Database, mapping: ResolvedMapping): Promise<number> {
  const [row] = await database.query<{ wallets: string }>(statements.countWallets(mapping));
  return Number(row?.wallets ?? 0);
}

/** @throws TrueupError `user_not_found`, `wallet_not_found`: before anything is changed */
async function walletsOf(
  database: Database,
  mapping: ResolvedMapping,
  userIds: readonly string[],
): Promise<string[]> {
  const rows = await findWallets(database, mapping, userIds);
  const unknown = rows.filter(({ known }) => !known).map(({ userId }) => userId);
  if (unknown.length > 0) {
    throw new TrueupError('user_not_found', `no profile belongs to user ${unknown.join(', ')}`, {
      hint: 'Nothing was changed. Give the ids that the profile table holds.',
    });
  }
  const without = rows.filter(({ walletId }) => walletId === null).map(({ userId }) => userId);
  if (without.length > 0) {
    throw new TrueupError('wallet_not_found', `user ${without.join(', ')} has no wallet`, {
      hint: 'Nothing was changed. Without a wallet there is nothing to reconcile.',
    });
  }
  return [...new Set(rows.flatMap(({ walletId }) => (walletId === null ? [] : [walletId])))];
}

async function* endingWith(
  batches: AsyncGenerator<Batch, WalkEnd>,
  end: WalkEnd,
): AsyncGenerator<Batch, WalkEnd> {
  yield* batches;
  return end;
}
