import type { PostItem } from '../core/posting/request.js';
import type { ItemOutcome } from '../ledger/outcomes.js';
import { postWithin } from '../ledger/within.js';
import type { ResolvedMapping } from '../mapping/model.js';
import { clientQueryable, type TransactionClient } from '../postgres/database.js';
import { Verbs } from './verbs.js';

export type { TransactionClient };

/**
 * The verbs inside a transaction of the caller: coins and his own rows are committed together, or
 * not at all. The wallets stay locked until he ends it, so he should soon. One call at a time.
 */
export class Within extends Verbs<Record<string, never[]>> {
  readonly #client: TransactionClient;
  readonly #mapping: ResolvedMapping;

  constructor(client: TransactionClient, mapping: ResolvedMapping) {
    super();
    this.#client = client;
    this.#mapping = mapping;
  }

  /** Posts items in the caller's transaction: one outcome for each, to be believed once he commits. */
  post(items: readonly PostItem[]): Promise<ItemOutcome[]> {
    return postWithin(clientQueryable(this.#client), this.#mapping, items);
  }
}
