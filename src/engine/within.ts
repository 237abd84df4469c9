import { asWrong, wrong } from '../core/arguments.js';
import type { PostItem } from '../core/posting/request.js';
import type { ItemOutcome } from '../ledger/outcomes.js';
import { prepare } from '../ledger/prepare.js';
import { postWithin } from '../ledger/within.js';
import type { ResolvedMapping } from '../mapping/model.js';
import { clientQueryable, type TransactionClient } from '../postgres/database.js';
import type { Gate } from './gate.js';
import { Verbs } from './verbs.js';

export type { TransactionClient };

/** What {@link Within} needs of the Trueup that made it. */
export interface WithinParts {
  readonly mapping: ResolvedMapping;
  readonly gate: Gate;
  /** Items that one call may have. */
  readonly most: number;
}

/** By client: the end of the last call that was made on it, however it ended. */
const ends = new WeakMap<TransactionClient, Promise<unknown>>();

/**
 * The verbs inside a transaction of the caller: coins and the caller's own rows are committed together,
 * or not at all. The wallets stay locked until the transaction ends, so it should soon. Calls on one
 * client take their turn, in the order in which they were made.
 */
export class Within extends Verbs<Record<string, never[]>> {
  readonly #client: TransactionClient;
  readonly #parts: WithinParts;

  constructor(client: TransactionClient, parts: WithinParts) {
    super();
    checkClient(client);
    this.#client = client;
    this.#parts = parts;
  }

  /** Posts items in the caller's transaction: one outcome for each, to be believed once it is committed. */
  async post(items: readonly PostItem[]): Promise<ItemOutcome[]> {
    const { mapping, gate, most } = this.#parts;
    gate.checkWritable();
    const prepared = prepare(mapping, items, most);
    if (prepared.length === 0) return [];
    // Two at once would open and close their savepoints across each other.
    return inTurn(this.#client, () => postWithin(clientQueryable(this.#client), mapping, prepared));
  }
}

function inTurn<Result>(client: TransactionClient, work: () => Promise<Result>): Promise<Result> {
  const result = (ends.get(client) ?? Promise.resolve()).then(work);
  ends.set(client, Promise.allSettled([result]));
  return result;
}

function checkClient(client: unknown): void {
  try {
    if (typeof client === 'object' && client !== null && 'query' in client) {
      if (typeof client.query === 'function') return;
    }
  } catch (error) {
    throw asWrong(error, 'the client');
  }
  throw wrong('within needs the client on which the transaction was begun: an object with query()');
}
