import { randomUUID } from 'node:crypto';
import { total } from '../core/amount.js';
import { TrueupError } from '../core/errors.js';
import type { Opening } from '../core/opening.js';
import type { ResolvedMapping } from '../mapping/model.js';
import { refuseSharedProfiles } from '../mapping/resolve.js';
import type { Database } from '../postgres/database.js';
import { isFaultOfOneUser, isRetryable, toTrueupError } from '../postgres/failures.js';
import { VERSION } from '../version.js';
import { slices } from './chunks.js';
import type { OpeningPlan, PlannedOpening } from './opening.js';
import { isUnsettled, postUnderLock, type Context, type Outcome } from './opening-transaction.js';
import type { OnLocked } from './repair-statements.js';
import { finishRun, startRun } from './statements.js';

/** Posting opening entries, in batches in id order, each under the locks of its wallets. */

/** How to post opening entries. */
export interface PostOpeningOptions {
  /** Wallets a transaction. Default: 500. */
  readonly batchSize?: number | undefined;
  /** Stops after the batch under way. */
  readonly signal?: AbortSignal | undefined;
  readonly onPosted?: ((opening: Opening) => void) | undefined;
  readonly onProblem?: ((problem: OpeningProblem) => void) | undefined;
  readonly onProgress?:
    ((progress: { readonly done: number; readonly total: number }) => void) | undefined;
}

/** A wallet that was left as it is. */
export interface OpeningProblem {
  readonly walletId: string;
  /** `locked`, a code of `NoOpening`, or that of the error. */
  readonly code: string;
  readonly message: string;
}

/** What became of a plan. */
export interface OpeningSummary {
  readonly runId: string;
  readonly posted: number;
  /** What the posted entries add up to, as decimal text. */
  readonly coins: string;
  /** Wallets that have their history by now, or are gone: nothing was to be done. */
  readonly settled: number;
  /** Wallets left as they are because somebody held them. */
  readonly skipped: number;
  /** Wallets left as they are for another reason. */
  readonly errors: number;
  readonly incomplete: 'interrupted' | null;
}

const DEFAULT_BATCH = 500;

/** The locks are held until the commit, and whoever writes to these wallets waits for it. */
const SETTINGS = { lock_timeout: '1s' } as const;
const RETRIES = { skip: 3, wait: 2 } as const;

/** If so many wallets fail and not one succeeds, the fault lies in the ledger and not in a wallet. */
const ENOUGH_FAILURES = 5;

/**
 * Posts the opening entries of a plan. Each batch is one transaction: it locks the wallets and their
 * profiles, looks again, inserts the entries, and leaves every cache as the ledger then decides, the
 * balance of the wallet unchanged. Interrupted and begun again, it posts what is still missing.
 *
 * @throws TrueupError `feature_off` (columns of the ledger that nobody fills), `mapping_mismatch`,
 *   `permission_denied`, and what the database says where no entry at all can be inserted
 */
export async function postOpeningBalances(
  database: Database,
  mapping: ResolvedMapping,
  plan: OpeningPlan,
  options: PostOpeningOptions = {},
): Promise<OpeningSummary> {
  refuseObstacles(plan);
  await refuseSharedProfiles(database, mapping);
  const posting = new Posting(database, mapping, plan, options);
  return posting.run();
}

/** @throws TrueupError `feature_off` */
export function refuseObstacles({ obstacles }: OpeningPlan): void {
  if (obstacles.length === 0) return;
  throw new TrueupError('feature_off', `no opening entry can be posted: ${obstacles.join('; ')}`, {
    hint:
      'Name such a column in the mapping (ledger.note, metadata, actor, ...) or give it a default; ' +
      'choose another reason with --reason. Nothing was changed.',
  });
}

class Posting {
  readonly #database: Database;
  readonly #mapping: ResolvedMapping;
  readonly #plan: OpeningPlan;
  readonly #options: PostOpeningOptions;
  readonly #runId = randomUUID();
  readonly #counts = { posted: 0, coins: '0', settled: 0, skipped: 0, errors: 0 };

