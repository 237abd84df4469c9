import type { ItemOutcome, PostItem, Trueup, TrueupOptions } from '../../src/index.js';
import type { WalletReference } from '../../src/core/posting/request.js';
import type { TestDatabase } from './database.js';
import { Proxy } from './proxy.js';

/** How often a batch waits for the server that was posted ahead. */
export const AHEAD = 1;

/** After mostly stale batches a poster works under locks for a while: 64 batches at most, twice. */
const LONGEST_REST = 140;

/** A program whose round trips are counted, and which can be brought to remember wallets. */
export class Counted {
  readonly trueup: Trueup;
  readonly proxy: Proxy;
  readonly #scratch: string;

  private constructor(trueup: Trueup, proxy: Proxy, scratch: string) {
    this.trueup = trueup;
    this.proxy = proxy;
    this.#scratch = scratch;
  }

  static async on(db: TestDatabase, options: TrueupOptions = {}): Promise<Counted> {
    const proxy = await Proxy.to(db.url);
    const trueup = await db.trueup({ databaseUrl: proxy.url, ...options });
    return new Counted(trueup, proxy, await trueup.openWallet({}));
  }

  /** A credit of a wallet that nobody else posts to: with it there is always something to post. */
  get beside(): PostItem {
    return { type: 'credit', walletId: this.#scratch, amount: 1n, reason: 'winner' };
  }

  count(...items: PostItem[]): Promise<number> {
    return this.proxy.count(() => this.trueup.post(items));
  }

  /**
   * Posts to these wallets until it takes one round trip: so it is proved that the program remembers
   * them, by these names, and will post ahead. Their balances are as before. Of one to which nothing
   * can be posted it is only proved that the program has tried.
   */
  async remember(...wallets: readonly WalletReference[]): Promise<void> {
    for (const wallet of wallets) await this.#rememberOne(wallet);
    if (wallets.length === 0) await this.count(this.beside);
  }

  async #rememberOne(wallet: WalletReference): Promise<void> {
    const types: ('credit' | 'debit')[] = ['credit', 'debit'];
    for (let attempt = 0; attempt < LONGEST_REST; attempt += 1) {
      const items = types.map((type) => ({ type, reason: 'correction', ...wallet }));
      let outcomes: ItemOutcome[] = [];
      const rounds = await this.proxy.count(async () => {
        outcomes = await this.trueup.post([
          this.beside,
          ...items.map((item) => ({ ...item, amount: 1n, link: 'back and forth' })),
        ]);
      });
      if (rounds === AHEAD || isFrozen(outcomes[1])) return;
      // There may be no room for a credit, or nothing to debit.
      if (outcomes[1]?.status === 'refused') types.reverse();
    }
    throw new Error('it does not post ahead');
  }
}

function isFrozen(outcome: ItemOutcome | undefined): boolean {
  return outcome?.status === 'refused' && outcome.code === 'wallet_frozen';
}
