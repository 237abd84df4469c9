import { findingsOf, isRepairable, type Comparison, type Finding } from '../core/drift.js';
import type { CacheComparison } from '../core/comparison.js';
import { inOrder, slices } from './chunks.js';
import { reach } from './failpoints.js';
import { lostRepairs } from './lost.js';
import type { OtherWriters } from './other-writers.js';
import { patiently } from './patience.js';
import { repairWallets, type RepairOutcome } from './repair.js';
import type { OnLocked } from './repair-statements.js';
import type { Reporter } from './reporter.js';
import type { Holding } from './tiers.js';
import { detailsOf, type Suspect, type Walk } from './walk.js';

/** How much is repaired at a time. Chunks that are repaired side by side have no wallet and no profile in common. */
interface Share {
  /** Wallets that are repaired in one transaction. */
  readonly chunk: number;
  /** Chunks that are repaired side by side. */
  readonly connections: number;
}

/** Where nobody else writes: as fast as it gets. */
const ALONE: Share = { chunk: 1_000, connections: 3 };

/**
 * Beside others who write: short locks, and of the cores no more than the run was given jobs. On two
 * cores the p99 of 16 writers was 14 ms with it, 16 to 21 with chunks of 1,000, and 27 to 31 as if alone;
 * without any run 12 to 31.
 */
function beside(jobs: number): Share {
  return { chunk: 250, connections: jobs };
}

/** A repair takes one number of a transaction, and one more where it tries something behind a savepoint. */
const NUMBERS_A_REPAIR = 2;

/** A chain of running balances that detection saw broken, on a wallet that has caches to overwrite too. */
interface Break {
  readonly details: Comparison;
  readonly broken: CacheComparison;
}

/** What a batch is repaired with. */
export interface MenderOptions {
  readonly walk: Walk;
  readonly runId: string;
  readonly reporter: Reporter;
  /** null: whatever is found is repaired. */
  readonly holding: Holding;
  /** How many cores the run may keep at work while others write. */
  readonly jobs: number;
  readonly others: OtherWriters;
  readonly signal: AbortSignal | undefined;
  /** The connection was lost; the work is done again. */
  readonly onLost: () => void;
}

/** Repairs the suspects of one batch after the other, and tells the reporter. */
export class Mender {
  readonly #options: MenderOptions;
  #besideOthers = false;
  #batch = 0;
  /** In this batch a commit may have gone unanswered. */
  #doubtful = false;

  constructor(options: MenderOptions) {
    this.#options = options;
  }

  /** Whether others were writing when it repaired last. */
  get besideOthers(): boolean {
    return this.#besideOthers;
  }

  /** Repairs what can be repaired; whoever is locked is tried once more, with some patience. */
  async repair(suspects: readonly Suspect[], batch: number): Promise<void> {
    this.#batch = batch;
    this.#doubtful = false;
    const { reporter } = this.#options;
    const breaks = new Map<string, Break>();
    const ids: string[] = [];
    for (const { walletId, details, negative } of suspects) {
      if (walletId === null || (negative === undefined && !isWorthTrying(details))) {
        reporter.left(details);
        continue;
      }
      ids.push(walletId);
      const broken = details?.caches.find(({ field }) => field === 'balanceAfter');
      if (details !== undefined && broken !== undefined) breaks.set(walletId, { details, broken });
    }
    const locked: string[] = [];
    const { chunk: size, connections } = ids.length === 0 ? ALONE : await this.#share();
    const outcomes = inOrder(slices(ids, size), connections, (chunk) =>
      this.#repairChunk(chunk, 'skip', breaks),
    );
    for await (const outcome of outcomes) {
      await this.#conclude(outcome, breaks);
      locked.push(...outcome.locked);
    }
    for (const id of locked) {
      const outcome = await this.#repairChunk([id], 'wait', breaks);
      await this.#conclude(outcome, breaks);
      if (outcome.locked.length === 0) continue;
      breaks.delete(id);
      await this.#skip(id);
    }
    // Their caches were right under lock, but a repair would not have mended the chain.
    for (const { details, broken } of breaks.values()) {
      reporter.left({ ...details, caches: [broken] });
    }
  }

  async #share(): Promise<Share> {
    const { others, jobs, signal, onLost } = this.#options;
    this.#besideOthers = await patiently(() => others.write(), { signal, onLost });
    return this.#besideOthers ? beside(jobs) : ALONE;
  }

  /** Where the connection is lost it is done again, and what was committed all the same is told too. */
  #repairChunk(
    ids: readonly string[],
    onLocked: OnLocked,
    breaks: ReadonlyMap<string, Break>,
  ): Promise<RepairOutcome> {
    const { walk, runId, signal, onLost, holding, others } = this.#options;
    others.took(NUMBERS_A_REPAIR);
    const { database, mapping, investigator } = walk;
    const batch = this.#batch;
    const options = {
      runId,
      onLocked,
      investigator,
      breaks: new Map([...breaks].map(([id, { broken }]) => [id, broken])),
      holding,
      reach: (stage: Parameters<typeof reach>[0]) => {
        reach(stage, batch);
      },
    };
    return patiently(
      async (attempt) => {
        const outcome = await repairWallets(database, mapping, ids, options);
        this.#doubtful ||= attempt > 0;
        if (!this.#doubtful) return outcome;
        return withLost(outcome, await lostRepairs(database, runId, ids));
      },
      { signal, onLost },
    );
  }

  /** Tells what became of a chunk; its breaks that are told are taken out of the list. */
  async #conclude(outcome: RepairOutcome, breaks: Map<string, Break>): Promise<void> {
    const { reporter } = this.#options;
    for (const findings of outcome.found) {
      reporter.found(findings);
      const broken = findings.find(({ field }) => field === 'balanceAfter');
      if (broken !== undefined) breaks.delete(broken.walletId ?? '');
    }
    for (const wallet of outcome.critical) reporter.critical(wallet);
    for (const { walletId, error } of outcome.failed) {
      breaks.delete(walletId);
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

/** Adds repairs that were committed before, without an answer, to what was found now. */
function withLost(outcome: RepairOutcome, lost: readonly Finding[][]): RepairOutcome {
  const found = new Map(outcome.found.map((all) => [all[0]?.walletId ?? '', [...all]]));
  for (const finding of lost.flat()) {
    const { walletId, part, field } = finding;
    const known = found.get(walletId ?? '') ?? [];
    found.set(walletId ?? '', known);
    if (!known.some((one) => one.part === part && one.field === field && one.repaired)) {
      known.push(finding);
    }
  }
  return { ...outcome, found: [...found.values()] };
}

/** Whether there is something to write. Without details there are only caches to overwrite. */
export function isWorthTrying(details: Comparison | undefined): boolean {
  if (details === undefined) return true;
  return findingsOf(details, { repaired: false }).some(isWritable);
}

function isWritable({ cause, field }: Finding): boolean {
  return isRepairable(cause, field);
}
