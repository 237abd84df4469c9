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
import type { CacheComparison } from '../core/comparison.js';
import { inOrder, slices } from './chunks.js';
import { noticeGaps } from '../sync/gaps.js';
import { Investigator } from './evidence.js';
import type { ResolvedMapping } from '../mapping/model.js';
import { refuseSharedProfiles } from '../mapping/resolve.js';
import type { Database } from '../postgres/database.js';
import { carryAll, refuseUnseenMarks } from '../sync/carry.js';
import {
  checkOptions,
  type CheckedOptions,
  type ReconcileOptions,
  type ReconcileSummary,
} from './options.js';
import { repairWallets, type FailedRepair, type RepairOutcome } from './repair.js';
import { walletsOf } from './users.js';
import { Verification } from './verification.js';
import { walletCount } from './detect-statements.js';
import type { OnLocked } from './repair-statements.js';
import * as statements from './statements.js';
import {
  detailsOf,
  endingWith,
  walkAll,
  walkWallets,
  type Batch,
  type Suspect,
  type Walk,
  type WalkEnd,
} from './walk.js';

/** Wallets that are repaired in one transaction: enough to be fast, few enough to be in nobody's way. */
const REPAIR_CHUNK = 1_000;

/** Chunks that are repaired side by side. They have no wallet and no profile in common. */
const REPAIR_CONNECTIONS = 3;

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
  await refuseUnseenMarks(database, mapping);
  // A marked profile is no drift. Where no carrier runs, this is the one that carries it.
  if (!checked.dryRun) await carryAll(database, mapping);
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
  readonly #walk: Walk;
  readonly #investigator: Investigator;
  /** Only a run over all that writes can tell that all caches were right. */
  #verification: Verification | undefined;

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
    this.#investigator = new Investigator(mapping);
    this.#walk = {
      database,
      mapping,
      batchSize: () => options.batchSize,
      jobs: options.jobs ?? 1,
      investigator: this.#investigator,
      detailed: options.dryRun,
    };
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
          kind: 'reconcile',
          ledger: mapping.ledger.table.quoted,
          options: { all: userIds === undefined, userIds, batchSize, limit },
          version,
        }),
      );
      await noticeGaps(database, mapping);
      if (userIds === undefined) run.#verification = await Verification.begin(database, mapping);
    }
    return run;
  }

  /** @returns why the run is incomplete, or null */
  async walk(): Promise<ReconcileSummary['incomplete']> {
    const batches = this.#batches();
    // While one batch is repaired, the next is already being looked at on another connection.
    let next = batches.next();
    for (;;) {
      const batch = await next;
      if (batch.done === true) return batch.value === 'limit' ? 'limit' : null;
      next = batches.next();
      // If handling fails, that is the error to tell; this keeps the other one from being unhandled.
      next.catch(() => undefined);
      await this.#handle(batch.value);
      if (this.#options.signal?.aborted === true) {
        const rest = await next;
        return rest.done === true && rest.value === 'complete' ? null : 'interrupted';
      }
    }
  }

  async finish(summary: ReconcileSummary): Promise<void> {
    if (this.#options.dryRun) return;
    await this.#database.query(statements.finishRun(this.id, summary.exitStatus, summary));
    if (summary.incomplete === null && summary.skipped + summary.errors === 0) {
      await this.#verification?.end(this.#database);
    }
  }

  #batches(): AsyncGenerator<Batch, WalkEnd> {
    if (this.#walletIds === undefined) {
      return walkAll(this.#walk, { limit: this.#options.limit });
    }
    const ids = this.#walletIds.slice(0, this.#total);
    return endingWith(
      walkWallets(this.#walk, ids),
      ids.length < this.#walletIds.length ? 'limit' : 'complete',
    );
  }

  async #handle(batch: Batch): Promise<void> {
    this.tally.checked += batch.checked;
    if (this.#options.dryRun) {
      for (const { details } of batch.suspects) this.#report(details);
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
  async #repair(suspects: readonly Suspect[]): Promise<void> {
    const breaks = new Map<string, CacheComparison>();
    const ids: string[] = [];
    for (const { walletId, details } of suspects) {
      if (walletId === null || (details !== undefined && !hasRepairable(details))) {
        this.#report(details);
        continue;
      }
      ids.push(walletId);
      const broken = details?.caches.find(({ field }) => field === 'balanceAfter');
      if (broken !== undefined) breaks.set(walletId, broken);
    }
    const locked: string[] = [];
    const outcomes = inOrder(slices(ids, REPAIR_CHUNK), REPAIR_CONNECTIONS, (chunk) =>
      this.#repairChunk(chunk, 'skip', breaks),
    );
    for await (const outcome of outcomes) {
      await this.#conclude(outcome);
      locked.push(...outcome.locked);
    }
    for (const id of locked) {
      const outcome = await this.#repairChunk([id], 'wait', breaks);
      await this.#conclude(outcome);
      if (outcome.locked.length > 0) await this.#skip(id);
    }
  }

  #repairChunk(
    ids: readonly string[],
    onLocked: OnLocked,
    breaks: ReadonlyMap<string, CacheComparison>,
  ): Promise<RepairOutcome> {
    const investigator = this.#investigator;
    const options = { runId: this.id, onLocked, investigator, breaks };
    return repairWallets(this.#database, this.#mapping, ids, options);
  }

  async #conclude(outcome: RepairOutcome): Promise<void> {
    for (const findings of outcome.found) this.#tell(findings);
    for (const failure of outcome.failed) await this.#fail(failure);
  }

  async #fail({ walletId, error }: FailedRepair): Promise<void> {
    const details = (await detailsOf(this.#walk, [walletId])).get(walletId);
    this.#report(details);
    this.tally.errors += 1;
    this.#options.onProblem?.({
      type: 'error',
      walletId,
      userId: details?.userId ?? null,
      code: error.code,
      message: error.message,
    });
  }

  async #skip(walletId: string): Promise<void> {
    const details = (await detailsOf(this.#walk, [walletId])).get(walletId);
    this.tally.skipped += 1;
    this.#options.onProblem?.({
      type: 'skip',
      walletId,
      userId: details?.userId ?? null,
      code: 'locked',
      message: 'another transaction holds the wallet or its profile; it was left as it is',
    });
  }

  /** Tells what a run leaves as it is. */
  #report(row: Comparison | undefined): void {
    if (row === undefined) return;
    this.#tell(findingsOf(row, { repaired: false }));
  }

  #tell(findings: readonly Finding[]): void {
    countUser(this.tally, findings);
    this.#verification?.see(findings);
    for (const finding of findings) this.#options.onFinding?.(finding);
  }
}

function hasRepairable(row: Comparison): boolean {
  return findingsOf(row, { repaired: false }).some(({ cause, field }) =>
    isRepairable(cause, field),
  );
}

async function countWallets(database: Database, mapping: ResolvedMapping): Promise<number> {
  const [row] = await database.query<{ wallets: string }>(walletCount(mapping));
  return Number(row?.wallets ?? 0);
}