  constructor(
    database: Database,
    mapping: ResolvedMapping,
    plan: OpeningPlan,
    options: PostOpeningOptions,
  ) {
    this.#database = database;
    this.#mapping = mapping;
    this.#plan = plan;
    this.#options = options;
  }

  async run(): Promise<OpeningSummary> {
    const { wallets, reason } = this.#plan;
    await this.#database.query(
      startRun({
        id: this.#runId,
        kind: 'service',
        ledger: this.#mapping.ledger.table.quoted,
        options: { openingBalances: wallets.length, reason },
        version: VERSION,
      }),
    );
    const locked: PlannedOpening[] = [];
    let done = 0;
    let interrupted = false;
    for (const batch of slices(wallets, this.#options.batchSize ?? DEFAULT_BATCH)) {
      interrupted = this.#options.signal?.aborted === true;
      if (interrupted) break;
      locked.push(...(await this.#post(batch, 'skip')));
      done += batch.length;
      this.#options.onProgress?.({ done, total: wallets.length });
    }
    for (const one of interrupted ? [] : locked) {
      if ((await this.#post([one], 'wait')).length > 0) this.#skip(one.walletId);
    }
    const incomplete = interrupted ? ('interrupted' as const) : null;
    const summary = { runId: this.#runId, ...this.#counts, incomplete };
    await this.#database.query(finishRun(this.#runId, null, summary));
    return summary;
  }

  /**
   * Posts a batch in one transaction. Where the database refuses, the batch is halved until the wallet
   * at fault stands alone.
   *
   * @returns the wallets that somebody else holds
   */
  async #post(
    batch: readonly PlannedOpening[],
    onLocked: OnLocked,
  ): Promise<readonly PlannedOpening[]> {
    try {
      const outcome = await this.#database.transaction(
        (session) => postUnderLock(session, this.#mapping, batch, this.#context(onLocked)),
        { settings: SETTINGS, retries: RETRIES[onLocked] },
      );
      this.#conclude(outcome);
      return batch.filter(({ walletId }) => outcome.locked.includes(walletId));
    } catch (error) {
      if (!isFaultOfOneUser(error) && !isUnsettled(error)) throw error;
      const [only] = batch;
      if (batch.length === 1 && only !== undefined) return this.#fail(only, error);
      const middle = Math.ceil(batch.length / 2);
      const left = await this.#post(batch.slice(0, middle), onLocked);
      return [...left, ...(await this.#post(batch.slice(middle), onLocked))];
    }
  }

  #context(onLocked: OnLocked): Context {
    return { runId: this.#runId, reason: this.#plan.reason, onLocked };
  }

  #conclude({ posted, left }: Outcome): void {
    for (const opening of posted) {
      this.#counts.posted += 1;
      this.#counts.coins = total(this.#counts.coins, opening.amount) ?? this.#counts.coins;
      this.#options.onPosted?.(opening);
    }
    for (const one of left) {
      if (one.code === 'settled') {
        this.#counts.settled += 1;
        continue;
      }
      this.#counts.errors += 1;
      this.#options.onProblem?.(one);
    }
  }

  #fail(one: PlannedOpening, error: unknown): readonly PlannedOpening[] {
    if (isRetryable(error)) return [one];
    const { code, message } = toTrueupError(error);
    this.#counts.errors += 1;
    this.#options.onProblem?.({ walletId: one.walletId, code, message });
    if (this.#counts.posted === 0 && this.#counts.errors >= ENOUGH_FAILURES) throw error;
    return [];
  }

  #skip(walletId: string): void {
    this.#counts.skipped += 1;
    const message = 'another transaction holds the wallet or its profile; it was left as it is';
    this.#options.onProblem?.({ walletId, code: 'locked', message });
  }
}
