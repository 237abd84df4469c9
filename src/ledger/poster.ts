import { TrueupError } from '../core/errors.js';
import { referenceKey, type PreparedItem } from '../core/posting/request.js';
import type { ResolvedMapping } from '../mapping/model.js';
import type { Database, Session, Statement } from '../postgres/database.js';
import { isConnectionFailure, isRetryable, sqlStateOf } from '../postgres/failures.js';
import { changesAnything, decideUnderLock, write, type Decided } from './batch.js';
import { explainFailure } from './failures.js';
import { concludePlan, type ItemOutcome } from './outcomes.js';
import { pause } from './pause.js';
import { findLost } from './lost.js';

/** How a poster works; see {@link Poster}. */
export interface PosterOptions {
  /** Items that may wait at a time. */
  readonly queueLimit: number;
  /** Items that are posted in one transaction at most. */
  readonly batchLimit: number;
  /** Batches that may be on their way at a time. */
  readonly lanes: number;
}

export const POSTER_DEFAULTS: PosterOptions = { queueLimit: 20_000, batchLimit: 1_000, lanes: 2 };

/** So many items have to wait before another lane joins: small batches share a commit instead. */
const ANOTHER_LANE_AT = 16;

/** How often a batch is tried again after a deadlock, or after somebody else committed its key. */
const ATTEMPTS = 8;

/** For how long a lost connection is looked for, in attempts; the pauses grow to a second. */
const RECONNECTS = 15;

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

const BEGIN: Statement = { text: 'BEGIN' };
const COMMIT: Statement = { text: 'COMMIT' };
const ROLLBACK: Statement = { text: 'ROLLBACK' };

