import { wholeCoins } from '../../core/amount.js';
import type { ResolvedMapping } from '../../mapping/model.js';
import type { Queryable } from '../../postgres/database.js';
import * as statements from './circulation-statements.js';

/** All coins of one currency. */
export interface Circulation {
  /** null: the mapping knows no currencies; or entries of wallets that do not exist. */
  readonly currency: string | null;
  /** What all wallets hold together, as the ledger says. */
  readonly inWallets: bigint;
  /** Coins that came in from outside: positive entries without a counterparty. */
  readonly issued: bigint;
  /** Coins that went out: negative entries without a counterparty, as a positive number. */
  readonly withdrawn: bigint;
  /** Coins that went from wallet to wallet, all transfers added up. */
  readonly transferred: bigint;
  /**
   * The books close: `inWallets` is `issued - withdrawn`, and what came out of wallets for others
   * went into them.
   */
  readonly closes: boolean;
}

/**
 * Adds up the books of each currency, in one statement, which reads the whole ledger.
 *
 * @throws TrueupError `amount_not_whole`
 */
export async function readCirculation(
  session: Queryable,
  mapping: ResolvedMapping,
): Promise<Circulation[]> {
  const rows = await session.query<statements.CirculationRow>(statements.circulation(mapping));
  return rows.map(({ currency, ...row }) => {
    const inWallets = wholeCoins(row.inWallets);
    const issued = wholeCoins(row.issued);
    const withdrawn = wholeCoins(row.withdrawn);
    return {
      currency,
      inWallets,
      issued,
      withdrawn,
      transferred: wholeCoins(row.transferred),
      closes: inWallets === issued - withdrawn && wholeCoins(row.paired) === 0n,
    };
  });
}
