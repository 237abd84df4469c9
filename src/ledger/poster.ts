import { setImmediate as nextTurn } from 'node:timers/promises';
import { TrueupError } from '../core/errors.js';
import type { PreparedItem } from '../core/posting/request.js';
import type { ResolvedMapping } from '../mapping/model.js';
import type { Database } from '../postgres/database.js';
import { isConnectionFailure } from '../postgres/failures.js';
import { AheadPoster } from './ahead.js';
import { explainFailure } from './failures.js';
import type { ItemOutcome } from './outcomes.js';
import { freeUnits } from './stuck.js';
import { isLocked, transact } from './transact.js';
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

/** Batches that may wait at a time for locks that others hold, beside the lanes. */
const WAITING_ROOM = 8;

/** Connections that a poster uses at most. */
export function connectionsOf({ lanes }: PosterOptions): number {
  return lanes + WAITING_ROOM + 1;
}

/**
 * Settings of the connections that post. Everything that a batch reads it finds by a key: a plan that
 * was made while a table was small would read all of it, and be kept while the table grows.
 */
export const POSTING_SESSION = {
  // Whoever holds a lock for longer keeps up those who want it, and nobody else.
  lock_timeout: '100ms',
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
  /** Batches that wait for locks which somebody else holds. */
  readonly #stuck = new Set<Promise<void>>();
  /** What is being worked on, and by how many batches. */
  readonly #held = new Map<string, number>();
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
    while (this.#lanes.size + this.#stuck.size + this.#queue.length > 0) {
      await Promise.all([...this.#lanes, ...this.#stuck]);
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
    this.#hold(units, 1);
    try {
      const left = await this.#ahead.post(units);
      if (left.length > 0) await this.#answer(left);
    } catch (error) {
      // Nobody may wait for ever, nor the lane end with it, whatever has gone wrong in here.
      for (const { reject } of units) reject(explainFailure(this.#mapping, error));
    }
    this.#hold(units, -1);
  }

  #hold(units: readonly Unit[], change: 1 | -1): void {
    for (const { touches } of units) {
      for (const name of touches) {
        const count = (this.#held.get(name) ?? 0) + change;
        if (count > 0) this.#held.set(name, count);
        else this.#held.delete(name);
      }
    }
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

  /**
   * Posts units together; where the database refuses, one after the other finds the one at fault. What
   * waits for a lock that somebody else holds leaves the lane to the others.
   */
  async #answer(units: readonly Unit[], patient = false): Promise<void> {
    try {
      const outcomes = await transact(this.#database, this.#mapping, itemsOf(units), patient);
      this.#ahead.changed(outcomes);
      resolveAll(units, outcomes);
    } catch (error) {
      if (!patient && isLocked(error)) {
        await this.#goAround(units);
        return;
      }
      if (units.length === 1 || isConnectionFailure(error) || isUnknown(error)) {
        for (const { reject } of units) reject(explainFailure(this.#mapping, error));
        return;
      }
      const middle = Math.ceil(units.length / 2);
      await this.#answer(units.slice(0, middle), patient);
      await this.#answer(units.slice(middle), patient);
    }
  }

  /** Posts what is not held up, and lets the rest wait beside the lanes, as long as there is room. */
  async #goAround(units: readonly Unit[]): Promise<void> {
    const free = units.length > 1 ? await freeUnits(this.#database, this.#mapping, units) : [];
    // If all are free by now, they need not wait; but they do not go round in circles either.
    const held = free.length === units.length ? units : units.filter((one) => !free.includes(one));
    if (this.#stuck.size >= WAITING_ROOM) {
      await this.#answer(units, true);
      return;
    }
    this.#hold(held, 1);
    const waiting = this.#answer(held, true)
      .catch((error: unknown) => {
        for (const { reject } of held) reject(explainFailure(this.#mapping, error));
      })
      .finally(() => {
        this.#hold(held, -1);
        this.#stuck.delete(waiting);
        this.#wake();
      });
    this.#stuck.add(waiting);
    if (held.length < units.length) await this.#answer(free);
  }
}

/** Whether what was sent may have been committed: it must not be sent again. */
function isUnknown(error: unknown): boolean {
  return error instanceof TrueupError && error.code === 'outcome_unknown';
}
