import { setImmediate as nextTurn } from 'node:timers/promises';
import { TrueupError } from '../core/errors.js';
import type { PreparedItem } from '../core/posting/request.js';
import type { ResolvedMapping } from '../mapping/model.js';
import type { Database } from '../postgres/database.js';
import { isConnectionFailure } from '../postgres/failures.js';
import { AheadPoster } from './ahead.js';
import { explainFailure } from './failures.js';
import type { ItemOutcome } from './outcomes.js';
import { transact } from './transact.js';
import { itemsOf, resolveAll, touchedBy, type Unit } from './unit.js';

/** How a poster works; see {@link Poster}. */
export interface PosterOptions {
  /** Items that may wait at a time, and that one call may have. */
  readonly queueLimit: number;
  /** Items that calls share a transaction up to. A single call is never divided. */
  readonly batchLimit: number;
  /** Batches that may be on their way at a time. */
  readonly lanes: number;
}

export const POSTER_DEFAULTS: PosterOptions = { queueLimit: 20_000, batchLimit: 1_000, lanes: 2 };

/** So many items have to wait before another lane joins: small batches share a commit instead. */
const ANOTHER_LANE_AT = 8;

/**
 * Settings of the connections that post. Everything that a batch reads it finds by a key: a plan that
 * was made while a table was small would read all of it, and be kept while the table grows.
 */
export const POSTING_SESSION = {
  lock_timeout: '10s',
  enable_seqscan: 'off',
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
  // With one or two ids a plan for these very values always looks cheaper, and is made for every batch.
  plan_cache_mode: 'force_generic_plan',
} as const;

/**
 * Group commit. Calls that arrive while a batch is on its way form the next one, so that thousands of
 * callers share a commit, and a single caller waits for nobody: there is no timer.
 *
 * A *lane* is idle until there is work. Then it takes its share of what waits (up to the batch limit),
 * posts it in one transaction, and answers. Lanes work side by side, and none takes what would only wait
 * for a wallet that another one holds: that stays for the next batch. So a hot wallet keeps one lane
 * busy with full batches, and its neighbours the others.
 */
export class Poster {
  readonly #database: Database;
  readonly #mapping: ResolvedMapping;
  readonly #options: PosterOptions;
  readonly #ahead: AheadPoster;
  #queue: Unit[] = [];
  #waiting = 0;
  readonly #lanes = new Set<Promise<void>>();
  /** What the lanes are at work on. */
  readonly #held = new Set<string>();
  #closed = false;
  #woken = false;

  constructor(database: Database, mapping: ResolvedMapping, options: PosterOptions) {
    this.#database = database;
    this.#mapping = mapping;
    this.#options = options;
    this.#ahead = new AheadPoster(database, mapping);
  }

  /** To be called whenever a connection is found broken. */
  forget(): void {
    this.#ahead.forget();
  }

  /**
   * Hands items in.
   *
   * @returns one outcome for each, once they are committed
   * @throws TrueupError `overloaded` (nothing was accepted), `closed`, and what the database refuses
   */
  post(items: readonly PreparedItem[]): Promise<ItemOutcome[]> {
    if (this.#closed) {
      return Promise.reject(new TrueupError('closed', 'this Trueup is closed'));
    }
    if (this.#waiting + items.length > this.#options.queueLimit) {
      return Promise.reject(
        new TrueupError('overloaded', `${String(this.#waiting)} postings wait already`, {
          hint: 'Nothing of this call was accepted. Wait for earlier ones before handing in more.',
        }),
      );
    }
    return new Promise((resolve, reject) => {
      this.#queue.push({ items, touches: touchedBy(items), resolve, reject });
      this.#waiting += items.length;
      this.#wake();
    });
  }

  /** Accepts nothing more, and waits until everything that was accepted is answered. */
  async close(): Promise<void> {
    this.#closed = true;
    while (this.#lanes.size + this.#queue.length > 0) {
      await Promise.all(this.#lanes);
      await nextTurn(); // What was handed in at last is taken up in the next moment.
    }
  }

  /** Looks for a lane once everybody who calls in this moment has called. */
  #wake(): void {
    if (this.#woken) return;
    this.#woken = true;
    queueMicrotask(() => {
      this.#woken = false;
      this.#staff();
    });
  }

  /**
   * The same once everybody who was answered just now has called again, so that they share a batch:
   * from answer to call it takes them some microtasks.
   */
  async #wakeLater(): Promise<void> {
    this.#woken = true;
    await nextTurn();
    this.#woken = false;
    this.#staff();
  }

  /** Puts free lanes to work, as far as there is enough to do that no other lane holds up. */
  #staff(): void {
    for (;;) {
      const free = this.#options.lanes - this.#lanes.size;
      if (free === 0 || (this.#lanes.size > 0 && this.#waiting < ANOTHER_LANE_AT)) return;
      const share = Math.max(Math.ceil(this.#waiting / free), ANOTHER_LANE_AT);
      const units = this.#take(Math.min(share, this.#options.batchLimit));
      if (units.length === 0) return;
      const lane = this.#work(units).finally(() => {
        this.#lanes.delete(lane);
        if (units.length === 1) this.#wake();
        else void this.#wakeLater();
      });
      this.#lanes.add(lane);
    }
  }

  async #work(units: readonly Unit[]): Promise<void> {
    const touched = units.flatMap(({ touches }) => touches);
    for (const name of touched) this.#held.add(name);
    try {
      const left = await this.#ahead.post(units);
      if (left.length > 0) await this.#answer(left);
    } catch (error) {
      // Nobody may wait for ever, nor the lane end with it, whatever has gone wrong in here.
      for (const { reject } of units) reject(explainFailure(this.#mapping, error));
    }
    for (const name of touched) this.#held.delete(name);
  }

  /**
   * The next batch: in the order of the queue, without what another lane is at work on. What is left
   * keeps its turn: nothing that comes after it touches the same wallets before it.
   */
  #take(limit: number): Unit[] {
    const taken: Unit[] = [];
    const left: Unit[] = [];
    const passed = new Set<string>();
    let items = 0;
    let index = 0;
    for (; index < this.#queue.length; index += 1) {
      const unit = this.#queue[index];
      if (unit === undefined || items >= limit) break;
      const fits = taken.length === 0 || items + unit.items.length <= limit;
      if (fits && !unit.touches.some((name) => this.#held.has(name) || passed.has(name))) {
        taken.push(unit);
        items += unit.items.length;
      } else {
        left.push(unit);
        for (const name of unit.touches) passed.add(name);
      }
    }
    this.#queue = left.concat(this.#queue.slice(index));
    this.#waiting -= items;
    return taken;
  }

  /** Posts units together; where the database refuses, one after the other finds the one at fault. */
  async #answer(units: readonly Unit[]): Promise<void> {
    try {
      const outcomes = await transact(this.#database, this.#mapping, itemsOf(units));
      this.#ahead.changed(outcomes);
      resolveAll(units, outcomes);
    } catch (error) {
      const [only] = units;
      if (units.length === 1 || isConnectionFailure(error) || isUnknown(error)) {
        for (const { reject } of units) reject(explainFailure(this.#mapping, error));
        return;
      }
      if (only === undefined) return;
      const middle = Math.ceil(units.length / 2);
      await this.#answer(units.slice(0, middle));
      await this.#answer(units.slice(middle));
    }
  }
}

/** Whether what was sent may have been committed: it must not be sent again. */
function isUnknown(error: unknown): boolean {
  return error instanceof TrueupError && error.code === 'outcome_unknown';
}
