import { findingsOf, isRepairable, type Comparison, type Finding } from '../core/drift.js';
import type { CacheComparison } from '../core/comparison.js';
import { inOrder, slices } from './chunks.js';
import { reach } from './failpoints.js';
import { lostRepairs } from './lost.js';
import { patiently } from './patience.js';
import { repairWallets, type RepairOutcome } from './repair.js';
import type { OnLocked } from './repair-statements.js';
import type { Reporter } from './reporter.js';
import type { Tiers } from './tiers.js';
import { detailsOf, type Suspect, type Walk } from './walk.js';

/** Wallets that are repaired in one transaction: enough to be fast, few enough to be in nobody's way. */
const REPAIR_CHUNK = 1_000;

/** Chunks that are repaired side by side. They have no wallet and no profile in common. */
const REPAIR_CONNECTIONS = 3;

/** What a batch is repaired with. */
export interface MenderOptions {
  readonly walk: Walk;
  readonly runId: string;
  readonly reporter: Reporter;
  /** null: whatever is found is repaired. */
  readonly tiers: Tiers | null;
  readonly signal: AbortSignal | undefined;
  /** The connection was lost; the work is done again. */
  readonly onLost: () => void;
}

/** Repairs the suspects of one batch after the other, and tells the reporter. */
export class Mender {
  readonly #options: MenderOptions;
  #batch = 0;
  /** In this batch a commit may have gone unanswered. */
  #doubtful = false;

  constructor(options: MenderOptions) {
    this.#options = options;
  }

  /** Repairs what can be repaired; whoever is locked is tried once more, with some patience. */
  async repair(suspects: readonly Suspect[], batch: number): Promise<void> {
    this.#batch = batch;
    this.#doubtful = false;
    const { reporter } = this.#options;
    const breaks = new Map<string, CacheComparison>();
    const ids: string[] = [];
    for (const { walletId, details, negative } of suspects) {
      const worthTrying = isWorthTrying(details);
      if (walletId === null || !worthTrying) reporter.left(details);
      if (walletId === null || (!worthTrying && negative === undefined)) continue;
      ids.push(walletId);
      if (!worthTrying) continue;
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

  /** Where the connection is lost it is done again, and what was committed all the same is told too. */
  #repairChunk(
    ids: readonly string[],
    onLocked: OnLocked,
    breaks: ReadonlyMap<string, CacheComparison>,
  ): Promise<RepairOutcome> {
    const { walk, runId, signal, onLost, tiers } = this.#options;
    const { database, mapping, investigator } = walk;
    const batch = this.#batch;
    const options = {
      runId,
      onLocked,
      investigator,
      breaks,
      tiers,
      reach: (stage: Parameters<typeof reach>[0]) => {
        reach(stage, batch);
      },
    };
    return patiently(
      async (attempt) => {
        const outcome = await repairWallets(database, mapping, ids, options);
        this.#doubtful ||= attempt > 0;
        if (!this.#doubtful) return outcome;
        const known = new Set(outcome.found.map(([first]) => first?.walletId));
        const lost = await lostRepairs(database, runId, ids);
        return {
          ...outcome,
          found: [...outcome.found, ...lost.filter(([first]) => !known.has(first?.walletId))],
        };
      },
      { signal, onLost },
    );
  }

  async #conclude(outcome: RepairOutcome): Promise<void> {
    const { reporter } = this.#options;
    for (const findings of outcome.found) reporter.found(findings);
    for (const wallet of outcome.critical) reporter.critical(wallet);
    for (const { walletId, error } of outcome.failed) {
      const { code, message } = error;
      reporter.failed({ walletId, details: await this.#details(walletId), code, message });
    }
  }

  async #skip(walletId: string): Promise<void> {
    this.#options.reporter.skipped({
      walletId,
      details: await this.#details(walletId),
      code: 'locked',
      message: 'another transaction holds the wallet or its profile; it was left as it is',
    });
  }

  async #details(walletId: string): Promise<Comparison | undefined> {
    const { walk, signal, onLost } = this.#options;
    const found = await patiently(() => detailsOf(walk, [walletId]), { signal, onLost });
    return found.get(walletId);
  }
}

/** Whether there is something to write. Without details there are only caches to overwrite. */
export function isWorthTrying(details: Comparison | undefined): boolean {
  if (details === undefined) return true;
  return findingsOf(details, { repaired: false }).some(isWritable);
}

function isWritable({ cause, field }: Finding): boolean {
  return isRepairable(cause, field);
}
