import { EventEmitter } from 'node:events';
import type {
  CaptureRequest,
  HoldRequest,
  PostItem,
  PostRequest,
  ReleaseRequest,
  ReverseRequest,
  TransferRequest,
} from '../core/posting/request.js';
import type { HoldOutcome, ItemOutcome, PostOutcome, ReleaseOutcome } from '../ledger/outcomes.js';

/**
 * The verbs of the economy. Each answers with a value: posted, held, released, or refused with a
 * code; docs/errors.md lists the codes in order of precedence. What is thrown is an error: a wrong
 * argument (`invalid_argument`), a column that the mapping does not name (`feature_off`), a ledger
 * whose caches would not follow (`sync_missing`), or the database (`database_failed`,
 * `database_unreachable`).
 */
export abstract class Verbs<
  Events extends Record<keyof Events, unknown[]>,
> extends EventEmitter<Events> {
  /** Posts items in their order: one outcome for each. See {@link PostItem} for links. */
  abstract post(items: readonly PostItem[]): Promise<ItemOutcome[]>;

  /** Puts coins from outside into a wallet. */
  async credit(request: PostRequest): Promise<PostOutcome> {
    return this.#one({ type: 'credit', ...request }) as Promise<PostOutcome>;
  }

  /** Takes coins out of a wallet. */
  async debit(request: PostRequest): Promise<PostOutcome> {
    return this.#one({ type: 'debit', ...request }) as Promise<PostOutcome>;
  }

  /** Moves coins from one wallet to another of the same currency: both entries, or neither. */
  async transfer(request: TransferRequest): Promise<PostOutcome> {
    return this.#one({ type: 'transfer', ...request }) as Promise<PostOutcome>;
  }

  /**
   * Takes back an entry with all entries of its transaction, once, wholly or in part. The new
   * entries name the ones that they take back.
   */
  async reverse(request: ReverseRequest): Promise<PostOutcome> {
    return this.#one({ type: 'reverse', ...request }) as Promise<PostOutcome>;
  }

  /** Sets coins aside: they stay in the balance and leave what is available. */
  async hold(request: HoldRequest): Promise<HoldOutcome> {
    return this.#one({ type: 'hold', ...request }) as Promise<HoldOutcome>;
  }

  /** Takes coins of a hold, all or some; what is left stays on hold, unless it is to be released. */
  async capture(request: CaptureRequest): Promise<PostOutcome> {
    return this.#one({ type: 'capture', ...request }) as Promise<PostOutcome>;
  }

  /** Frees what is left of a hold. */
  async release(request: ReleaseRequest): Promise<ReleaseOutcome> {
    return this.#one({ type: 'release', ...request }) as Promise<ReleaseOutcome>;
  }

  /** An item's outcome is of its own kind; only the type system does not know. */
  async #one(item: PostItem): Promise<ItemOutcome> {
    const [outcome] = await this.post([item]);
    if (outcome === undefined) throw new Error('a batch of one without an outcome');
    return outcome;
  }
}
