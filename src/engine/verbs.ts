import { asWrong, show, wrong } from '../core/arguments.js';
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
import { Events } from './events.js';

/**
 * The verbs of the economy. Each answers with a value: posted, held, released, or refused with a
 * code; docs/errors.md lists the codes in order of precedence. What is thrown is an error: a wrong
 * argument (`invalid_argument`), a column that the mapping does not name (`feature_off`), a ledger
 * whose caches would not follow (`sync_missing`), or the database (`database_failed`,
 * `database_unreachable`).
 */
export abstract class Verbs<Told extends Record<keyof Told, unknown[]>> extends Events<Told> {
  /** Posts items in their order: one outcome for each. See {@link PostItem} for links. */
  abstract post(items: readonly PostItem[]): Promise<ItemOutcome[]>;

  /** Puts coins from outside into a wallet. */
  async credit(request: PostRequest): Promise<PostOutcome> {
    return this.#one('credit', request) as Promise<PostOutcome>;
  }

  /** Takes coins out of a wallet. */
  async debit(request: PostRequest): Promise<PostOutcome> {
    return this.#one('debit', request) as Promise<PostOutcome>;
  }

  /** Moves coins from one wallet to another of the same currency: both entries, or neither. */
  async transfer(request: TransferRequest): Promise<PostOutcome> {
    return this.#one('transfer', request) as Promise<PostOutcome>;
  }

  /**
   * Takes back an entry with all entries of its transaction, once, wholly or in part. The new
   * entries name the ones that they take back.
   */
  async reverse(request: ReverseRequest): Promise<PostOutcome> {
    return this.#one('reverse', request) as Promise<PostOutcome>;
  }

  /** Sets coins aside: they stay in the balance and leave what is available. */
  async hold(request: HoldRequest): Promise<HoldOutcome> {
    return this.#one('hold', request) as Promise<HoldOutcome>;
  }

  /** Takes coins of a hold, all or some; what is left stays on hold, unless it is to be released. */
  async capture(request: CaptureRequest): Promise<PostOutcome> {
    return this.#one('capture', request) as Promise<PostOutcome>;
  }

  /** Frees what is left of a hold. */
  async release(request: ReleaseRequest): Promise<ReleaseOutcome> {
    return this.#one('release', request) as Promise<ReleaseOutcome>;
  }

  /** An item's outcome is of its own kind; only the type system does not know. */
  async #one(type: PostItem['type'], request: unknown): Promise<ItemOutcome> {
    const [outcome] = await this.post([itemOf(type, request) as PostItem]);
    if (outcome === undefined) throw new Error('a batch of one without an outcome');
    return outcome;
  }
}

/** The request as an item. The verb says what is done: a request cannot make a debit of a credit. */
function itemOf(type: PostItem['type'], request: unknown): unknown {
  if (typeof request !== 'object' || request === null) {
    throw wrong(`the request of a ${type} has to be an object, not ${show(request)}`);
  }
  try {
    const item: Record<string, unknown> = { ...request };
    if (item['type'] !== undefined && item['type'] !== type) {
      throw wrong(`the type of a ${type} cannot be ${show(item['type'])}: leave it out`);
    }
    item['type'] = type;
    return item;
  } catch (error) {
    throw asWrong(error, `the request of a ${type}`);
  }
}