/** Items that one call handed in: they stay in one batch, in their order. */
interface Unit {
  readonly items: readonly PreparedItem[];
  /** What they would lock, as they name it. */
  readonly touches: readonly string[];
  readonly resolve: (outcomes: ItemOutcome[]) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Group commit. Calls that arrive while a batch is on its way form the next one, so that thousands of
 * callers share a commit, and a single caller waits for nobody: there is no timer.
 *
 * A *lane* is idle until there is work. Then it takes what waits (up to the batch limit), posts it in
 * one transaction, answers, and takes again, until nothing waits. Lanes work side by side, and none
 * takes what would only wait for a wallet that another one holds: that stays for the next batch. So a
 * hot wallet keeps one lane busy with full batches, and its neighbours the others.
 */
export class Poster {
  readonly #database: Database;
  readonly #mapping: ResolvedMapping;
  readonly #options: PosterOptions;
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
    if (this.#waiting + items.length > this.#options.queueLimit && this.#waiting > 0) {
      return Promise.reject(
        new TrueupError('overloaded', `${String(this.#waiting)} postings wait already`, {
          hint: 'Nothing of this call was accepted. Wait for earlier ones before handing in more.',
        }),
      );
    }
    return new Promise((resolve, reject) => {
      this.#queue.push({
        items,
        touches: items.flatMap(({ item }) => touchedBy(item)),
        resolve,
        reject,
      });
      this.#waiting += items.length;
      this.#wake();
    });
  }

  /** Accepts nothing more, and waits until everything that was accepted is answered. */
  async close(): Promise<void> {
    this.#closed = true;
    while (this.#lanes.size + this.#queue.length > 0) {
      await Promise.all(this.#lanes);
      await Promise.resolve(); // What was handed in at last is taken up in the next moment.
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

  /** Puts free lanes to work, as far as there is enough to do that no other lane holds up. */
  #staff(): void {
    while (this.#lanes.size < this.#options.lanes) {
      if (this.#lanes.size > 0 && this.#waiting < ANOTHER_LANE_AT) return;
      const units = this.#take();
      if (units.length === 0) return;
      const lane = this.#work(units).finally(() => {
        this.#lanes.delete(lane);
        this.#wake();
      });
      this.#lanes.add(lane);
    }
  }

  async #work(first: readonly Unit[]): Promise<void> {
    for (let units = first; units.length > 0; units = this.#take()) {
      const touched = units.flatMap(({ touches }) => touches);
      for (const name of touched) this.#held.add(name);
      this.#wake(); // For another lane there may be enough left.
      await this.#answer(units);
      for (const name of touched) this.#held.delete(name);
    }
  }

  /**
   * The next batch: in the order of the queue, without what another lane is at work on. What is left
   * keeps its turn: nothing that comes after it touches the same wallets before it.
   */
  #take(): Unit[] {
    const taken: Unit[] = [];
    const left: Unit[] = [];
    const passed = new Set<string>();
    let items = 0;
    let index = 0;
    for (; index < this.#queue.length; index += 1) {
      const unit = this.#queue[index];
      if (unit === undefined || items >= this.#options.batchLimit) break;
      const fits = taken.length === 0 || items + unit.items.length <= this.#options.batchLimit;
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
      const items = units.flatMap((unit) => unit.items);
      const outcomes = await this.#postAll(items);
      let from = 0;
      for (const { items: own, resolve } of units) {
        resolve(outcomes.slice(from, from + own.length));
        from += own.length;
      }
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

  async #postAll(items: readonly PreparedItem[]): Promise<ItemOutcome[]> {
    let reconnects = 0;
    for (let attempt = 1; ;) {
      const sent: { decided?: Decided } = {};
      try {
        return await this.#database.session((session) => this.#transact(session, items, sent));
      } catch (error) {
        if (isConnectionFailure(error)) {
          // The server may have committed before the connection went: never post again unasked.
          if (sent.decided !== undefined) {
            const found = await findLost(this.#database, this.#mapping, items, sent.decided);
            if (found !== undefined) return found;
          }
          reconnects += 1;
          if (reconnects > RECONNECTS) throw error;
          await pause(reconnects);
          continue;
        }
        const again = isRetryable(error) || (sqlStateOf(error) === '23505' && items.some(hasKey));
        if (!again || attempt >= ATTEMPTS) throw error;
        await pause(attempt);
        attempt += 1;
      }
    }
  }

  async #transact(
    session: Session,
    items: readonly PreparedItem[],
    sent: { decided?: Decided },
  ): Promise<ItemOutcome[]> {
    try {
      const decided = await decideUnderLock(session, this.#mapping, items, [BEGIN]);
      const { plan, transactionIds } = decided;
      if (!changesAnything(decided)) {
        await session.query(ROLLBACK);
        return concludePlan(plan, { entryIds: [], transactionIds });
      }
      sent.decided = decided;
      const entryIds = await write(session, this.#mapping, decided, [COMMIT]);
      return concludePlan(plan, { entryIds, transactionIds });
    } catch (error) {
      if (!isConnectionFailure(error)) {
        delete sent.decided;
        await session.query(ROLLBACK); // After a failed COMMIT it does nothing.
      }
      throw error;
    }
  }
}

/** The wallets that an item names, as it names them; and holds, which lead to wallets. */
function touchedBy(item: PreparedItem['item']): string[] {
  switch (item.type) {
    case 'credit':
    case 'debit':
    case 'hold':
      return [referenceKey(item)];
    case 'transfer':
      return [referenceKey(item.from), referenceKey(item.to)];
    case 'capture':
      return [`hold ${item.holdId}`, ...(item.to === undefined ? [] : [referenceKey(item.to)])];
    case 'release':
      return [`hold ${item.holdId}`];
    case 'reverse':
      return [`entry ${item.entryId ?? ''} ${item.transactionId ?? ''}`];
  }
}

/** Whether what was sent may have been committed: it must not be sent again. */
function isUnknown(error: unknown): boolean {
  return error instanceof TrueupError && error.code === 'outcome_unknown';
}

function hasKey({ item }: PreparedItem): boolean {
  return item.idempotencyKey !== undefined;
}
